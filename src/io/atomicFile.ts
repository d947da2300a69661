import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import fsExtra from 'fs-extra';
import { systemCode } from '../core/errors.ts';
import { givePiece } from './slabPool.ts';

const FLUSH_EVERY = 64 << 20;

/** A file that nobody sees before it is whole: written under a name of its own, made durable, then renamed. */
export class TemporaryFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #position = 0;
  #flushed = 0;
  #flushing: Promise<void> | undefined;
  #closed = false;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /**
   * @param directory exists, and is on the file system of the final place
   * @param mode the file's mode before the umask
   */
  static async create(directory: string, mode: number): Promise<TemporaryFile> {
    const path = join(directory, `${process.pid}-${randomBytes(8).toString('hex')}.tmp`);
    return new TemporaryFile(path, await open(path, 'wx', mode));
  }

  /** Appends, and gives the memory of the chunk back to the pool that it may be from. The disk is set to work every 64 MiB, so that little is left to wait for at the end. */
  async write(chunk: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < chunk.length) {
      const { bytesWritten } = await this.#handle.write(chunk, offset, chunk.length - offset, this.#position);
      offset += bytesWritten;
      this.#position += bytesWritten;
    }
    givePiece(chunk);
    if (this.#position - this.#flushed >= FLUSH_EVERY && this.#flushing === undefined) {
      this.#flushed = this.#position;
      this.#flushing = this.#handle.datasync().finally(() => {
        this.#flushing = undefined;
      });
      this.#flushing.catch(() => {}); // the closing sync reports it
    }
  }

  /** Makes the content durable and gives it its name. The directory entry is durable after `syncDirectory`. */
  async moveTo(path: string): Promise<void> {
    await this.#flushing?.catch(() => {});
    await this.#handle.sync();
    await this.#close();
    await rename(this.path, path);
  }

  /** Removes what was written. Safe to call at any time, also after `moveTo`. */
  async discard(): Promise<void> {
    await this.#flushing?.catch(() => {});
    await this.#close();
    await rm(this.path, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }
}

/** Replaces a small file as a whole: readers see the old or the new content, never a part. */
export async function writeFileAtomic(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes the names in a directory durable. Systems that cannot sync a directory (Windows) do it by themselves. */
export async function syncDirectory(path: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY);
    await handle.sync();
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EINVAL' && code !== 'EACCES') throw error;
  } finally {
    await handle?.close();
  }
}

/** The directory with all its parents. */
export async function makeDirectory(path: string): Promise<void> {
  await fsExtra.ensureDir(path);
}
