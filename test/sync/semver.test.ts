import { describe, expect, it } from 'vitest';
import {
  compareVersions,
  lintRange,
  parseRange,
  parseVersion,
  satisfies,
  type Version,
} from '../../src/sync/semver.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
}

describe('parseVersion', () => {
  it.each<[string, readonly bigint[], readonly string[]]>([
    ['1', [1n], []],
    ['v1.2.3', [1n, 2n, 3n], []],
    ['10.0.17763.1', [10n, 0n, 17763n, 1n], []],
    ['20240101', [20240101n], []],
    ['2024-01-01', [2024n], ['01-01']],
    ['01.02', [1n, 2n], []],
    ['1.2.3-', [1n, 2n, 3n], []],
    ['1.2.3-rc.1+build-7', [1n, 2n, 3n], ['rc', '1']],
    ['1+a-b', [1n], []],
    ['3.22-suffix', [3n, 22n], ['suffix']],
  ])('%s', (text, numbers, prerelease) => {
    expect(parseVersion(text)).toEqual({ numbers, prerelease });
  });
  it.each([
    '',
    'v',
    'V1',
    'vv1',
    '1.',
    '.1',
    '1.2.x',
    '+1',
    ' 1',
    '9223372036854775808',
    'latest',
    '-rc',
    '1..2',
    '1'.repeat(1000),
  ])('%j is none', (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
});

describe('compareVersions', () => {
  it('orders', () => {
    const ascending = [
      '0.9',
      '1.0.0-1',
      '1.0.0-A',
      '1.0.0-a1b2',
      '1.0.0-a1b10',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-beta.2',
      '1.0.0-rc.2',
      '1.0.0-rc.11',
      '1.0.0-rc2',
      '1.0.0-rc11',
      '1',
      '1.0.0.1',
      '1.2',
      '1.10',
      '2',
    ];
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries())
        expect(Math.sign(compareVersions(version(a), version(b))), `${a} and ${b}`).toBe(Math.sign(i - j));
    }
  });
  it('knows equals', () => {
    for (const [a, b] of [
      ['1', '1.0.0'],
      ['v1.2', '1.2'],
      ['1.0+a', '1.0+b'],
      ['1.0-rc.01', '1.0-rc.1'],
    ] as const)
      expect(compareVersions(version(a), version(b))).toBe(0);
  });
  it('can compare as regsync does, to tell the difference', () => {
    for (const [a, b] of [
      ['1.0.0-rc.2', '1.0.0-rc.11'],
      ['1-beta.1', '1-beta.2'],
      ['1-alpha', '1-alpha.1'],
    ] as const) {
      expect(compareVersions(version(a), version(b), 'correct')).toBeLessThan(0);
      expect(compareVersions(version(a), version(b), 'regsync')).toBe(0);
    }
  });
});

describe('ranges', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['1.2', ['1.2', '1.2.0', 'v1.2'], ['1.2.1', '1.2-rc1']],
    ['=1', ['1', '1.0.0'], ['1.1']],
    ['>=1.2 <2', ['1.2', '1.9.9', '2-rc1'], ['1.1', '2']],
    ['>1', ['1.0.1'], ['1', '1-rc']],
    ['<=1', ['1', '0.1', '1-rc'], ['1.0.1']],
    ['^1.2.3', ['1.2.3', '1.9'], ['2.0.0', '1.2.2']],
    ['^0.2.3', ['0.2.9'], ['0.3.0']],
    ['^0.0.3', ['0.0.3'], ['0.0.4']],
    ['^0', ['0', '0.0.0'], ['0.0.1', '0.1']],
    ['^0.0', ['0'], ['0.0.1']],
    ['~1.2.3', ['1.2.9'], ['1.3.0']],
    ['~1', ['1.0.9'], ['1.1.0']],
    ['~0', ['0.0.9'], ['0.1.0']],
    ['^1.2-rc1', ['1.2', '1.2-rc1', '2.0.0-rc1'], ['1.2-alpha', '2']],
    ['<2.0.0', ['2.0.0-rc1', '2.0.0-alpine3.21'], ['2.0.0']],
    ['>=5.0.0', ['5'], ['v5-scratch']],
    ['>=3.22', ['3.22', '3.23-suffix'], ['3.22-suffix']],
    ['>1.0.0-rc.1', ['1.0.0-rc.2'], ['1.0.0-rc.1']],
  ])('%s', (text, yes, no) => {
    const range = parseRange(text);
    expect([...yes, ...no].filter((one) => satisfies(version(one), range))).toEqual(yes);
  });
  it.each(['>= 1', '>=1,<2', '1.x', '*', '!=1', '==1', '=>1', '~>1.2', '1 || 2', '1 - 2', 'latest'])(
    '%s is refused',
    (text) => {
      expect(() => parseRange(text)).toThrow(/^Cannot use the version range/);
    },
  );
  it('warns of ^0 and ~1', () => {
    expect(lintRange('^0')).toContain('<0.0.1');
    expect(lintRange('>=1 ~1')).toContain('<1.1.0');
    for (const fine of ['^0.2', '^1', '~1.2', '>=0', '1']) expect(lintRange(fine)).toBeUndefined();
  });
});
