import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { LIMITS } from '../core/limits.ts';
import { ZstdGuard } from './compressionZstd.ts';

/** zstd as far as the running Node has it; it came with 22.15. */
interface ZstdLibrary {
  createZstdDecompress(options: {
    readonly params: Readonly<Record<number, number>>;
    readonly chunkSize: number;
  }): Transform;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
}

const PIECE = 256 << 10;
/** fzstd gives all that a piece holds at once, and 4 bytes may hold 128 KiB. */
const PORTABLE_PIECE = 2 << 10;

/**
 * The content of a zstd stream, frame after frame.
 * @param input is counted up as bytes are taken in
 * @param check is told how many bytes came out, before they are handed on; throws when they are too many
 */
export function zstdContent(
  stream: Readable,
  input: { bytes: number },
  check: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  return 'createZstdDecompress' in zlib
    ? native(zlib as unknown as ZstdLibrary, stream, input, check)
    : portable(stream, input, check);
}

/** Node's decompressor stops after one frame without a word, so each frame gets one of its own. */
async function* native(
  library: ZstdLibrary,
  stream: Readable,
  input: { bytes: number },
  check: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const params = { [library.constants.ZSTD_d_windowLogMax]: Math.log2(LIMITS.zstdWindow) };
  const frames = new Frames(stream, input);
  while (await frames.hasMore()) {
    const decoder = library.createZstdDecompress({ params, chunkSize: PIECE });
    pipeline(Readable.from(frames.next(), { objectMode: false }), decoder, () => {});
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      check(chunk.length);
      yield chunk;
    }
  }
  frames.end();
}

/** A stream cut where its frames end. */
class Frames {
  readonly #guard = new ZstdGuard();
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #input: { bytes: number };
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: Readable, input: { bytes: number }) {
    this.#chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    this.#input = input;
  }

  async hasMore(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#rest = next.value;
      this.#input.bytes += next.value.length;
    }
    return true;
  }

  /** The bytes of the next frame. */
  async *next(): AsyncGenerator<Uint8Array> {
    while (await this.hasMore()) {
      const end = this.#guard.updateFrame(this.#rest, 0);
      const piece = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      yield piece;
      if (this.#guard.betweenFrames) return;
    }
  }

  end(): void {
    this.#guard.end();
  }
}

async function* portable(
  stream: Readable,
  input: { bytes: number },
  check: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  const guard = new ZstdGuard();
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => {
    check(chunk.length);
    if (chunk.length > 0) ready.push(chunk);
  });
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    guard.update(chunk);
    for (let at = 0; at < chunk.length; at += PORTABLE_PIECE) {
      const piece = chunk.subarray(at, at + PORTABLE_PIECE);
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
