import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALGORITHMS,
  isDigest,
  parseDigest,
  referrersTag,
  shortDigest,
  splitDigest,
  verifiableAlgorithm,
  type Digest,
} from '../../src/core/digest.ts';
import { isTag } from '../../src/core/reference.ts';
import { digestOf } from '../../src/io/verify.ts';
import { codeOf } from '../support/graphs.ts';

const a64 = 'a'.repeat(64);
const component = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const unknown = fc
  .tuple(
    component,
    fc.array(fc.tuple(fc.constantFrom('+', '.', '_', '-'), component), { maxLength: 3 }),
    fc.stringMatching(/^[a-zA-Z0-9=_-]{1,80}$/),
  )
  .map(([first, rest, encoded]): Digest => `${first}${rest.flat().join('')}:${encoded}`)
  .filter((digest) => verifiableAlgorithm(digest) === undefined);
const known = fc
  .tuple(fc.uint8Array({ maxLength: 50 }), fc.constantFrom(...ALGORITHMS))
  .map(([bytes, algorithm]) => digestOf(bytes, algorithm));

describe('digests', () => {
  it('are recognised, split and put together again', () => {
    fc.assert(
      fc.property(fc.oneof(known, unknown), (digest) => {
        expect(isDigest(digest)).toBe(true);
        const { algorithm, encoded } = splitDigest(parseDigest(digest));
        expect(`${algorithm}:${encoded}`).toBe(digest);
        expect(shortDigest(digest).startsWith(`${algorithm}:`)).toBe(true);
        expect(isTag(referrersTag(digest))).toBe(!/^[.-]/.test(algorithm));
      }),
    );
  });

  it('that are known have no other form', () => {
    fc.assert(
      fc.property(known, fc.nat(), (digest, at) => {
        const i = digest.indexOf(':') + 1 + (at % (digest.length - digest.indexOf(':') - 1));
        expect(isDigest(digest.slice(0, -1))).toBe(false);
        expect(isDigest(`${digest}0`)).toBe(false);
        expect(isDigest(`${digest.slice(0, i)}G${digest.slice(i + 1)}`)).toBe(false);
        expect(isDigest(` ${digest}`)).toBe(false);
        expect(isDigest(`${digest}\n`)).toBe(false);
      }),
    );
  });

  it.each([
    `sha256:${a64}`,
    `sha384:${'0'.repeat(96)}`,
    `sha512:${'f'.repeat(128)}`,
    `blake3:${a64}`,
    'md4:abc',
    'sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564=',
    'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
    'a.b_c-d:X',
  ])('are valid: %s', (text) => {
    expect(isDigest(text)).toBe(true);
  });

  it.each([
    '',
    ':',
    'sha256',
    'sha256:',
    `:${a64}`,
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'a'.repeat(65)}`,
    `sha512:${a64}`,
    `sha384:${a64}`,
    `blake3:${'F'.repeat(64)}`,
    `sha256:${'g'.repeat(64)}`,
    `SHA256:${a64}`,
    'sha256+foo+-b:x',
    'sha256..x:y',
    '+sha256:y',
    'sha256+:y',
    'x:a b',
    'x:a/b',
    'x:../../etc/passwd',
    '../x:y',
    'sha256:..%2f',
    'x:y:z',
    'x:\u0000',
    'x:é',
    `x:${'a'.repeat(511)}`,
  ])('are not: %j', async (text) => {
    expect(isDigest(text)).toBe(false);
    expect(await codeOf(() => parseDigest(text))).toBe('OCL_DOCUMENT_INVALID');
  });

  it.each([
    [`sha256:${a64}`, `sha256-${a64}`],
    [`sha512:${'b'.repeat(128)}`, `sha512-${'b'.repeat(64)}`],
    ['sha256+b64u:LCa0a2j_xo=', 'sha256-b64u-LCa0a2j_xo-'],
    [`${'a'.repeat(40)}:x`, `${'a'.repeat(32)}-x`],
  ] as const)('have a tag for their referrers: %s', (digest, tag) => {
    expect(referrersTag(digest)).toBe(tag);
  });
});
