import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { ZstdGuard } from './compressionZstd.ts';

/** `none` is everything that does not start like one of the others. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Bytes that `detectCompression` wants to see. */
export const COMPRESSION_HEAD = 6;

const MAGICS: readonly { readonly kind: Compression; readonly bytes: readonly number[] }[] = [
  { kind: 'gzip', bytes: [0x1f, 0x8b, 0x08] },
  { kind: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { kind: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];

/** How some content is compressed, by its first bytes; names and media types are not believed. */
export function detectCompression(head: Uint8Array): Compression {
  const found = MAGICS.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte));
  if (found !== undefined) return found.kind;
  // Writers that compress in parallel put skippable frames first (RFC 8878, 3.1.2).
  const skippable = head.length >= 4 && ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return skippable ? 'zstd' : 'none';
}

export interface DecompressOptions {
  /** Bytes that may come out; LIMITS.decompressedBytes when it is not said. */
  readonly limit?: number;
  /** Bytes out for each byte in, once LIMITS.decompressionFloor is passed. */
  readonly ratio?: number;
  /** Names the content in errors. */
  readonly what?: string;
}

/** zstd as far as the running Node has it; it came with 22.15. */
interface ZstdLibrary {
  createZstdDecompress(options: { readonly params: Readonly<Record<number, number>>; readonly chunkSize: number }): Transform;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

const PIECE = 256 << 10;
/** fzstd gives all that a piece holds at once, and 4 bytes may hold 128 KiB. */
const ZSTD_PIECE = 2 << 10;

/**
 * The content itself. Fails at the first byte beyond the bounds, so that a small file cannot fill memory or disk.
 * @throws OCL_ARCHIVE_INVALID (broken or cut off), OCL_LIMIT, OCL_UNSUPPORTED (bzip2, xz); all of them from the stream
 */
export function decompressStream(stream: Readable, kind: Compression, options: DecompressOptions = {}): Readable {
  return Readable.from(decompressed(stream, kind, options), { objectMode: false, highWaterMark: PIECE });
}

async function* decompressed(stream: Readable, kind: Compression, options: DecompressOptions): AsyncGenerator<Uint8Array> {
  const what = options.what ?? 'the compressed content';
  const limit = options.limit ?? LIMITS.decompressedBytes;
  const ratio = options.ratio ?? LIMITS.decompressionRatio;
  const input = { bytes: 0 };
  let output = 0;
  function check(count: number): void {
    output += count;
    if (output > limit) throw new OclError('OCL_LIMIT', `Cannot decompress ${what}: it gives more than ${limit} bytes`);
    if (kind !== 'none' && output > LIMITS.decompressionFloor && output > input.bytes * ratio) {
      throw new OclError('OCL_LIMIT', `Cannot decompress ${what}: it gives more than ${ratio} times its own size, like a decompression bomb`, {
        hint: 'when you trust it, decompress it with gzip -d or zstd -d first',
      });
    }
  }
  try {
    if (kind === 'zstd' && nodeZstd() === undefined) yield* portableZstd(stream, input, check);
    else {
      for await (const chunk of chunksOf(stream, kind, input, what)) {
        check(chunk.length);
        yield chunk;
      }
    }
  } catch (error) {
    if (error instanceof OclError || !isFormatError(error)) throw error;
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot decompress ${what}: ${(error as Error).message}`, { cause: error });
  } finally {
    stream.destroy();
  }
}

/** The faults of zlib and fzstd, which are about the content; those of the stream below keep their own code. */
function isFormatError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' || (typeof code === 'string' && /^(?:Z_|ZSTD_)/.test(code)) || error instanceof RangeError || error instanceof TypeError;
}

function chunksOf(stream: Readable, kind: Compression, input: { bytes: number }, what: string): AsyncIterable<Uint8Array> {
  switch (kind) {
    case 'none':
      return stream as AsyncIterable<Uint8Array>;
    case 'gzip':
      return through(stream, counter(input), zlib.createGunzip({ chunkSize: PIECE }));
    case 'zstd': {
      const library = nodeZstd();
      if (library === undefined) break;
      const params = { [library.constants.ZSTD_d_windowLogMax]: Math.log2(LIMITS.zstdWindow) };
      return through(stream, counter(input, new ZstdGuard()), library.createZstdDecompress({ params, chunkSize: PIECE }));
    }
    case 'bzip2':
    case 'xz':
  }
  throw new OclError('OCL_UNSUPPORTED', `Cannot decompress ${what}: ${kind} is not supported`, { hint: `decompress it with ${kind} -dk first` });
}

function nodeZstd(): ZstdLibrary | undefined {
  return 'createZstdDecompress' in zlib ? (zlib as unknown as ZstdLibrary) : undefined;
}

function through(stream: Readable, first: Transform, last: Transform): AsyncIterable<Uint8Array> {
  // A failure of any part destroys the last one with it, where the reader meets it.
  pipeline(stream, first, last, () => {});
  return last as AsyncIterable<Uint8Array>;
}

function counter(input: { bytes: number }, guard?: ZstdGuard): Transform {
  return new Transform({
    transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
      try {
        input.bytes += chunk.length;
        guard?.update(chunk);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done: TransformCallback): void {
      try {
        guard?.end();
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

async function* portableZstd(stream: Readable, input: { bytes: number }, check: (count: number) => void): AsyncGenerator<Uint8Array> {
  const guard = new ZstdGuard();
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    check(chunk.length);
    if (chunk.length > 0) ready.push(chunk);
  });
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    guard.update(chunk);
    for (let at = 0; at < chunk.length; at += ZSTD_PIECE) {
      const piece = chunk.subarray(at, at + ZSTD_PIECE);
      input.bytes += piece.length;
      // A copy: fzstd keeps what it cannot use yet, and whoever made the chunk may use it again.
      decoder.push(Uint8Array.from(piece));
      const out = ready;
      ready = [];
      yield* out;
    }
  }
  guard.end();
  decoder.push(new Uint8Array(0), true);
  yield* ready;
}
