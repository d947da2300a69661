import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { ALGORITHMS } from '../../src/core/digest.ts';
import {
  blobPath,
  digestOf,
  embeddedData,
  readBounded,
  readVerified,
  verifying,
  verifyInto,
  verifyRest,
} from '../../src/io/verify.ts';
import { bytesOf, codeOf, noise, piece } from '../support/graphs.ts';

const WITNESS = { sha256, sha384, sha512, blake3 } as const;

/** A stream of the bytes in pieces of the given sizes. */
function streamOf(bytes: Uint8Array, sizes: readonly number[] = [1000]): Readable {
  function* cut(): Generator<Uint8Array> {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = Math.max(1, sizes[i % sizes.length] ?? 1);
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }
  return Readable.from(cut(), { objectMode: false });
}

describe('hashing', () => {
  it('agrees with another implementation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.constantFrom(...ALGORITHMS), (bytes, algorithm) => {
        expect(digestOf(bytes, algorithm)).toBe(
          `${algorithm}:${Buffer.from(WITNESS[algorithm](bytes)).toString('hex')}`,
        );
      }),
    );
  });

  it('gives the path of a blob', () => {
    expect(blobPath('sha256+b64u:a_b=')).toBe('blobs/sha256+b64u/a_b=');
  });
});

describe('verified streams', () => {
  it('let right content through, however it is cut, and wrong content never to its end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...ALGORITHMS),
        fc.constantFrom('right', 'flipped', 'cut', 'long'),
        async (bytes, sizes, algorithm, how) => {
          const { descriptor } = piece(bytes, 'x/y', algorithm);
          const sent = Buffer.from(bytes);
          if (how !== 'right' && how !== 'long' && bytes.length === 0) return;
          if (how === 'flipped') sent[bytes.length >> 1] = (sent[bytes.length >> 1] ?? 0) ^ 1;
          const flowing =
            how === 'cut' ? sent.subarray(1) : how === 'long' ? Buffer.concat([sent, Buffer.from('x')]) : sent;
          const expected = {
            right: 'none',
            flipped: 'OCL_DIGEST_MISMATCH',
            cut: 'OCL_SIZE_MISMATCH',
            long: 'OCL_SIZE_MISMATCH',
          }[how];
          const stream = streamOf(flowing, sizes);
          let written = 0;
          expect(await codeOf(() => verifyInto(stream, descriptor, (chunk) => void (written += chunk.length)))).toBe(
            expected,
          );
          expect(stream.destroyed).toBe(true);
          expect(written).toBeLessThanOrEqual(descriptor.size);
          expect(await codeOf(() => readVerified(streamOf(flowing, sizes), descriptor, 10_000))).toBe(expected);
          expect(await codeOf(async () => await buffer(verifying(streamOf(flowing, sizes), descriptor)))).toBe(
            expected,
          );
        },
      ),
    );
  });

  it('end at the first byte too many of an endless source', async () => {
    const chunk = noise(1 << 16, 1);
    let given = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          given++;
          yield chunk;
        }
      })(),
      { objectMode: false },
    );
    expect(await codeOf(() => verifyInto(endless, { mediaType: '', digest: digestOf(chunk), size: 100_000 }))).toBe(
      'OCL_SIZE_MISMATCH',
    );
    expect(given).toBeLessThan(50);
  });

  it('hold an algorithm that nobody knows to its size alone', async () => {
    const odd: Descriptor = { mediaType: '', digest: 'md4:abc', size: 3 };
    expect(await codeOf(() => verifyInto(streamOf(bytesOf('abc')), odd))).toBe('none');
    expect(await codeOf(() => verifyInto(streamOf(bytesOf('abcd')), odd))).toBe('OCL_SIZE_MISMATCH');
    expect(await codeOf(() => verifyInto(streamOf(bytesOf('ab')), odd))).toBe('OCL_SIZE_MISMATCH');
  });

  it('let go of their source when nobody reads them', async () => {
    const source = streamOf(noise(10, 1));
    const stream = verifying(source, piece(noise(10, 1), 'x/y').descriptor);
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.destroy();
    await closed;
    expect(source.destroyed).toBe(true);
  });

  it('are read within bounds only', async () => {
    const { descriptor, bytes } = piece(noise(100, 1), 'x/y');
    const refused = streamOf(bytes);
    expect(await codeOf(() => readVerified(refused, descriptor, 99))).toBe('OCL_LIMIT');
    expect(refused.destroyed).toBe(true);
    expect(await codeOf(() => readBounded(streamOf(bytes, [7]), 99, 'it'))).toBe('OCL_LIMIT');
    expect(Buffer.from(await readBounded(streamOf(bytes, [7]), 100, 'it')).equals(bytes)).toBe(true);
  });

  it('pass on the failure of their source as it is', async () => {
    const broken = new Readable({ read: () => void broken.destroy(new Error('the line is dead')) });
    await expect(verifyInto(broken, piece('x', 'x/y').descriptor)).rejects.toThrow('the line is dead');
  });
});

describe('a content whose beginning is here', () => {
  const large = { size: 9_000_000, algorithm: 'sha256' } as const;
  it.each([...ALGORITHMS.map((algorithm) => ({ size: 20_000, algorithm })), large])(
    'is verified as one of $size bytes with $algorithm, and only the rest is handed on',
    async ({ size, algorithm }) => {
      const { descriptor, bytes } = piece(noise(size, 3), 'x/y', algorithm);
      for (const at of [1, size >> 1, size]) {
        const written: Uint8Array[] = [];
        const rest = async (): Promise<Readable> => streamOf(bytes.subarray(at), [100_000]);
        const write = (chunk: Uint8Array): void => void written.push(Buffer.from(chunk));
        await verifyRest(streamOf(bytes.subarray(0, at), [300_000]), rest, descriptor, write);
        expect(Buffer.concat(written).equals(bytes.subarray(at))).toBe(true);
      }
    },
  );

  const { descriptor, bytes } = piece(noise(5000, 4), 'x/y');
  const wrong = noise(5000, 5);
  it.each([
    ['the beginning is wrong', wrong.subarray(0, 2000), bytes.subarray(2000), 'OCL_DIGEST_MISMATCH'],
    ['the rest is wrong', bytes.subarray(0, 2000), wrong.subarray(2000), 'OCL_DIGEST_MISMATCH'],
    ['the rest is short', bytes.subarray(0, 2000), bytes.subarray(2001), 'OCL_SIZE_MISMATCH'],
    ['the rest is the whole', bytes.subarray(0, 2000), bytes, 'OCL_SIZE_MISMATCH'],
  ])('is refused when %s', async (_, start, rest, code) => {
    const streams = [streamOf(start), streamOf(rest)] as const;
    expect(
      await codeOf(() =>
        verifyRest(
          streams[0],
          async () => streams[1],
          descriptor,
          () => {},
        ),
      ),
    ).toBe(code);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('is not asked for while its beginning is too long or cannot be read', async () => {
    let asked = 0;
    const rest = async (): Promise<Readable> => {
      asked++;
      return streamOf(bytes);
    };
    const broken = new Readable({ read: () => void broken.destroy(new Error('the disk is dead')) });
    await expect(verifyRest(broken, rest, descriptor, () => {})).rejects.toThrow('the disk is dead');
    expect(await codeOf(() => verifyRest(streamOf(Buffer.concat([bytes, bytes])), rest, descriptor, () => {}))).toBe(
      'OCL_SIZE_MISMATCH',
    );
    expect(asked).toBe(0);
  });
});

describe('embedded content', () => {
  const { descriptor, bytes } = piece('hello', 'text/plain');
  it.each([
    ['none', undefined, 'none'],
    ['right', Buffer.from(bytes).toString('base64'), 'none'],
    ['another of that length', Buffer.from('jello').toString('base64'), 'OCL_DIGEST_MISMATCH'],
    ['shorter', Buffer.from('hell').toString('base64'), 'OCL_SIZE_MISMATCH'],
    ['longer', Buffer.from('hello!').toString('base64'), 'OCL_SIZE_MISMATCH'],
    ['empty', '', 'OCL_SIZE_MISMATCH'],
    ['no base64', '%%%%', 'OCL_SIZE_MISMATCH'],
  ])('is believed when it is right: %s', async (_, data, code) => {
    expect(await codeOf(() => embeddedData({ ...descriptor, data }))).toBe(code);
  });

  it('agrees with Node on what sha256 is', () => {
    expect(descriptor.digest).toBe(`sha256:${createHash('sha256').update('hello').digest('hex')}`);
  });
});
