import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { answersTo, entryName } from '../core/names.ts';
import {
  formatReference,
  isTag,
  parseImageName,
  wantedName,
  type FileReference,
  type Reference,
  type RegistryReference,
} from '../core/reference.ts';
import { type LocalSource, type RootName, type Sink, type Source, type Stores } from '../core/store.ts';
import { type Copier, type CopyRequest, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';

export interface ExportOptions {
  readonly stores: Stores;
  readonly copier: Copier;
  readonly select: Select;
}

/**
 * Writes images of any source into one bundle: one flat layout whose entries carry full names.
 * Nothing is written unless everything that was named can be.
 *
 * @param sink an archive, or any sink that takes names
 * @throws the first failure; the sink is not committed then
 */
export async function exportImages(
  references: readonly Reference[],
  sink: Sink,
  options: ExportOptions,
): Promise<readonly CopyResult[]> {
  const opened: Source[] = [];
  try {
    const requests = await collectRequests(references, sink, options, opened);
    refuseSharedNames(requests);
    const results =
      sink.reserve === undefined
        ? await copyOneByOne(requests, options.copier)
        : await options.copier.copyReserved(requests, sink);
    await sink.commit();
    return results;
  } finally {
    for (const source of opened) await source.close();
  }
}

async function copyOneByOne(requests: readonly CopyRequest[], copier: Copier): Promise<readonly CopyResult[]> {
  const results: CopyResult[] = [];
  for (const request of requests) results.push(await copier.copy(request));
  return results;
}

async function collectRequests(
  references: readonly Reference[],
  to: Sink,
  options: ExportOptions,
  opened: Source[],
): Promise<readonly CopyRequest[]> {
  const found: CopyRequest[] = [];
  const add = (from: Source, root: Descriptor, name: RootName): void => {
    const image = name.imageName ?? name.tag ?? `${from.name}@${root.digest}`;
    if (
      !found.some(
        (other) =>
          other.root.digest === root.digest && other.name.imageName === name.imageName && other.name.tag === name.tag,
      )
    ) {
      found.push({ from, to, root, name, image, select: options.select });
    }
  };
  for (const reference of references) {
    if (reference.kind === 'registry') {
      const source = await options.stores.source(reference);
      opened.push(source);
      add(source, await source.resolve(wantedName(reference) as string), registryName(reference));
    } else {
      await collectLocal(reference, options.stores, opened, add);
    }
  }
  return found;
}

/** A digest without a tag arrives as a nameless root that still says where it came from. */
function registryName(reference: RegistryReference): RootName {
  const { registry, repository } = reference;
  const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined);
  if (tag === undefined) return { imageName: `${registry}/${repository}@${String(reference.digest)}` };
  return { tag, imageName: `${registry}/${repository}:${tag}` };
}

async function collectLocal(
  reference: FileReference,
  stores: Stores,
  opened: Source[],
  add: (from: Source, root: Descriptor, name: RootName) => void,
): Promise<void> {
  const library = await stores.library(reference);
  const wanted = wantedName(reference);
  let any = false;
  for (const repository of await library.repositories()) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    opened.push(source);
    for (const root of await chosenRoots(source, wanted, repository)) {
      any = true;
      add(source, root, localName(root, repository));
    }
  }
  if (!any) {
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot export ${formatReference(reference)}: ${wanted === undefined ? 'it holds no images' : `there is no ${JSON.stringify(wanted)}`}`,
      { hint: `ocl ls ${reference.path}` },
    );
  }
}

/** Named roots, and nameless ones that are no referrers: those travel with their subjects. */
async function chosenRoots(
  source: LocalSource,
  wanted: string | undefined,
  repository: string,
): Promise<readonly Descriptor[]> {
  const roots = await source.roots();
  if (wanted === undefined)
    return roots.filter(
      (root) =>
        root.annotations?.[ANNOTATION.refName] !== undefined || root.annotations?.[ANNOTATION.imageName] !== undefined,
    );
  return roots.filter((root) => answersTo(root, wanted, repository));
}

/** The name that the entry carries, else one below `localhost`, as other tools name what has no registry. */
function localName(root: Descriptor, repository: string): RootName {
  const { tag, imageName } = entryName(root);
  if (imageName !== undefined) return { tag: tag ?? parseImageName(imageName)?.tag, imageName };
  if (tag === undefined || !isTag(tag)) return tag === undefined ? {} : { tag };
  return { tag, imageName: `localhost/${repository}:${tag}` };
}

/** One name cannot mean two contents. */
function refuseSharedNames(requests: readonly CopyRequest[]): void {
  const byName = new Map<string, CopyRequest>();
  for (const request of requests) {
    const name = request.name.imageName;
    if (name === undefined) continue;
    const other = byName.get(name);
    if (other !== undefined && other.root.digest !== request.root.digest) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot export ${name}: ${other.from.name} and ${request.from.name} have different contents of that name`,
        { hint: 'export them into two files' },
      );
    }
    byName.set(name, request);
  }
}
