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
import { type LocalSource, type RootName, type Source, type Stores } from '../core/store.ts';
import { type Select } from '../copy/select.ts';

/** Something that is to be carried: an image of a registry, or what a place on disk holds. */
export interface Wanted {
  readonly reference: Reference;
  readonly select: Select;
}

/** One image that goes into a bundle, in a source that is open. */
export interface BundleImage {
  readonly from: Source;
  readonly root: Descriptor;
  readonly name: RootName;
  /** As events and errors call it. */
  readonly image: string;
  readonly select: Select;
}

/** Finds what is wanted, each root once under each of its names. Sources are closed with `close`. */
export class BundleSources {
  readonly #stores: Stores;
  readonly #opened: Source[] = [];
  readonly #images: BundleImage[] = [];

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  get images(): readonly BundleImage[] {
    return this.#images;
  }

  /** @throws OCL_NOT_FOUND, and whatever the source throws */
  async add({ reference, select }: Wanted): Promise<void> {
    if (reference.kind !== 'registry') return await this.#addLocal(reference, select);
    const from = await this.#stores.source(reference);
    this.#opened.push(from);
    this.#keep({
      from,
      root: await from.resolve(wantedName(reference) as string),
      name: registryName(reference),
      select,
    });
  }

  async close(): Promise<void> {
    for (const source of this.#opened.splice(0)) await source.close();
  }

  async #addLocal(reference: FileReference, select: Select): Promise<void> {
    const library = await this.#stores.library(reference);
    const wanted = wantedName(reference);
    let any = false;
    for (const repository of await library.repositories()) {
      const from = await library.source(repository);
      if (from === undefined) continue;
      this.#opened.push(from);
      for (const root of await chosenRoots(from, wanted, repository)) {
        any = true;
        this.#keep({ from, root, name: localName(root, repository), select });
      }
    }
    if (any) return;
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot export ${formatReference(reference)}: ${wanted === undefined ? 'it holds no images' : `there is no ${JSON.stringify(wanted)}`}`,
      { hint: `ocl ls ${reference.path}` },
    );
  }

  #keep(found: Omit<BundleImage, 'image'>): void {
    const { from, root, name } = found;
    const known = this.#images.some(
      (other) =>
        other.root.digest === root.digest && other.name.imageName === name.imageName && other.name.tag === name.tag,
    );
    if (!known) this.#images.push({ ...found, image: name.imageName ?? name.tag ?? `${from.name}@${root.digest}` });
  }
}

/** A digest without a tag arrives as a nameless root that still says where it came from. */
function registryName(reference: RegistryReference): RootName {
  const { registry, repository } = reference;
  const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined);
  if (tag === undefined) return { imageName: `${registry}/${repository}@${String(reference.digest)}` };
  return { tag, imageName: `${registry}/${repository}:${tag}` };
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
