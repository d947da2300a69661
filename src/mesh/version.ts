/** A version of Semantic Versioning 2.0, with or without a `v` before it. */
export interface Version {
  /** As it was written. */
  readonly text: string;
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint];
  /** Empty for a release. */
  readonly prerelease: readonly string[];
  /** What stands after the `+`; it does not count in comparisons. */
  readonly build: string;
}

export type VersionPart = 'major' | 'minor' | 'patch';

const NUMBER = '(0|[1-9][0-9]{0,18})';
const FIELDS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const VERSION = new RegExp(`^v?${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${FIELDS}))?(?:\\+(${FIELDS}))?$`);
/** Characters of a tag. */
const MAX_LENGTH = 128;

/** Undefined for a text that is no version, such as `1.2` or `latest`. */
export function parseVersion(text: string): Version | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, major, minor, patch, prerelease = '', build = ''] = VERSION.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return {
    text,
    numbers: [BigInt(major), BigInt(minor), BigInt(patch)],
    prerelease: prerelease === '' ? [] : prerelease.split('.'),
    build,
  };
}

/** As people write versions of software: `1.25` and `v2` are versions too. */
export function parseLooseVersion(text: string): Version | undefined {
  const [, v = '', numbers = '', rest = ''] = /^(v?)((?:[0-9]{1,19}\.){0,2}[0-9]{1,19})([-+].*)?$/s.exec(text) ?? [];
  if (numbers === '') return undefined;
  const padded = [...numbers.split('.'), '0', '0'].slice(0, 3).map((number) => number.replace(/^0+(?=.)/, ''));
  const version = parseVersion(`${v}${padded.join('.')}${rest}`);
  return version === undefined ? undefined : { ...version, text };
}

/** Negative, zero or positive, by the precedence of Semantic Versioning (section 11). */
export function compareVersions(a: Version, b: Version): number {
  for (const i of [0, 1, 2] as const) {
    const order = compare(a.numbers[i], b.numbers[i]);
    if (order !== 0) return order;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return compare(b.prerelease.length, a.prerelease.length);
  for (const [i, field] of a.prerelease.entries()) {
    const other = b.prerelease[i];
    if (other === undefined) return 1;
    const order = compareFields(field, other);
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

/** The version that follows, as Meshery counts: the next patch, and `0.0.1` at first. A prerelease is followed by its release. */
export function nextVersion(before: Version | undefined, part: VersionPart = 'patch'): string {
  if (before === undefined) return '0.0.1';
  const [major, minor, patch] = before.numbers;
  const v = before.text.startsWith('v') ? 'v' : '';
  if (part === 'major') return `${v}${major + 1n}.0.0`;
  if (part === 'minor') return `${v}${major}.${minor + 1n}.0`;
  return `${v}${major}.${minor}.${before.prerelease.length > 0 ? patch : patch + 1n}`;
}

/** A number is before a word. */
function compareFields(a: string, b: string): number {
  const [left, right] = [/^[0-9]+$/.test(a), /^[0-9]+$/.test(b)];
  if (left !== right) return left ? -1 : 1;
  return left ? compare(BigInt(a), BigInt(b)) : compare(a, b);
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
