import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

const FRAME_MAGIC = 0xfd2fb528;
const MAX_BLOCK = 128 << 10;

type Step = 'magic' | 'descriptor' | 'header' | 'block' | 'skippable';

/**
 * Walks along the frames of a zstd stream (RFC 8878, 3.1) without decompressing them: a frame may ask its reader for a window of
 * terabytes, and that has to be refused before the decompressor obeys.
 */
export class ZstdGuard {
  #step: Step = 'magic';
  #need = 4;
  #have: number[] = [];
  /** Bytes of block content or checksum that are of no interest. */
  #skip = 0;
  #descriptor = 0;
  #frames = 0;

  /** @throws OCL_ARCHIVE_INVALID, OCL_LIMIT (window), OCL_UNSUPPORTED (dictionary) */
  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) at = this.updateFrame(chunk, at);
  }

  /** As `update` from an offset of the chunk, but no further than the end of a frame. Answers the offset after what was taken. */
  updateFrame(chunk: Uint8Array, start: number): number {
    let at = start;
    do {
      if (this.#skip > 0) {
        const count = Math.min(this.#skip, chunk.length - at);
        this.#skip -= count;
        at += count;
      } else {
        this.#have.push(chunk[at] ?? 0);
        at++;
        if (this.#have.length === this.#need) this.#take();
      }
    } while (at < chunk.length && !this.betweenFrames);
    return at;
  }

  /** Whether a frame just ended, or none has begun. */
  get betweenFrames(): boolean {
    return this.#step === 'magic' && this.#have.length === 0 && this.#skip === 0;
  }

  /** @throws OCL_ARCHIVE_INVALID when the stream ends inside a frame */
  end(): void {
    if (!this.betweenFrames || this.#frames === 0) throw invalid('it is cut off');
  }

  #take(): void {
    const bytes = this.#have;
    this.#have = [];
    switch (this.#step) {
      case 'magic':
        return this.#takeMagic(number(bytes, 0, 4));
      case 'skippable':
        this.#skip = number(bytes, 0, 4);
        return this.#next('magic', 4);
      case 'descriptor':
        return this.#takeDescriptor(bytes[0] ?? 0);
      case 'header':
        return this.#takeHeader(bytes);
      case 'block':
        return this.#takeBlock(number(bytes, 0, 3));
    }
  }

  #next(step: Step, need: number): void {
    this.#step = step;
    this.#need = need;
  }

  #takeMagic(magic: number): void {
    if (magic === FRAME_MAGIC) return this.#next('descriptor', 1);
    if (magic >>> 4 === 0x184d2a5) return this.#next('skippable', 4);
    throw invalid(this.#frames === 0 ? 'it does not start like one' : 'there is something after its last frame');
  }

  #takeDescriptor(descriptor: number): void {
    if ((descriptor & 0x08) !== 0) throw invalid('a reserved bit is set');
    this.#descriptor = descriptor;
    const { single, dictionary, content } = fields(descriptor);
    this.#next('header', (single ? 0 : 1) + dictionary + content);
  }

  #takeHeader(bytes: readonly number[]): void {
    const { single, dictionary, content } = fields(this.#descriptor);
    const first = single ? 0 : 1;
    if (number(bytes, first, dictionary) !== 0)
      throw new OclError('OCL_UNSUPPORTED', 'Cannot decompress the zstd stream: it needs a dictionary');
    const window = single
      ? number(bytes, first + dictionary, content) + (content === 2 ? 256 : 0)
      : windowSize(bytes[0] ?? 0);
    if (window > LIMITS.zstdWindow) {
      throw new OclError(
        'OCL_LIMIT',
        `Cannot decompress the zstd stream: it asks for ${window} bytes of memory, and ${LIMITS.zstdWindow} are accepted`,
        {
          hint: 'when you trust it, decompress it with zstd -d --long=31 first',
        },
      );
    }
    this.#next('block', 3);
  }

  #takeBlock(header: number): void {
    const last = (header & 1) !== 0;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type === 3 || size > MAX_BLOCK) throw invalid('a block is malformed');
    this.#skip = type === 1 ? 1 : size;
    if (!last) return this.#next('block', 3);
    this.#frames++;
    if ((this.#descriptor & 0x04) !== 0) this.#skip += 4;
    this.#next('magic', 4);
  }
}

function fields(descriptor: number): {
  readonly single: boolean;
  readonly dictionary: number;
  readonly content: number;
} {
  const single = (descriptor & 0x20) !== 0;
  const flag = descriptor >>> 6;
  return { single, dictionary: [0, 1, 2, 4][descriptor & 3] ?? 0, content: flag === 0 ? (single ? 1 : 0) : 1 << flag };
}

function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >>> 3));
  return base + (base / 8) * (byte & 7);
}

/** Little-endian; beyond 2^53 it is not exact, and far too large in any case. */
function number(bytes: readonly number[], at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

function invalid(why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot decompress the zstd stream: ${why}`);
}
