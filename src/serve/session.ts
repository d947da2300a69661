import { rm, type FileHandle } from 'node:fs/promises';
import { type Readable } from 'node:stream';
import { type Algorithm, type Digest } from '../core/digest.ts';
import { createHasher, type Hasher } from '../io/verify.ts';
import { Refusal } from './errors.ts';

/** Small chunks are written together. */
const WRITE_SIZE = 1 << 20;

/** What a session may use of the server. */
export interface Room {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Bytes of one upload at most. */
  readonly blobBytes: number;
  /** Throws when all uploads together would become too large by so many bytes. */
  check(more: number): void;
}

export interface SessionOptions {
  readonly id: string;
  readonly repository: string;
  readonly path: string;
  readonly algorithm: Algorithm;
  readonly room: Room;
}

/** One unfinished upload: a file that grows, and the hash of what is in it. */
export class Session {
  readonly id: string;
  readonly repository: string;
  readonly path: string;
  readonly #algorithm: Algorithm;
  readonly #room: Room;
  #hasher: Hasher | undefined;
  #handle: FileHandle | undefined;
  #size = 0;
  #busy = false;
  #touchedAt: number;

  constructor({ id, repository, path, algorithm, room }: SessionOptions) {
    this.id = id;
    this.repository = repository;
    this.path = path;
    this.#algorithm = algorithm;
    this.#room = room;
    this.#hasher = createHasher(algorithm);
    this.#touchedAt = room.now();
  }

  /** Bytes received. */
  get size(): number {
    return this.#size;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** False once it was discarded. */
  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  get touchedAt(): number {
    return this.#touchedAt;
  }

  start(handle: FileHandle): void {
    this.#handle = handle;
  }

  /** Two writers would mix their bytes: the second one is sent away. @throws Refusal (416) */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Refusal('BLOB_UPLOAD_INVALID', 'another request writes to this upload', { status: 416 });
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
      this.#touchedAt = this.#room.now();
    }
  }

  /** Adds what flows. When the stream breaks, what came of it is kept. @throws Refusal SIZE_INVALID (413), TOOMANYREQUESTS; the caller rolls back */
  async append(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let pending: Uint8Array[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const block = Buffer.concat(pending);
      pending = [];
      bytes = 0;
      await this.#write(block);
    };
    try {
      for await (const chunk of chunks) {
        this.#admit(bytes + chunk.length);
        pending.push(chunk);
        bytes += chunk.length;
        if (bytes >= WRITE_SIZE) await flush();
      }
    } finally {
      if (bytes > 0) await flush();
    }
  }

  /** Takes back what came after the first `size` bytes. */
  async rollBack(size: number): Promise<void> {
    if (size === this.#size) return;
    await this.#open().truncate(size);
    this.#size = size;
    this.#hasher = undefined;
  }

  /** The digest of all that came. Free for the algorithm that was hashed on the way, another reading for every other. */
  async digest(algorithm: Algorithm): Promise<Digest> {
    const ready = this.#hasher;
    this.#hasher = undefined;
    if (ready !== undefined && algorithm === this.#algorithm) return ready.digest();
    const hasher = createHasher(algorithm);
    for await (const chunk of this.read() as AsyncIterable<Uint8Array>) hasher.update(chunk);
    return hasher.digest();
  }

  /** All that came from an offset on. The file stays open. */
  read(start = 0): Readable {
    return this.#open().createReadStream({ start, autoClose: false, highWaterMark: WRITE_SIZE });
  }

  /** Returns when the content is on the disk. */
  async sync(): Promise<void> {
    await this.#open().sync();
  }

  async discard(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
    await rm(this.path, { force: true });
  }

  #open(): FileHandle {
    if (this.#handle === undefined) throw new Refusal('BLOB_UPLOAD_UNKNOWN', 'the upload was cancelled');
    return this.#handle;
  }

  #admit(bytes: number): void {
    if (this.#size + bytes > this.#room.blobBytes) {
      throw new Refusal('SIZE_INVALID', `a blob may have ${this.#room.blobBytes} bytes`, { status: 413 });
    }
    this.#room.check(bytes);
  }

  async #write(block: Uint8Array): Promise<void> {
    const handle = this.#open();
    const writing = writeAll(handle, block, this.#size);
    this.#hasher?.update(block);
    try {
      await writing;
    } catch (error) {
      this.#hasher = undefined;
      await handle.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#size += block.length;
    this.#touchedAt = this.#room.now();
  }
}

async function writeAll(handle: FileHandle, block: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < block.length) {
    const { bytesWritten } = await handle.write(block, done, block.length - done, position + done);
    done += bytesWritten;
  }
}
