import { type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { OclError } from '../core/errors.ts';

const PIECE = 1 << 20;

/** Some bytes of an open file as a stream, in pieces of 1 MiB, the next being read while one is used. The file stays open. */
export class FileRange extends Readable {
  readonly #handle: FileHandle;
  #position: number;
  #left: number;

  /** @param length bytes; the file has that many after `position` */
  constructor(handle: FileHandle, position: number, length: number) {
    super({ highWaterMark: PIECE });
    this.#handle = handle;
    this.#position = position;
    this.#left = length;
  }

  override _read(): void {
    if (this.#left === 0) {
      this.push(null);
      return;
    }
    const bytes = Buffer.allocUnsafeSlow(Math.min(PIECE, this.#left));
    void this.#fill(bytes);
  }

  async #fill(bytes: Buffer): Promise<void> {
    try {
      const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, this.#position);
      if (bytesRead === 0) throw new OclError('OCL_ARCHIVE_INVALID', 'Cannot read the archive: it became shorter while it was read');
      this.#position += bytesRead;
      this.#left -= bytesRead;
      this.push(bytesRead === bytes.length ? bytes : bytes.subarray(0, bytesRead));
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
