import { type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import { OclError } from '../core/errors.ts';
import { lendPiece, retireSlab, SLAB_BYTES, takeSlab } from './slabPool.ts';

export interface FileRangeOptions {
  /** Bytes before the first one. */
  readonly start: number;
  /** Bytes; the file has that many from `start` on. */
  readonly length: number;
  /** The stream closes the file at its end. Otherwise who opened it does. */
  readonly owned: boolean;
}

/** Some bytes of an open file as a stream, in pieces of 1 MiB from the pool, the next being read while one is used. */
export class FileRange extends Readable {
  readonly #handle: FileHandle;
  readonly #owned: boolean;
  #position: number;
  #left: number;
  #reading: Promise<void> | undefined;

  constructor(handle: FileHandle, options: FileRangeOptions) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#handle = handle;
    this.#owned = options.owned;
    this.#position = options.start;
    this.#left = options.length;
  }

  override _read(): void {
    if (this.#left === 0) this.push(null);
    else this.#reading = this.#fill();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    callbackify(async () => await this.#release())((failure: Error | null) => done(error ?? failure));
  }

  /** A read that is under way still writes into its memory: the file is closed after it. */
  async #release(): Promise<void> {
    await this.#reading;
    if (this.#owned) await this.#handle.close();
  }

  async #fill(): Promise<void> {
    try {
      const bytes = this.#left < SLAB_BYTES ? await this.#readSmall() : await this.#readSlab();
      this.#position += bytes.length;
      this.#left -= bytes.length;
      this.push(bytes);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  async #readSlab(): Promise<Buffer> {
    const slab = takeSlab();
    const count = await this.#readInto(slab);
    const piece = lendPiece(slab, 0, count);
    retireSlab(slab);
    return piece;
  }

  async #readSmall(): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(this.#left);
    return bytes.subarray(0, await this.#readInto(bytes));
  }

  async #readInto(bytes: Buffer): Promise<number> {
    const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, this.#position);
    if (bytesRead === 0)
      throw new OclError('OCL_SIZE_MISMATCH', 'Cannot read the file to its end: it became shorter while it was read');
    return bytesRead;
  }
}
