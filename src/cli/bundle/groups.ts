import { toOclError, type OclError } from '../../core/errors.ts';
import { parsePathReference, type Reference } from '../../core/reference.ts';
import { type AllStores } from '../../stores.ts';

/** Bundles among files, each with all the volumes that are given of it. */
export interface BundleGroups {
  readonly bundles: readonly Reference[];
  /** Files that cannot be opened, or whose record makes no sense. */
  readonly unreadable: readonly { readonly path: string; readonly error: OclError }[];
}

/**
 * Which files belong together, in the order in which they are named.
 * @param again what becomes of a volume that is named once more: it stands alone, or beside the first
 */
export async function groupBundles(
  paths: readonly string[],
  stores: AllStores,
  again: 'apart' | 'beside',
): Promise<BundleGroups> {
  const bundles: Reference[] = [];
  const sets = new Map<string, { readonly at: number; readonly numbers: Set<number> }>();
  const unreadable: { path: string; error: OclError }[] = [];
  const numberOf = stores.numberVolumes();
  for (const path of paths) {
    try {
      const reference = parsePathReference(path);
      const set = await numberOf(reference);
      const known = set === undefined ? undefined : sets.get(set.id);
      const first = known === undefined ? undefined : bundles[known.at];
      const isApart = again === 'apart' && set !== undefined && known?.numbers.has(set.volume) === true;
      if (set === undefined || isApart) bundles.push(reference);
      else if (known !== undefined && first !== undefined && first.kind !== 'registry') {
        known.numbers.add(set.volume);
        bundles[known.at] = { ...first, volumes: [...(first.volumes ?? []), path] };
      } else {
        sets.set(set.id, { at: bundles.length, numbers: new Set([set.volume]) });
        bundles.push(reference);
      }
    } catch (error) {
      unreadable.push({ path, error: toOclError(error) });
    }
  }
  return { bundles, unreadable };
}

/** References of which those that are volumes of one set are one. What cannot be opened says so where it is used. */
export async function joinVolumes(references: readonly Reference[], stores: AllStores): Promise<readonly Reference[]> {
  const joined: Reference[] = [];
  const sets = new Map<string, number>();
  const numberOf = stores.numberVolumes();
  for (const reference of references) {
    const isWhole = reference.tag === undefined && reference.digest === undefined;
    const set = isWhole ? await numberOf(reference).catch(() => undefined) : undefined;
    const at = set === undefined ? undefined : sets.get(set.id);
    const first = at === undefined ? undefined : joined[at];
    if (at !== undefined && first !== undefined && first.kind !== 'registry' && reference.kind !== 'registry')
      joined[at] = { ...first, volumes: [...(first.volumes ?? []), reference.path] };
    else {
      if (set !== undefined) sets.set(set.id, joined.length);
      joined.push(reference);
    }
  }
  return joined;
}
