import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../../src/stores/registry/auth/challenge.ts';

function plain(values: readonly string[]): unknown {
  return parseChallenges(values).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);
}

describe('challenges', () => {
  it.each([
    [
      'Docker Hub',
      [
        'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
      ],
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/alpine:pull',
          },
        ],
      ],
    ],
    [
      'commas in quotes',
      ['Bearer realm="https://a/t",scope="repository:x:pull,push"'],
      [['bearer', { realm: 'https://a/t', scope: 'repository:x:pull,push' }]],
    ],
    ['any case', ['BEARER Realm="https://a/t", SERVICE=b'], [['bearer', { realm: 'https://a/t', service: 'b' }]]],
    [
      'two in one value',
      ['Basic realm="a, b", Bearer realm="https://a/t"'],
      [
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'https://a/t' }],
      ],
    ],
    [
      'two values',
      ['Negotiate', 'Basic realm="x"'],
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'no parameters between others',
      ['Negotiate, Basic realm="x", NTLM'],
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
        ['ntlm', {}],
      ],
    ],
    [
      'a bare token',
      ['Negotiate YIIabc+/==, Basic realm=x'],
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['escapes', [String.raw`Basic realm="say \"hi\" \\ there"`], [['basic', { realm: String.raw`say "hi" \ there` }]]],
    [
      'spaces around',
      ['  Bearer   realm = "https://a/t" , service = "s"  '],
      [['bearer', { realm: 'https://a/t', service: 's' }]],
    ],
    ['empty elements', [',, Basic realm="x",,,scope="y"'], [['basic', { realm: 'x', scope: 'y' }]]],
    ['the first of two equal names', ['Basic realm="a", realm="b"'], [['basic', { realm: 'a' }]]],
    ['unquoted URL', ['Bearer realm=https://a/t,service=s'], [['bearer', { realm: 'https://a/t', service: 's' }]]],
    ['nothing', ['', '"', '=', ',', '=x'], []],
  ])('%s', (_name, values, expected) => expect(plain(values)).toEqual(expected));

  it('keeps what came before an open quote', () => {
    expect(parseChallenges(['Basic realm="ok", Bearer realm="open'])[0]).toMatchObject({ scheme: 'basic' });
    expect(
      parseChallenges(['Basic realm="ok", Bearer realm="open'])
        .find(({ scheme }) => scheme === 'bearer')
        ?.params.has('realm'),
    ).toBe(false);
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
  const challenge = fc.record({
    scheme: name,
    params: fc.dictionary(name, fc.string({ maxLength: 30 }), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
  });

  it('reads back whatever was written in quotes', () => {
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const value = challenges
          .map(
            ({ scheme, params }) =>
              `${scheme} ${Object.entries(params)
                .map(([key, text]) => `${key}="${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`)
                .join(', ')}`,
          )
          .join(', ');
        expect(
          parseChallenges([value]).map(({ scheme, params }) => ({ scheme, params: Object.fromEntries(params) })),
        ).toEqual(challenges);
      }),
    );
  });

  it('never fails and never takes long, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 200 }), { maxLength: 5 }), (values) =>
        Array.isArray(parseChallenges(values)),
      ),
    );
    for (const text of [
      'a'.repeat(1e6),
      'a='.repeat(1e5),
      '"'.repeat(1e5),
      'a "'.repeat(1e5),
      `Basic realm="${'\\'.repeat(1e5)}`,
      ', '.repeat(1e5),
      'a, '.repeat(1e5),
    ]) {
      expect(parseChallenges([text]).length).toBeLessThanOrEqual(16);
    }
  });
});
