import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { Flushing } from '../../io/flushing.ts';
import { isAbandoned, ownerMark } from '../../io/ownerMark.ts';

/** Milliseconds after which nobody of another host is believed to go on. */
const ABANDONED = 3_600_000;

/** A file that is written at many places, and gets its name when it is whole. */
export class PartialFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #flushing: Flushing;
  #closed = false;
  /** The write before. The system lets one at a time into a file, and those that wait there hold a thread or spin. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#flushing = new Flushing(handle);
  }

  /** @param size bytes; what is never written reads as zeros */
  static async create(path: string, size: number): Promise<PartialFile> {
    const temporary = temporaryName(path);
    const file = new PartialFile(path, temporary, await open(temporary, 'wx', 0o666));
    try {
      await file.#handle.truncate(size);
      return file;
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    const turn = this.#turn.then(async () => await this.#write(parts, position));
    this.#turn = turn.catch(() => {});
    await turn;
  }

  async #write(parts: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#closed) throw new OclError('OCL_CANCELLED', `Cannot write the archive ${this.path}: it was closed`);
    let rest = parts;
    let at = position;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest, at);
      at += bytesWritten;
      rest = without(rest, bytesWritten);
      this.#flushing.written(bytesWritten);
    }
  }

  /** Brings all that was written to the disk. */
  async sync(): Promise<void> {
    await this.#flushing.settled();
    await this.#handle.sync();
    await this.#close();
  }

  /** Gives it its name, after `sync`. The name is durable after `syncDirectory`. */
  async reveal(): Promise<void> {
    await rename(this.#temporary, this.path);
  }

  /** Removes what was written. Does nothing after `reveal`. */
  async discard(): Promise<void> {
    await this.#flushing.idle();
    await this.#close();
    await rm(this.#temporary, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#handle.close();
  }
}

/** What is left of some parts after their first bytes. */
function without(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (left >= part.length) left -= part.length;
    else {
      rest.push(left === 0 ? part : part.subarray(left));
      left = 0;
    }
  }
  return rest;
}

/** Who writes stands in the name. */
function temporaryName(path: string): string {
  return `${path}.${ownerMark()}-${randomBytes(4).toString('hex')}.partial`;
}

const TEMPORARY = /^(.+)\.(\d+-[0-9a-f]{8}-\d+)-[0-9a-f]{8}\.partial$/;

/**
 * Removes what killed processes left of a file: a whole archive's bytes, which nobody would look for. What a process of another host
 * writes on the same disk is young.
 * @param isOurs tells by the name that the file was to get
 */
export async function removeAbandoned(directory: string, isOurs: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, final = '', mark] = TEMPORARY.exec(name) ?? [];
    if (mark === undefined || !isOurs(final)) continue;
    const path = join(directory, name);
    const lastChange = async (): Promise<number | undefined> => (await stat(path).catch(() => undefined))?.mtimeMs;
    if (await isAbandoned(mark, ABANDONED, lastChange)) await rm(path, { force: true });
  }
}
