import { type Descriptor } from '../core/descriptor.ts';
import { isReferrersTag, type Digest } from '../core/digest.ts';
import { repositoryOf } from '../core/names.ts';
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

async function readPlace(place: Collection, reach: Reach, tags: Map<string, Map<string, Digest>>): Promise<void> {
  const { whole } = place;
  if (whole !== undefined) await reach.visit(whole, await whole.roots());
  for (const repository of await place.repositories()) {
    const source = await place.source(repository);
    if (source === undefined) continue;
    const named = await reach.named(source);
    for (const { tag, root } of named) {
      if (isReferrersTag(tag) || tag.length > MAX_NAME) continue;
      const name = whole !== undefined && repositoryOf(root) === undefined ? '' : repository;
      const known = tags.get(name) ?? new Map<string, Digest>();
      tags.set(name, known.set(tag, root.digest));
    }
    if (whole === undefined) await reach.visit(source, await rootsOf(source, named));
  }
}

/** On disk also those without a name. */
async function rootsOf(
  source: Source,
  named: readonly { readonly root: Descriptor }[],
): Promise<readonly Descriptor[]> {
  return 'roots' in source ? await (source as LocalSource).roots() : named.map(({ root }) => root);
}
