import { type FileHandle } from 'node:fs/promises';

/** Bytes after which the disk is set to work, so that little is left to wait for at the end. */
const FLUSH_EVERY = 64 << 20;
/** Files whose disk is set to work at once. Each holds one of the four threads that Node writes with, and the others have to go on. */
const AT_ONCE = 2;
let running = 0;

/** Has the disk take what was written to a file while more is written, and keeps what it says of that. */
export class Flushing {
  readonly #handle: FileHandle;
  #unflushed = 0;
  #current: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Bytes that were written just now. */
  written(bytes: number): void {
    this.#unflushed += bytes;
    if (this.#unflushed < FLUSH_EVERY || this.#current !== undefined || running >= AT_ONCE) return;
    this.#unflushed = 0;
    running++;
    this.#current = this.#handle
      .datasync()
      .catch((error: unknown) => {
        // The system tells of bytes that it could not write once, and not again in the sync at the end.
        this.#failure ??= { error };
      })
      .finally(() => {
        running--;
        this.#current = undefined;
      });
  }

  /** Waits for what is under way, whatever comes of it: the file can be closed then. */
  async idle(): Promise<void> {
    await this.#current;
  }

  /** The same before a file is used. @throws what the disk said of earlier bytes */
  async settled(): Promise<void> {
    await this.#current;
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
