import { type Descriptor } from '../core/descriptor.ts';
import { isReferrersTag, type Digest } from '../core/digest.ts';
import { entryName, repositoryOf } from '../core/names.ts';
import { type LocalSource, type Source } from '../core/store.ts';
import { Reach, type ReachOptions } from '../copy/reach.ts';

/** Many repositories under one roof, to read: a layout, library or bundle (a `Library` is one), or a registry below a prefix. */
export interface Collection {
  readonly name: string;
  /** The one store in which all of them lie, when that is so. */
  readonly whole?: LocalSource | undefined;
  repositories(): Promise<readonly string[]>;
  source(repository: string): Promise<Source | undefined>;
}

/** Digests by tag, by repository; under an empty name those that say no repository. */
export type Tags = ReadonlyMap<string, ReadonlyMap<string, Digest>>;

/** Characters of a name: longer ones are left out, for nobody could ask for them. */
export const MAX_NAME = 4096;

export interface Holdings {
  readonly tags: Tags;
  /** Bytes by digest: everything that the names reach and that is really there. */
  readonly blobs: ReadonlyMap<Digest, number>;
}

/**
 * What places hold together: all names, and all that they reach with what refers to it. Of a registry every manifest is read, and no content.
 * @throws the stores' failures; damaged documents are told, and what they name counts as missing
 */
export async function readHoldings(places: readonly Collection[], options: ReachOptions): Promise<Holdings> {
  const reach = new Reach(options);
  const tags = new Map<string, Map<string, Digest>>();
  for (const place of places) await readPlace(place, reach, tags);
  return { tags, blobs: reach.blobs };
}

/** A store on disk as one place. */
export function collectionOf(source: LocalSource): Collection {
  return {
    name: source.name,
    whole: source,
    repositories: () => Promise.resolve([]),
    source: () => Promise.resolve(undefined),
  };
}

async function readPlace(place: Collection, reach: Reach, tags: Map<string, Map<string, Digest>>): Promise<void> {
  const note = (repository: string, tag: string, digest: Digest): void => {
    if (isReferrersTag(tag) || tag.length > MAX_NAME || repository.length > MAX_NAME) return;
    const known = tags.get(repository) ?? new Map<string, Digest>();
    tags.set(repository, known.set(tag, digest));
  };
  if (place.whole !== undefined) {
    const roots = await place.whole.roots();
    for (const { repository, root } of byRepository(roots)) {
      const { tag } = entryName(root);
      if (tag !== undefined) note(repository, tag, root.digest);
    }
    return await reach.visit(place.whole, roots);
  }
  for (const repository of await place.repositories()) {
    const source = await place.source(repository);
    if (source === undefined) continue;
    const named = await reach.named(source);
    for (const { tag, root } of named) note(repository, tag, root.digest);
    await reach.visit(source, await rootsOf(source, named));
  }
}

/** Entries with their repositories as clients of a mirror know them: without the registry, unless two have the same path. */
function byRepository(
  roots: readonly Descriptor[],
): readonly { readonly repository: string; readonly root: Descriptor }[] {
  const wholes = new Map<string, Set<string>>();
  for (const root of roots) {
    const whole = repositoryOf(root) ?? '';
    wholes.set(pathOf(whole), (wholes.get(pathOf(whole)) ?? new Set()).add(whole));
  }
  return roots.map((root) => {
    const whole = repositoryOf(root) ?? '';
    return { root, repository: (wholes.get(pathOf(whole))?.size ?? 0) > 1 ? whole : pathOf(whole) };
  });
}

function pathOf(whole: string): string {
  return whole.slice(whole.indexOf('/') + 1);
}

/** On disk also those without a name. */
async function rootsOf(
  source: Source,
  named: readonly { readonly root: Descriptor }[],
): Promise<readonly Descriptor[]> {
  return 'roots' in source ? await (source as LocalSource).roots() : named.map(({ root }) => root);
}
