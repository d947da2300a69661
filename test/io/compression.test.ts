import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCode, OclError } from '../../src/core/errors.ts';
import {
  decompressStream,
  detectCompression,
  type Compression,
  type DecompressOptions,
} from '../../src/io/compression.ts';
import { ZstdGuard } from '../../src/io/compressionZstd.ts';
import { peer } from '../support/peers.ts';

const zstd = peer('zstd');

function pieces(bytes: Uint8Array, size: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
    })(),
    { objectMode: false },
  );
}

async function decompress(
  bytes: Uint8Array,
  kind: Compression,
  size = 65536,
  options: DecompressOptions = {},
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of decompressStream(pieces(bytes, size), kind, options)) parts.push(chunk as Uint8Array);
  return Buffer.concat(parts);
}

async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
    return 'none';
  } catch (error) {
    return error instanceof OclError ? error.code : `not an OclError: ${String(error)}`;
  }
}

function zstdOf(bytes: Uint8Array, ...args: string[]): Buffer {
  const { stdout, status } = spawnSync('zstd', ['-q', '-c', ...args], { input: bytes, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error('zstd failed');
  return stdout;
}

const compressible = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(400)))
  .map((runs) => Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

describe('gzip', () => {
  it('gives back the content, in pieces of any size and in any number of members', async () => {
    await fc.assert(
      fc.asyncProperty(compressible, compressible, fc.integer({ min: 1, max: 5000 }), async (a, b, size) => {
        const zipped = Buffer.concat([gzipSync(a), gzipSync(b)]);
        expect((await decompress(zipped, 'gzip', size)).equals(Buffer.concat([a, b]))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('stops at the bound, and at what grows too much', async () => {
    const zipped = gzipSync(Buffer.alloc(1 << 20));
    expect(await codeOf(decompress(zipped, 'gzip', 100, { limit: (1 << 20) - 1 }))).toBe('OCL_LIMIT');
    expect(await codeOf(decompress(zipped, 'gzip', 100, { limit: 1 << 20 }))).toBe('none');
    expect(await codeOf(decompress(gzipSync(Buffer.alloc(260 << 20)), 'gzip'))).toBe('OCL_LIMIT');
    expect(await codeOf(decompress(Buffer.alloc(100), 'none', 10, { limit: 99 }))).toBe('OCL_LIMIT');
  });

  it('is refused when it is cut or altered', async () => {
    const zipped = gzipSync(Buffer.from('hello world'.repeat(100)));
    for (let at = 0; at < zipped.length; at++) {
      expect([at, await codeOf(decompress(zipped.subarray(0, at), 'gzip'))]).toEqual([at, 'OCL_ARCHIVE_INVALID']);
    }
    const altered = Buffer.from(zipped);
    altered[altered.length - 6] = (altered[altered.length - 6] ?? 0) ^ 1;
    expect(await codeOf(decompress(altered, 'gzip'))).toBe('OCL_ARCHIVE_INVALID');
  });

  it('hands on the failure of the stream below as it is', async () => {
    const broken = new Readable({
      read() {
        this.destroy(new OclError('OCL_UNREACHABLE', 'Cannot read on: the line is dead'));
      },
    });
    const out = decompressStream(broken, 'gzip');
    await expect(async () => {
      for await (const chunk of out) expect(chunk).toBeUndefined();
    }).rejects.toSatisfy((error) => isCode(error, 'OCL_UNREACHABLE'));
  });

  it('lets the stream below go when nobody reads on', async () => {
    const below = pieces(gzipSync(Buffer.alloc(1 << 24, 'x')), 100);
    const out = decompressStream(below, 'gzip');
    for await (const chunk of out) {
      expect(chunk).toBeDefined();
      break;
    }
    expect(below.destroyed).toBe(true);
  });
});

describe.skipIf(zstd.missing)(`zstd${zstd.note}`, () => {
  it('gives back the content, in pieces of any size and any number of frames', async () => {
    await fc.assert(
      fc.asyncProperty(
        compressible,
        compressible,
        fc.integer({ min: 1, max: 5000 }),
        fc.constantFrom('-1', '-19', '--fast', '--no-check'),
        async (a, b, size, level) => {
          const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
          const packed = Buffer.concat([zstdOf(a, level), skippable, zstdOf(b, level)]);
          expect((await decompress(packed, 'zstd', size)).equals(Buffer.concat([a, b]))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('gives back much content, and content of no pattern', async () => {
    const bytes = Buffer.alloc(20 << 20);
    let state = 1;
    for (let i = 0; i < bytes.length; i++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      bytes[i] = i % 3000 < 1500 ? state >>> 16 : i % 251;
    }
    for (const args of [['-3'], ['-19', '--long=24'], ['-T2', '-1']])
      expect((await decompress(zstdOf(bytes, ...args), 'zstd')).equals(bytes)).toBe(true);
  });

  it('is refused when it is cut, wants too much memory, or goes on after its end', async () => {
    const packed = zstdOf(Buffer.from('hello world'.repeat(1000)));
    for (let at = 1; at < packed.length; at++)
      expect([at, await codeOf(decompress(packed.subarray(0, at), 'zstd'))]).toEqual([at, 'OCL_ARCHIVE_INVALID']);
    expect(await codeOf(decompress(Buffer.concat([packed, Buffer.from('x')]), 'zstd'))).toBe('OCL_ARCHIVE_INVALID');
    expect(await codeOf(decompress(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3, 1, 0, 0]), 'zstd'))).toBe(
      'OCL_LIMIT',
    );
    expect(await codeOf(decompress(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x38, 7, 1, 0, 0]), 'zstd'))).toBe(
      'OCL_UNSUPPORTED',
    );
  });

  it('is walked along without being decompressed', () => {
    const packed = zstdOf(Buffer.alloc(3 << 20, 'abc'));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
        const guard = new ZstdGuard();
        for (let at = 0; at < packed.length; at += size) guard.update(packed.subarray(at, at + size));
        expect(() => guard.end()).not.toThrow();
      }),
    );
  });
});

describe('the kind of compression', () => {
  it('is told by the first bytes', () => {
    expect(detectCompression(gzipSync(''))).toBe('gzip');
    expect(detectCompression(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))).toBe('zstd');
    expect(detectCompression(Buffer.from([0x50, 0x2a, 0x4d, 0x18]))).toBe('zstd');
    expect(detectCompression(Buffer.from('BZh91AY'))).toBe('bzip2');
    expect(detectCompression(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]))).toBe('xz');
    for (const other of ['', 'oci-layout', '\u001f']) expect(detectCompression(Buffer.from(other))).toBe('none');
  });

  it('that is not supported is refused with what to do', async () => {
    await expect(decompress(Buffer.from('BZh9'), 'bzip2')).rejects.toMatchObject({
      code: 'OCL_UNSUPPORTED',
      hint: expect.stringContaining('bzip2 -dk'),
    });
  });
});
