import { OclError } from '../core/errors.ts';

/** A version as regsync reads one: any count of numbers, an optional `v`, a prerelease after the first `-`, metadata after the first `+` ignored. */
export interface Version {
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];
}

const MAX_INT64 = 9_223_372_036_854_775_807n;

/** Undefined for a text that is no version, such as `1.2.x` or `latest`. */
export function parseVersion(text: string): Version | undefined {
  const bare = text.startsWith('v') ? text.slice(1) : text;
  const [withoutMetadata = ''] = bare.split('+', 1);
  const dash = withoutMetadata.indexOf('-');
  const core = dash < 0 ? withoutMetadata : withoutMetadata.slice(0, dash);
  const suffix = dash < 0 ? '' : withoutMetadata.slice(dash + 1);
  if (!/^[0-9]{1,40}(?:\.[0-9]{1,40})*$/.test(core)) return undefined;
  const numbers = core.split('.').map(BigInt);
  if (numbers.some((number) => number > MAX_INT64)) return undefined;
  return { numbers, prerelease: suffix === '' ? [] : suffix.split('.') };
}

/**
 * - `correct`: `rc.2` is before `rc.11`, `alpha` before `alpha.1`.
 * - `regsync`: as upstream, which calls two prereleases equal at their first equal field without digits; kept to warn where the choice of tags differs.
 */
export type Comparison = 'correct' | 'regsync';

/** Negative, zero or positive, as sorting wants it. A missing number is 0; a prerelease is before its release. */
export function compareVersions(a: Version, b: Version, comparison: Comparison = 'correct'): number {
  const length = Math.max(a.numbers.length, b.numbers.length);
  for (let i = 0; i < length; i++) {
    const order = compare(a.numbers[i] ?? 0n, b.numbers[i] ?? 0n);
    if (order !== 0) return order;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return compare(b.prerelease.length, a.prerelease.length);
  for (const [i, field] of a.prerelease.entries()) {
    const other = b.prerelease[i];
    if (other === undefined) return 1;
    const order = compareFields(field, other);
    if (order !== 0) return order;
    if (comparison === 'regsync' && !/[0-9]/.test(field)) return 0;
  }
  return a.prerelease.length - b.prerelease.length;
}

/** Fields are runs of digits and of other characters: `rc2` is before `rc11`, and a number before a word. */
function compareFields(a: string, b: string): number {
  const left = a.match(/[0-9]+|[^0-9]+/g) ?? [];
  const right = b.match(/[0-9]+|[^0-9]+/g) ?? [];
  for (const [i, run] of left.entries()) {
    const other = right[i];
    if (other === undefined) return 1;
    const isNumber = /^[0-9]/.test(run);
    const otherIsNumber = /^[0-9]/.test(other);
    if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
    const order = isNumber ? compare(BigInt(run), BigInt(other)) : compare(run, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

interface Bound {
  readonly operator: '=' | '>' | '>=' | '<' | '<=';
  readonly version: Version;
}

/** Terms that must all hold. */
export interface VersionRange {
  readonly bounds: readonly Bound[];
}

/**
 * Terms between spaces, all of which must hold: `= > >= < <= ^ ~` directly before a version; no operator means `=`.
 * As in regsync `^0` is `<0.0.1` and `~1` is `<1.1.0`.
 *
 * @throws OCL_CONFIG_INVALID for the forms of other tools (`1.x`, `||`, `>= 1`, …)
 */
export function parseRange(text: string): VersionRange {
  const bounds: Bound[] = [];
  for (const term of text.trim().split(/\s+/)) {
    const [, operator = '', rest = ''] = /^(>=|<=|[=><^~])?(.*)$/s.exec(term) ?? [];
    const version = parseVersion(rest);
    if (version === undefined) {
      throw new OclError(
        'OCL_CONFIG_INVALID',
        `Cannot use the version range ${JSON.stringify(text)}: ${JSON.stringify(term)} is not an operator and a version`,
        {
          hint: 'write terms like >=1.2 <2 (a space means "and"; several list entries mean "or")',
        },
      );
    }
    if (operator === '^' || operator === '~') {
      bounds.push({ operator: '>=', version }, { operator: '<', version: nextAfter(version, operator) });
    } else {
      bounds.push({ operator: operator === '' ? '=' : (operator as Bound['operator']), version });
    }
  }
  return { bounds };
}

function nextAfter(version: Version, operator: '^' | '~'): Version {
  const [major = 0n, minor = 0n, patch = 0n] = version.numbers;
  if (operator === '^' && major !== 0n) return release(major + 1n, 0n, 0n);
  if (operator === '~' || minor !== 0n) return release(major, minor + 1n, 0n);
  return release(major, minor, patch + 1n);
}

function release(...numbers: bigint[]): Version {
  return { numbers, prerelease: [] };
}

export function satisfies(version: Version, range: VersionRange, comparison: Comparison = 'correct'): boolean {
  return range.bounds.every((bound) => holds(bound, compareVersions(version, bound.version, comparison)));
}

function holds(bound: Bound, order: number): boolean {
  switch (bound.operator) {
    case '=':
      return order === 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
  }
}

/** What a reader of other tools' ranges would take otherwise; undefined when there is nothing to say. */
export function lintRange(text: string): string | undefined {
  for (const term of text.trim().split(/\s+/)) {
    const version = parseVersion(term.slice(1));
    if (version === undefined) continue;
    const { numbers } = version;
    if (term.startsWith('^') && numbers.length < 3 && numbers.every((number) => number === 0n))
      return `${term} means >=${term.slice(1)} <0.0.1 here, as in regsync; write <1 for all of 0`;
    if (term.startsWith('~') && numbers.length === 1)
      return `${term} means >=${term.slice(1)} <${String(numbers[0])}.1.0 here, as in regsync; write ^${term.slice(1)} for the whole major version`;
  }
  return undefined;
}
