import { type RE2JS } from 're2js';
import { OclError } from '../core/errors.ts';
import { compilePattern } from '../io/pattern.ts';
import { mapInOrder } from './limit.ts';
import { compareVersions, parseRange, parseVersion, satisfies, type Comparison, type VersionRange } from './semver.ts';

/** One set of filters. An empty list filters nothing. */
export interface NameFilter {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface TagSet extends NameFilter {
  readonly semverRange: readonly string[];
  /** So many of what is left, the newest first; 0 is all. */
  readonly newest: number;
  readonly newestBy: 'semver' | 'date';
  /** Images made since then, or so many milliseconds ago. */
  readonly since: { readonly at: number } | { readonly ago: number } | undefined;
}

export interface Filtered {
  /** In the order of the sets, then of the list; each name once. */
  readonly names: readonly string[];
  /** Names that regsync would choose and `ocl` does not, or the other way about, because of how prereleases compare. */
  readonly differing: readonly string[];
}

interface Matcher extends Pick<TagSet, 'newest' | 'newestBy' | 'since'> {
  readonly allow: readonly RE2JS[];
  readonly deny: readonly RE2JS[];
  readonly ranges: readonly VersionRange[];
}

/** What filters by age have to ask. */
export interface Ages {
  /** Milliseconds since the epoch. */
  now(): number;
  /** When the image of a tag was made; undefined when it does not tell. */
  createdAt(tag: string): Promise<number | undefined>;
}

/** The sets of one step, made ready once for many lists. */
export class TagFilter {
  readonly #sets: readonly Matcher[];

  /**
   * Within a set: version range, then `allow`, then `deny`; the sets are united. No set at all keeps everything.
   * @throws OCL_CONFIG_INVALID for a pattern or range that cannot be used
   */
  constructor(sets: readonly (NameFilter & Partial<TagSet>)[]) {
    this.#sets = sets.map((set) => ({
      newest: set.newest ?? 0,
      newestBy: set.newestBy ?? 'semver',
      since: set.since,
      allow: set.allow.map((pattern) => compilePattern(pattern, { whole: true })),
      deny: set.deny.map((pattern) => compilePattern(pattern, { whole: true })),
      ranges: (set.semverRange ?? []).filter((range) => range.trim() !== '').map(parseRange),
    }));
  }

  apply(names: readonly string[]): Filtered {
    const chosen = this.#choose(names, 'correct');
    if (this.#sets.every((set) => set.ranges.length === 0)) return { names: chosen, differing: [] };
    return { names: chosen, differing: differing(chosen, this.#choose(names, 'regsync')) };
  }

  /**
   * The same, with `since` and `newest` of each set after its other filters. What does not tell its age passes no `since`, and counts as the
   * oldest; what is no version passes no `newest` that goes by versions.
   */
  async applyWithAges(names: readonly string[], ages: Ages): Promise<Filtered> {
    if (this.#sets.every(({ newest, since }) => newest === 0 && since === undefined)) return this.apply(names);
    const chosen = new Set<string>();
    for (const set of this.#sets) {
      const left = [...new Set(names)].filter((name) => keeps(set, name, 'correct'));
      for (const name of await newestOf(set, await young(set, left, ages), ages)) chosen.add(name);
    }
    return { names: [...chosen], differing: [] };
  }

  /** Whether a name passes, whatever others there are, and however old it is. */
  mayTake(name: string): boolean {
    return this.#sets.length === 0 || this.#sets.some((set) => keeps(set, name, 'correct'));
  }

  #choose(names: readonly string[], comparison: Comparison): readonly string[] {
    if (this.#sets.length === 0) return [...new Set(names)];
    const chosen = new Set<string>();
    for (const set of this.#sets) {
      for (const name of names) if (!chosen.has(name) && keeps(set, name, comparison)) chosen.add(name);
    }
    return [...chosen];
  }
}

function keeps(set: Matcher, name: string, comparison: Comparison): boolean {
  if (set.ranges.length > 0) {
    const version = parseVersion(name);
    if (version === undefined || !set.ranges.some((range) => satisfies(version, range, comparison))) return false;
  }
  if (set.allow.length > 0 && !set.allow.some((pattern) => pattern.test(name))) return false;
  return !set.deny.some((pattern) => pattern.test(name));
}

async function young({ since }: Matcher, names: readonly string[], ages: Ages): Promise<readonly string[]> {
  if (since === undefined) return names;
  const from = 'at' in since ? since.at : ages.now() - since.ago;
  const made = await datesOf(names, ages);
  return names.filter((name) => (made.get(name) ?? Number.NEGATIVE_INFINITY) >= from);
}

async function newestOf(
  { newest: count, newestBy }: Matcher,
  names: readonly string[],
  ages: Ages,
): Promise<readonly string[]> {
  if (count === 0) return names;
  const sorted = newestBy === 'semver' ? byVersion(names) : byDate(names, await datesOf(names, ages));
  const kept = new Set(sorted.slice(0, count));
  return names.filter((name) => kept.has(name));
}

function byVersion(names: readonly string[]): readonly string[] {
  return names
    .flatMap((name) => {
      const version = parseVersion(name);
      return version === undefined ? [] : [{ name, version }];
    })
    .toSorted((a, b) => compareVersions(b.version, a.version))
    .map(({ name }) => name);
}

function byDate(names: readonly string[], made: ReadonlyMap<string, number | undefined>): readonly string[] {
  return names.toSorted((a, b) => (made.get(b) ?? 0) - (made.get(a) ?? 0));
}

/** Dates that are asked for at a time. */
const ASKED = 8;

async function datesOf(names: readonly string[], ages: Ages): Promise<ReadonlyMap<string, number | undefined>> {
  const made = new Map<string, number | undefined>();
  for await (const [name, date] of mapInOrder(
    names,
    ASKED,
    async (each) => [each, await ages.createdAt(each)] as const,
  ))
    made.set(name, date);
  return made;
}

function differing(ours: readonly string[], theirs: readonly string[]): readonly string[] {
  const [mine, other] = [new Set(ours), new Set(theirs)];
  return [...new Set([...ours, ...theirs])].filter((name) => mine.has(name) !== other.has(name));
}

/**
 * A pattern in RE2 syntax, compiled as regsync does: `^` + pattern + `$` without a group around it, so `v1|v2` is "starts with v1, or ends
 * with v2", and `*-rc` (where Go lets the star stand after `^`) is "ends with -rc".
 * @throws OCL_CONFIG_INVALID
 */
/** What the author of a pattern may not expect; undefined when there is nothing to say. */
export function lintPattern(pattern: string): string | undefined {
  // Most patterns are plain tags, and files have tens of thousands of them.
  if (/^[A-Za-z0-9_.-]*$/.test(pattern)) return undefined;
  try {
    compilePattern(pattern, { whole: true });
  } catch (error) {
    return error instanceof OclError ? error.message : undefined;
  }
  if (/^[*?]/.test(pattern)) {
    const rest = pattern.replace(/^[*?]\??/, '');
    return rest === ''
      ? `the pattern ${JSON.stringify(pattern)} matches everything, as in regsync; write ".*"`
      : `the pattern ${JSON.stringify(pattern)} matches whatever ends that way, as in regsync; write ${JSON.stringify(`.*${rest}`)}`;
  }
  if (hasTopLevelBar(pattern)) {
    return `the pattern ${JSON.stringify(pattern)} has a | outside of parentheses: its first part matches at the start and its last part at the end only, as in regsync; if whole names are meant, write ${JSON.stringify(`(${pattern})`)}`;
  }
  return undefined;
}

function hasTopLevelBar(pattern: string): boolean {
  let depth = 0;
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') {
      if (pattern[i + 1] === 'Q') {
        const end = pattern.indexOf('\\E', i);
        if (end < 0) return false;
        i = end;
      }
      i++;
    } else if (inClass) {
      if (char === ']') inClass = false;
    } else if (char === '[') {
      inClass = true;
      if (pattern[i + 1] === '^') i++;
      if (pattern[i + 1] === ']') i++;
    } else if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === '|' && depth === 0) return true;
  }
  return false;
}
