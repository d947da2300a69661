import { createHash, randomBytes } from 'node:crypto';
import { open as openFile, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { type Open } from '../../core/store.ts';
import { syncDirectory } from '../../io/atomicFile.ts';
import { isRunning } from '../../io/lock.ts';
import { givePiece } from '../../io/slabPool.ts';
import { verifyInto } from '../../io/verify.ts';
import { blobHeader, type ArchivePlan, type Slot } from './plan.ts';
import { needsSum } from './sums.ts';
import { type ArchiveTarget } from './target.ts';

/** Bytes that are gathered before they are written. */
const PIECE = 1 << 20;
/** Pieces of one blob that may be on their way to the disk while the next are read and hashed. */
const BEHIND = 3;
/** Milliseconds after which nobody is believed to go on. */
const ABANDONED = 3_600_000;
/** Bytes after which the disk is set to work, so that little is left to wait for at the end. */
const FLUSH_EVERY = 64 << 20;

/** A file that every blob is written into at its own place, many at a time. It gets its name when it is whole. */
export class FileTarget implements ArchiveTarget {
  readonly name: string;
  readonly #path: string;
  readonly #partial: string;
  readonly #sums = new Map<Digest, string>();
  #plan: ArchivePlan | undefined;
  #handle: FileHandle | undefined;
  #unflushed = 0;
  #flushing: Promise<void> | undefined;

  constructor(path: string) {
    this.name = path;
    this.#path = path;
    this.#partial = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.partial`;
  }

  async start(plan: ArchivePlan): Promise<void> {
    this.#plan = plan;
    const existing = await stat(this.#path).catch(() => undefined);
    if (existing?.isDirectory())
      throw new OclError('OCL_EXISTS', `Cannot write the archive ${this.#path}: it is a directory`, {
        hint: `for a layout directory use ocidir://${this.#path}`,
      });
    await this.#removeAbandoned();
    this.#handle = await openFile(this.#partial, 'wx', 0o666);
    // What is never written, the filling after each body and the end, reads as the zeros it has to be.
    await this.#handle.truncate(plan.size);
    await this.#write([plan.head], 0);
  }

  async put(slot: Slot, open: Open): Promise<void> {
    const header = blobHeader(slot.descriptor);
    const writes = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    let gathered: Uint8Array[] = [header];
    let bytes = header.length;
    let position = slot.offset;
    const flush = async (): Promise<void> => {
      if (failure !== undefined) throw failure.error;
      const parts = gathered;
      const write = this.#write(parts, position)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          writes.delete(write);
          for (const part of parts) givePiece(part);
        });
      writes.add(write);
      position += bytes;
      gathered = [];
      bytes = 0;
      if (writes.size >= BEHIND) await Promise.race(writes);
    };
    const sum = needsSum(slot.descriptor.digest) ? createHash('sha256') : undefined;
    try {
      await verifyInto(await open(), slot.descriptor, async (chunk) => {
        sum?.update(chunk);
        gathered.push(chunk);
        bytes += chunk.length;
        if (bytes >= PIECE) await flush();
      });
      if (bytes > 0) await flush();
    } finally {
      // A further try must not meet writes of this one.
      await Promise.all(writes);
    }
    if (failure !== undefined) throw failure.error;
    if (sum !== undefined) this.#sums.set(slot.descriptor.digest, sum.digest('hex'));
  }

  async finish(): Promise<void> {
    const sums = this.#plan?.sums;
    if (sums !== undefined) await this.#write([sums.list.entry(this.#sums)], sums.offset);
    await this.#flushing;
    await this.#handle?.sync();
    await this.#close();
    await rename(this.#partial, this.#path);
    await syncDirectory(dirname(this.#path));
  }

  async abandon(): Promise<void> {
    await this.#flushing;
    await this.#close();
    await rm(this.#partial, { force: true });
  }

  /** What killed processes left of this file: a whole archive's bytes, which nobody would look for. */
  async #removeAbandoned(): Promise<void> {
    const prefix = `${basename(this.#path)}.`;
    for (const name of await readdir(dirname(this.#path))) {
      const pid = name.startsWith(prefix)
        ? /^(\d+)-[0-9a-f]{12}\.partial$/.exec(name.slice(prefix.length))?.[1]
        : undefined;
      if (pid === undefined || isRunning(Number(pid))) continue;
      // A process of another host may write on the same disk: what it works on is young.
      const path = join(dirname(this.#path), name);
      if (Date.now() - (await stat(path)).mtimeMs > ABANDONED) await rm(path, { force: true });
    }
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #write(parts: readonly Uint8Array[], position: number): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined)
      throw new OclError('OCL_CANCELLED', `Cannot write the archive ${this.#path}: it was closed`);
    let rest = parts;
    let at = position;
    while (rest.length > 0) {
      const { bytesWritten } = await handle.writev(rest, at);
      at += bytesWritten;
      rest = without(rest, bytesWritten);
      this.#written(handle, bytesWritten);
    }
  }

  #written(handle: FileHandle, bytes: number): void {
    this.#unflushed += bytes;
    if (this.#unflushed < FLUSH_EVERY || this.#flushing !== undefined) return;
    this.#unflushed = 0;
    this.#flushing = handle
      .datasync()
      .catch(() => {}) // the sync at the end reports it
      .finally(() => {
        this.#flushing = undefined;
      });
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
