import { describe, expect, it } from 'vitest';
import { lintPattern, TagFilter, type TagSet } from '../../src/sync/tagFilter.ts';

function set(given: Partial<TagSet>): TagSet {
  return { allow: [], deny: [], semverRange: [], newest: 0, newestBy: 'semver', since: undefined, ...given };
}

function choose(names: readonly string[], ...sets: Partial<TagSet>[]): readonly string[] {
  return new TagFilter(sets.map(set)).apply(names).names;
}

function matches(pattern: string, ...names: string[]): readonly string[] {
  return choose(names, { allow: [pattern] });
}

describe('patterns', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ['latest', ['latest'], ['latest-1', 'xlatest', 'Latest']],
    ['3\\.1.*', ['3.1', '3.10', '3.1-rc'], ['3.2', 'v3.1']],
    ['v1|v2', ['v1', 'v2', 'v1-foo', 'xv2'], ['xv1', 'v2-foo']],
    ['*-rc', ['1-rc', '-rc'], ['1-rc2', 'rc']],
    ['*', ['anything', 'x'], []],
    ['?', ['anything'], []],
    ['v1|', ['v1', 'anything'], []],
    ['', [], ['x', 'latest']],
    ['(?i)rc', ['rc', 'RC'], ['rc1']],
    ['(?P<n>a)b', ['ab'], ['b']],
    ['[[:alpha:]]+', ['abc'], ['a1']],
    ['\\pL+', ['abc'], ['a1']],
    ['\\Qa.b\\E', ['a.b'], ['axb']],
    ['alpine:.*', [], ['alpine', '3']],
  ])('%j', (pattern, yes, no) => {
    expect(matches(pattern, ...yes, ...no)).toEqual(yes);
  });

  it('matches the empty text with the empty pattern', () => {
    expect(matches('', '')).toEqual(['']);
  });

  it.each(['a++', '[', '(?=x)', '(?<=x)y', 'a{2}{3}', '(a)\\1', '('])('refuses %j', (pattern) => {
    expect(() => new TagFilter([set({ allow: [pattern] })])).toThrow(/^Cannot use the pattern /);
  });

  it('takes no exponential time', () => {
    expect(matches('(a*)*b', 'a'.repeat(100))).toEqual([]);
  });

  it.each<[string, string | undefined]>([
    ['latest', undefined],
    ['v(1|2)', undefined],
    ['[|]', undefined],
    ['[]|]x', undefined],
    ['a\\|b', undefined],
    ['\\Qa|b\\E', undefined],
    ['v1|v2', '"(v1|v2)"'],
    ['(a|b)|c', '"((a|b)|c)"'],
    ['*-rc', '".*-rc"'],
    ['*', '".*"'],
    ['a++', 'Cannot use the pattern "a++"'],
  ])('lint of %j', (pattern, expected) => {
    const message = lintPattern(pattern);
    if (expected === undefined) expect(message).toBeUndefined();
    else expect(message).toContain(expected);
  });
});

describe('sets', () => {
  const tags = ['latest', '1.0.0', '1.1.0', '1.1.0-rc1', '2.0.0', 'edge'];

  it('keeps everything without a set, and with an empty one', () => {
    expect(choose(tags)).toEqual(tags);
    expect(choose(tags, {})).toEqual(tags);
    expect(choose(tags, { allow: ['edge'] }, {})).toEqual(['edge', ...tags.filter((tag) => tag !== 'edge')]);
  });
  it('allows, then denies', () => {
    expect(choose(tags, { allow: ['1\\..*'], deny: ['.*-rc.*'] })).toEqual(['1.0.0', '1.1.0']);
    expect(choose(tags, { deny: ['[0-9].*'] })).toEqual(['latest', 'edge']);
  });
  it('unites in the order of the sets', () => {
    expect(choose(tags, { allow: ['2.*'] }, { allow: ['1\\.0.*', '2.*'] })).toEqual(['2.0.0', '1.0.0']);
  });
  it('asks for a version first: allow cannot bring back what is none', () => {
    expect(choose(tags, { semverRange: ['>=1.1.0'], allow: ['latest', '.*0'] })).toEqual(['1.1.0', '2.0.0']);
    expect(choose(tags, { semverRange: ['>=1.1.0'] }, { allow: ['latest'] })).toEqual(['1.1.0', '2.0.0', 'latest']);
  });
  it('takes ranges as alternatives, and terms as conditions', () => {
    expect(choose(tags, { semverRange: ['<1.1.0 >=1', '2.0.0', ''] })).toEqual(['1.0.0', '1.1.0-rc1', '2.0.0']);
    expect(choose(tags, { semverRange: ['', ' '] })).toEqual(tags);
  });
  it('names what regsync would choose otherwise', () => {
    const filtered = new TagFilter([set({ semverRange: ['>=1.0.0-rc.5'] })]).apply([
      '1.0.0-rc.2',
      '1.0.0-rc.11',
      '1.0.0',
    ]);
    expect(filtered).toEqual({ names: ['1.0.0-rc.11', '1.0.0'], differing: ['1.0.0-rc.2'] });
  });
});

describe('filters by age', () => {
  const DAY = 24 * 3_600_000;
  const now = Date.UTC(2026, 5, 30);
  const made: Readonly<Record<string, number>> = {
    old: 90,
    '1.2.0': 40,
    '1.10.0': 30,
    '1.9.0': 20,
    'v2.0.0-rc.1': 10,
    latest: 1,
  };
  const names = [...Object.keys(made), 'unknown'];
  async function aged(...sets: Partial<TagSet>[]): Promise<{ names: readonly string[]; asked: number }> {
    let asked = 0;
    const filtered = await new TagFilter(sets.map(set)).applyWithAges(names, {
      now: () => now,
      createdAt: (tag) => {
        asked++;
        const days = made[tag];
        return Promise.resolve(days === undefined ? undefined : now - days * DAY);
      },
    });
    return { names: filtered.names, asked };
  }

  it.each<[string, readonly Partial<TagSet>[], readonly string[], number]>([
    ['none', [{ allow: ['1.*'] }], ['1.2.0', '1.10.0', '1.9.0'], 0],
    ['the newest versions', [{ newest: 2 }], ['1.10.0', 'v2.0.0-rc.1'], 0],
    ['the newest versions of what is left', [{ newest: 2, deny: ['.*-rc.*'] }], ['1.10.0', '1.9.0'], 0],
    ['the newest by date', [{ newest: 2, newestBy: 'date' }], ['v2.0.0-rc.1', 'latest'], 7],
    ['more than there are', [{ newest: 99 }], ['1.2.0', '1.10.0', '1.9.0', 'v2.0.0-rc.1'], 0],
    ['since a while', [{ since: { ago: 25 * DAY } }], ['1.9.0', 'v2.0.0-rc.1', 'latest'], 7],
    ['since a date', [{ since: { at: now - 30 * DAY } }], ['1.10.0', '1.9.0', 'v2.0.0-rc.1', 'latest'], 7],
    ['both', [{ allow: ['1.*'], since: { ago: 35 * DAY }, newest: 1 }], ['1.10.0'], 3],
    ['several sets are united', [{ newest: 1, deny: ['.*rc.*'] }, { allow: ['latest'] }], ['1.10.0', 'latest'], 0],
  ])('%s', async (_, sets, expected, asked) => {
    expect(await aged(...sets)).toEqual({ names: expected, asked });
  });
});
