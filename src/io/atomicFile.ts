import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Readable } from 'node:stream';
import fsExtra from 'fs-extra';
import { OclError, systemCode } from '../core/errors.ts';
import { FileRange } from './fileRange.ts';
import { Flushing } from './flushing.ts';
import { givePiece } from './slabPool.ts';

/** A file that nobody sees before it is whole: written under a name of its own, made durable, then renamed. */
export class TemporaryFile {
  readonly path: string;
  readonly #handle: FileHandle;
  /** What to set at the end, where it is not what the file has. */
  readonly #finalMode: number | undefined;
  readonly #flushing: Flushing;
  #position: number;
  #closed = false;

  private constructor(path: string, handle: FileHandle, before: { size: number; finalMode?: number } = { size: 0 }) {
    this.path = path;
    this.#handle = handle;
    this.#position = before.size;
    this.#flushing = new Flushing(handle);
    this.#finalMode = before.finalMode;
  }

  /**
   * @param directory exists, and is on the file system of the final place
   * @param mode the file's mode before the umask
   */
  static async create(
    directory: string,
    mode: number,
    name = `${process.pid}-${randomBytes(8).toString('hex')}.tmp`,
  ): Promise<TemporaryFile> {
    const path = join(directory, name);
    return new TemporaryFile(path, await open(path, 'wx', mode));
  }

  /**
   * Goes on with a file that an earlier process left, at its end. The file may have become read-only, and is so when it is finished.
   * @throws OCL_UNSAFE when it is a link, has further names or is no regular file
   */
  static async resume(path: string): Promise<TemporaryFile> {
    const finalMode = await makeWritable(path);
    const handle = await open(path, constants.O_RDWR | NOT_ELSEWHERE);
    try {
      const { size } = await soleFile(handle, path);
      return new TemporaryFile(path, handle, { size, finalMode });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes written so far, those of earlier processes included. */
  get size(): number {
    return this.#position;
  }

  /** What was written so far. Nothing may be written before its end. */
  read(): Readable {
    return new FileRange(this.#handle, { start: 0, length: this.#position, owned: false });
  }

  /** Appends, and gives the memory of the chunk back to the pool that it may be from. */
  async write(chunk: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < chunk.length) {
      const { bytesWritten } = await this.#handle.write(chunk, offset, chunk.length - offset, this.#position);
      offset += bytesWritten;
      this.#position += bytesWritten;
    }
    givePiece(chunk);
    this.#flushing.written(chunk.length);
  }

  /** Makes the content durable and gives it its name. The directory entry is durable after `syncDirectory`. */
  async moveTo(path: string): Promise<void> {
    await this.#flushing.settled();
    if (this.#finalMode !== undefined) await this.#handle.chmod(this.#finalMode);
    await this.#handle.sync();
    await this.#close();
    await rename(this.path, path);
  }

  /** Leaves what was written so far to whoever goes on, under a name of its own. It need not have reached the disk. */
  async leaveAs(path: string): Promise<void> {
    await this.#flushing.settled();
    await this.#close();
    await rename(this.path, path);
  }

  /** Removes what was written. Safe to call at any time, also after `moveTo`. */
  async discard(): Promise<void> {
    await this.#flushing.idle();
    await this.#close();
    await rm(this.path, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }
}

const NOT_ELSEWHERE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Lets the owner write to a file that was made read-only. Answers the mode without any right to write. */
async function makeWritable(path: string): Promise<number> {
  const handle = await open(path, constants.O_RDONLY | NOT_ELSEWHERE);
  try {
    const { mode } = await soleFile(handle, path);
    if ((mode & 0o200) === 0) await handle.chmod((mode & 0o777) | 0o200);
    return mode & 0o555;
  } finally {
    await handle.close();
  }
}

/** Through a further name what is written would appear elsewhere. */
async function soleFile(handle: FileHandle, path: string): Promise<Stats> {
  const stats = await handle.stat();
  if (stats.isFile() && stats.nlink === 1) return stats;
  throw new OclError('OCL_UNSAFE', `Cannot go on with ${path}: it is no regular file of its own`);
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

/**
 * The directory with all its parents, one after the other: Node's own recursive way never ends below /proc, where nothing can be made.
 * @param mode of those that are made, before the umask
 * @returns those that were made, the deepest first
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<readonly string[]> {
  const made: string[] = [];
  for (let tries = 1; ; tries++) {
    try {
      await makeMissing(path, mode, made);
      return made.toReversed();
    } catch (error) {
      // Somebody who tidies up may take away an empty parent in between.
      if (systemCode(error) !== 'ENOENT' || tries >= TRIES) throw error;
    }
  }
}

const TRIES = 20;

async function makeMissing(path: string, mode: number, made: string[]): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await fsExtra.pathExists(at)); at = dirname(at)) missing.push(at);
  for (const directory of missing.length === 0 ? [path] : missing.toReversed()) {
    try {
      await mkdir(directory, mode);
      made.push(directory);
    } catch (error) {
      // Somebody else may have made it meanwhile.
      if (systemCode(error) !== 'EEXIST' || !(await stat(directory)).isDirectory()) throw error;
    }
  }
}
