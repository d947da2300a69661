import { ANNOTATION, plainDescriptor, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, OclError } from '../core/errors.ts';
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
import { requireAllVolumes } from './allVolumes.ts';
import { AnyOf } from './anyOf.ts';
import { lockedName, lockedSelect, type LockedImage, type LockFile } from './lock.ts';
import { type RequestedImage } from './requestSchema.ts';
import { type Waivers } from './waivers.ts';

/** Something that is to be carried: an image of a registry, or what a place on disk holds. */
export interface Wanted {
  readonly reference: Reference;
  readonly select: Select;
  /** What the reference points at, where somebody has looked already, or chose a part of it. */
  readonly root?: Descriptor | undefined;
  /** How the source is read, where not as it is. */
  readonly by?: ((source: Source) => Source) | undefined;
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
  readonly waivers: Waivers;
  readonly #stores: Stores;
  readonly #opened = new Map<string, Promise<Source>>();
  readonly #local: Source[] = [];
  /** By root and names. */
  readonly #images = new Map<string, BundleImage>();

  constructor(stores: Stores, waivers: Waivers) {
    this.#stores = stores;
    this.waivers = waivers;
  }

  get images(): readonly BundleImage[] {
    return [...this.#images.values()];
  }

  /** @throws OCL_NOT_FOUND, and whatever the source throws, unless it is waived */
  async add(wanted: Wanted): Promise<void> {
    const { reference } = wanted;
    await this.waivers.attempt(formatReference(reference), async () => {
      if (reference.kind === 'registry') await this.#addImage(reference, wanted);
      else await this.#addLocal(reference, wanted);
    });
  }

  /** Each image of a lock, from the first of the places that has it, else from the registry of its name. */
  async addLocked(lock: LockFile, places: readonly Reference[]): Promise<void> {
    const opened = await this.#places(places);
    for (const [key, locked] of lock.images) {
      await this.waivers.attempt(key, async () => {
        const named = parseImageName(key);
        const origin = named === undefined || named.registry === 'localhost' ? [] : [await this.#repository(named)];
        const found = await findLocked(locked, opened);
        const from = [...found.sources, ...origin];
        if (from.length === 0)
          throw new OclError('OCL_NOT_FOUND', `Cannot export ${key}: none of the places has ${locked.root.digest}`, {
            hint: 'name a layout, library or bundle that has it, beside --locked',
          });
        const name = lockedName(key, locked);
        this.#keep({ from: new AnyOf(from), root: found.root, name, select: lockedSelect(locked) });
      });
    }
  }

  /** Each image that a far side asks for, from the first of the places that has it, else from the registry of its name. */
  async addRequested(images: readonly RequestedImage[], places: readonly Reference[], select: Select): Promise<void> {
    const opened = await this.#places(places);
    for (const { root } of images) {
      const { tag, imageName } = entryName(root);
      const key = imageName ?? tag ?? root.digest;
      await this.waivers.attempt(key, async () => {
        const named = parseImageName(key);
        const [
          from = named === undefined || named.registry === 'localhost' ? undefined : await this.#repository(named),
        ] = await placesOf(root.digest, opened);
        if (from === undefined)
          throw new OclError('OCL_NOT_FOUND', `Cannot export ${key}: none of the places has ${root.digest}`, {
            hint: 'name a layout, library or bundle that has it, beside --request',
          });
        this.#keep({ from, root: plainDescriptor(root), name: { tag, imageName }, select });
      });
    }
  }

  async close(): Promise<void> {
    for (const source of this.#local.splice(0)) await source.close();
    // One that could not be opened has told so.
    for (const source of this.#opened.values()) await source.then((it) => it.close()).catch(() => {});
    this.#opened.clear();
  }

  async #addImage(reference: RegistryReference, { select, root, by }: Wanted): Promise<void> {
    const source = await this.#repository(reference);
    const from = by?.(source) ?? source;
    this.#keep({
      from,
      root: root ?? (await from.resolve(wantedName(reference) as string)),
      name: registryName(reference),
      select,
    });
  }

  async #addLocal(reference: FileReference, { select, root: part }: Wanted): Promise<void> {
    const wanted = wantedName(reference);
    let any = false;
    const { layouts, whole } = await this.#open(reference);
    // Of some volumes only what is complete in them can be seen, and the rest would be left out without a word.
    if (wanted === undefined && whole !== undefined) requireAllVolumes(whole, 'export');
    for (const { repository, source } of layouts) {
      for (const root of await chosenRoots(source, wanted, repository)) {
        any = true;
        this.#keep({ from: source, root: part ?? root, name: localName(root, repository), select });
      }
    }
    if (any) return;
    if (whole !== undefined) requireAllVolumes(whole, 'export');
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot export ${formatReference(reference)}: ${wanted === undefined ? 'it holds no images' : `there is no ${JSON.stringify(wanted)}`}`,
      { hint: `ocl ls ${reference.path}` },
    );
  }

  /** One a repository: its tags are listed once, however many of its images are wanted. */
  async #repository({ registry, repository }: RegistryReference): Promise<Source> {
    const key = `${registry}/${repository}`;
    const known = this.#opened.get(key) ?? this.#stores.source({ kind: 'registry', registry, repository });
    this.#opened.set(key, known);
    return await known;
  }

  async #places(references: readonly Reference[]): Promise<readonly Source[]> {
    const opened: Source[] = [];
    for (const place of references) {
      if (place.kind === 'registry') opened.push(await this.#repository(place));
      else opened.push(...(await this.#open(place)).layouts.map(({ source }) => source));
    }
    return opened;
  }

  async #open(reference: FileReference): Promise<{
    readonly layouts: readonly { readonly repository: string; readonly source: LocalSource }[];
    readonly whole: LocalSource | undefined;
  }> {
    const library = await this.#stores.library(reference);
    const found: { repository: string; source: LocalSource }[] = [];
    for (const repository of await library.repositories()) {
      const source = await library.source(repository);
      if (source === undefined) continue;
      this.#local.push(source);
      found.push({ repository, source });
    }
    return { layouts: found, whole: library.whole };
  }

  #keep(found: Omit<BundleImage, 'image'>): void {
    const { from, root, name, select } = found;
    const { digests } = this.waivers;
    const image = name.imageName ?? name.tag ?? `${from.name}@${root.digest}`;
    const key = JSON.stringify([root.digest, name.imageName, name.tag]);
    const known = this.#images.get(key);
    const wanted = digests.size === 0 ? select : { ...select, allowMissing: digests };
    if (known === undefined) this.#images.set(key, { ...found, image, select: wanted });
    else this.#images.set(key, { ...known, select: bothPlatforms(known.select, wanted) });
  }
}

/** What is wanted twice is wanted for the platforms of both. */
function bothPlatforms(one: Select, other: Select): Select {
  const all = [one, other].some(({ platforms = [] }) => platforms.length === 0);
  return { ...one, platforms: all ? undefined : [...(one.platforms ?? []), ...(other.platforms ?? [])] };
}

/** The places that have an image of a lock. An index that was written anew is looked for as what it became, since a bundle has no other. */
async function findLocked(
  { root, rewritten }: LockedImage,
  places: readonly Source[],
): Promise<{ readonly root: Descriptor; readonly sources: readonly Source[] }> {
  for (const digest of rewritten === undefined ? [root.digest] : [rewritten, root.digest]) {
    const sources: Source[] = [];
    let size = root.size;
    for (const source of places) {
      const found = await sizeIn(source, digest);
      if (found === undefined) continue;
      sources.push(source);
      size = found;
    }
    if (sources.length > 0) return { root: { ...root, digest, size }, sources };
  }
  return { root, sources: [] };
}

async function placesOf(digest: Digest, places: readonly Source[]): Promise<readonly Source[]> {
  const found: Source[] = [];
  for (const source of places) if ((await sizeIn(source, digest)) !== undefined) found.push(source);
  return found;
}

async function sizeIn(source: Source, digest: Digest): Promise<number | undefined> {
  if ('roots' in source) return await (source as LocalSource).size(digest);
  try {
    return (await source.resolve(digest)).size;
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
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
