import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aliasesOf,
  aliasNames,
  compareReleases,
  isSameRelease,
  parseReleaseTag,
  releaseBefore,
  releasesOf,
  releaseTag,
  type Release,
} from '../../src/mesh/release.ts';
import { compareVersions, nextVersion, parseVersion, type Version } from '../../src/mesh/version.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
}

describe('versions', () => {
  it.each([
    '1.2',
    'latest',
    '1',
    'v1',
    '01.2.3',
    '1.2.3-',
    '1.2.3+',
    '1.2.3-a..b',
    '',
    ' 1.2.3',
    `1.0.0-${'a'.repeat(200)}`,
  ])('%s is none', (text) => expect(parseVersion(text)).toBeUndefined());

  // The order of semver.org, section 11.
  const ORDERED = [
    '0.0.1',
    'v0.9.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    'v1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0+build',
    '9007199254740993.0.0',
  ];
  it('are in the order of Semantic Versioning', () => {
    expect(
      ORDERED.map(version)
        .toReversed()
        .toSorted(compareVersions)
        .map(({ text }) => text),
    ).toEqual(ORDERED);
  });

  it.each([
    [undefined, 'patch', '0.0.1'],
    [undefined, 'major', '0.0.1'],
    ['0.0.1', 'patch', '0.0.2'],
    ['v1.2.3', 'patch', 'v1.2.4'],
    ['1.2.3', 'minor', '1.3.0'],
    ['v1.2.3', 'major', 'v2.0.0'],
    ['1.2.3-rc.1', 'patch', '1.2.3'],
    ['1.2.3+5', 'patch', '1.2.4'],
  ] as const)('after %s the next %s is %s', (before, part, after) => {
    expect(nextVersion(before === undefined ? undefined : version(before), part)).toBe(after);
  });
});

describe('tags of releases', () => {
  it.each([
    ['1.2.0+build.5', undefined, '1.2.0_build.5'],
    ['v1.0.0', 'v1.25.2', 'v1.25.2-v1.0.0'],
    ['v1.0.0-rc.1', '1.0.0-v2-1', '1.0.0-v2-1-v1.0.0-rc.1'],
    ['1.0.0', '1.0.0+k3s1', '1.0.0_k3s1-1.0.0'],
  ])('%s (of %s) is %s, and is read back', (text, model, tag) => {
    const made = releaseTag(version(text), model === undefined ? undefined : version(model));
    expect(made).toBe(tag);
    const read = parseReleaseTag(tag, model !== undefined);
    expect(read?.version.text).toBe(text);
    expect(read?.model?.text).toBe(model);
  });

  it.each([
    ['latest', false],
    ['1.2', false],
    ['v1', false],
    ['sha256-abc.sig', false],
    ['v1.25.2', true],
    ['latest', true],
    ['1.2.3-rc.1', true],
  ])('%s is no release (paired: %s)', (tag, paired) => expect(parseReleaseTag(tag, paired)).toBeUndefined());

  it.each([
    ['v1.0.0', '1.0.0', true],
    ['1.0.0_a', '1.0.0_b', false],
    ['1.0.0', '1.0.1', false],
  ])('%s and %s are one version: %s', (a, b, same) => {
    const [left, right] = [parseReleaseTag(a, false), parseReleaseTag(b, false)] as [Release, Release];
    expect(isSameRelease(left, right)).toBe(same);
  });
});

describe('aliases', () => {
  it.each<[string, readonly string[], boolean, Readonly<Record<string, string>>]>([
    ['nothing', [], false, {}],
    ['one', ['0.0.1'], false, { latest: '0.0.1', '0': '0.0.1', '0.0': '0.0.1' }],
    [
      'several, in any order, with what others have tagged',
      ['1.10.0', 'v1.2.0', '1.2.1', 'latest', 'stable', '2.0.0-rc.1', '0.9.0'],
      false,
      {
        latest: '1.10.0',
        '0': '0.9.0',
        '0.9': '0.9.0',
        '1': '1.10.0',
        '1.10': '1.10.0',
        '1.2': '1.2.1',
      },
    ],
    ['prereleases alone', ['1.0.0-rc.1', '1.0.0-rc.2'], false, {}],
    [
      'models',
      ['v1.25.2-v1.0.0', 'v1.25.2-v1.1.0', 'v1.26.0-v1.0.0', 'v1.27.0-rc.1-v1.0.0', 'v1.25.2'],
      true,
      {
        latest: 'v1.26.0-v1.0.0',
        '1': 'v1.26.0-v1.0.0',
        '1.25': 'v1.25.2-v1.1.0',
        '1.26': 'v1.26.0-v1.0.0',
        'v1.25.2': 'v1.25.2-v1.1.0',
        'v1.26.0': 'v1.26.0-v1.0.0',
      },
    ],
  ])('of %s', (_, tags, paired, expected) => {
    expect(Object.fromEntries(aliasesOf(releasesOf(tags, paired)))).toEqual(expected);
  });

  const NUMBER = fc.integer({ min: 0, max: 12 });
  const TAG = fc
    .record({
      v: fc.constantFrom('', 'v'),
      numbers: fc.tuple(NUMBER, NUMBER, NUMBER),
      suffix: fc.constantFrom('', '', '-rc.1', '-alpha', '_b1', '-rc.2_b3'),
    })
    .map(({ v, numbers, suffix }) => `${v}${numbers.join('.')}${suffix}`);

  it('always point to the greatest that they may stand for, in whatever order the tags are listed', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(TAG, { maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        fc.boolean(),
        (tags, random, paired) => {
          const all = paired ? tags.map((tag, i) => `${tag}-v1.${i % 3}.0`) : tags;
          const releases = releasesOf(all, paired);
          const aliases = aliasesOf(releases);
          const shuffled = [...all]
            .map((tag) => ({ tag, at: random.next().value as number }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ tag }) => tag);
          expect(aliasesOf(releasesOf(shuffled, paired))).toEqual(aliases);
          for (const release of releases)
            for (const alias of aliasNames(release)) {
              const chosen = releases.find(({ tag }) => tag === aliases.get(alias)) as Release;
              expect(compareReleases(chosen, release)).toBeGreaterThanOrEqual(0);
              expect(aliasNames(chosen)).toContain(alias);
            }
        },
      ),
    );
  });
});

describe('the release before', () => {
  it.each([
    ['1.0.0', ['1.0.0'], undefined],
    ['1.1.0', ['0.9.0', '1.0.0', '1.1.0', '2.0.0'], '1.0.0'],
    ['1.1.0', ['1.0.0', '1.1.0-rc.1'], '1.1.0-rc.1'],
    ['0.0.1', ['1.0.0'], undefined],
  ])('%s among %j is %s', (tag, tags, before) => {
    const releases = releasesOf(tags, false);
    expect(releaseBefore(releases, parseReleaseTag(tag, false) as Release)?.tag).toBe(before);
  });
});
