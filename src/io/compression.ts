import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { zstdContent } from './compressionZstdStream.ts';
import { readBounded } from './verify.ts';

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
  const skippable =
    head.length >= 4 && ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
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

/** Small bytes packed at once; the same bytes always give the same, but for the number of the system in the header. */
export async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  return await promisify(zlib.gzip)(bytes, { level: 9 });
}

/** The whole of what `gzip` packed. @throws OCL_ARCHIVE_INVALID, OCL_LIMIT for more than `limit` bytes */
export async function gunzip(bytes: Uint8Array, limit: number, what: string): Promise<Uint8Array> {
  const packed = Readable.from([bytes], { objectMode: false });
  return await readBounded(decompressStream(packed, 'gzip', { limit, what }), limit, what);
}

const PIECE = 256 << 10;
/**
 * The content itself. Fails at the first byte beyond the bounds, so that a small file cannot fill memory or disk.
 * @throws OCL_ARCHIVE_INVALID (broken or cut off), OCL_LIMIT, OCL_UNSUPPORTED (bzip2, xz); all of them from the stream
 */
export function decompressStream(stream: Readable, kind: Compression, options: DecompressOptions = {}): Readable {
  return Readable.from(decompressed(stream, kind, options), { objectMode: false, highWaterMark: PIECE });
}

async function* decompressed(
  stream: Readable,
  kind: Compression,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  const what = options.what ?? 'the compressed content';
  const limit = options.limit ?? LIMITS.decompressedBytes;
  const ratio = options.ratio ?? LIMITS.decompressionRatio;
  const input = { bytes: 0 };
  let output = 0;
  function check(count: number): void {
    output += count;
    if (output > limit) throw new OclError('OCL_LIMIT', `Cannot decompress ${what}: it gives more than ${limit} bytes`);
    if (kind !== 'none' && output > LIMITS.decompressionFloor && output > input.bytes * ratio) {
      throw new OclError(
        'OCL_LIMIT',
        `Cannot decompress ${what}: it gives more than ${ratio} times its own size, like a decompression bomb`,
        {
          hint: 'when you trust it, decompress it with gzip -d or zstd -d first',
        },
      );
    }
  }
  try {
    if (kind === 'zstd') yield* zstdContent(stream, input, check);
    else {
      for await (const chunk of chunksOf(stream, kind, input, what)) {
        check(chunk.length);
        yield chunk;
      }
    }
  } catch (error) {
    if (error instanceof OclError || !isFormatError(error)) throw error;
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot decompress ${what}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    stream.destroy();
  }
}

/** The faults of zlib and fzstd, which are about the content; those of the stream below keep their own code. */
function isFormatError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return (
    typeof code === 'number' ||
    (typeof code === 'string' && /^(?:Z_|ZSTD_)/.test(code)) ||
    error instanceof RangeError ||
    error instanceof TypeError
  );
}

function chunksOf(
  stream: Readable,
  kind: Exclude<Compression, 'zstd'>,
  input: { bytes: number },
  what: string,
): AsyncIterable<Uint8Array> {
  if (kind === 'none') return stream as AsyncIterable<Uint8Array>;
  if (kind === 'gzip') {
    const unpacked = zlib.createGunzip({ chunkSize: PIECE });
    // A failure of any part destroys the last one with it, where the reader meets it.
    pipeline(stream, counter(input), unpacked, () => {});
    return unpacked as AsyncIterable<Uint8Array>;
  }
  throw new OclError('OCL_UNSUPPORTED', `Cannot decompress ${what}: ${kind} is not supported`, {
    hint: `decompress it with ${kind} -dk first`,
  });
}

function counter(input: { bytes: number }): Transform {
  return new Transform({
    transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
      input.bytes += chunk.length;
      done(null, chunk);
    },
  });
}
