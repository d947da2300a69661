import { createReadStream } from 'node:fs';
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock } from '../core/clock.ts';
import { isAbsent, OclError, toOclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { syncDirectory, TemporaryFile } from './atomicFile.ts';
import { withLock } from './lock.ts';

export interface LineFileOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** What its first line says that it is: `journal`, `ledger`. */
  readonly kind: string;
  /** How another file is named on the command line. */
  readonly option: string;
}

/** Bytes of one line. What is longer was not written by `ocl`, and is passed over. */
export const LINE_BYTES = 1 << 20;

/** Milliseconds to wait for another process: it holds the lock for one write and one sync, or while it compacts. */
const LOCK_TIMEOUT = 30_000;
/** Bytes of the beginning that tell what a file is. */
const HEAD = 256;
const NEWLINE = 0x0a;
/** Bytes that are read at a time. */
const PIECE = 256 << 10;

/**
 * A file of lines that several processes append to. Each append is one write, made under a lock, so that compaction loses nobody's lines and
 * what a crash left half-written is cut off before the next line is put behind it.
 */
export class LineFile {
  readonly path: string;
  readonly #options: LineFileOptions;
  /** Its first line. A file that begins otherwise is none, and is left alone. */
  readonly #header: string;

  constructor(path: string, options: LineFileOptions) {
    this.path = path;
    this.#options = options;
    this.#header = lineFileHeader(options.kind);
  }

  /**
   * The lines as they are now, without the first. A last line that was not finished is left out, and so is one beyond LINE_BYTES.
   * A file that is not there has none. @throws OCL_USAGE when it is something else, OCL_UNSUPPORTED when it is of a newer version
   */
  async *read(): AsyncGenerator<string> {
    for await (const lines of this.batches()) yield* lines;
  }

  /** The same, those of one reading together: a turn of the event loop for each of many lines has its price. @throws as `read` */
  async *batches(): AsyncGenerator<readonly string[]> {
    let handle: FileHandle;
    try {
      handle = await open(this.path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (error) {
      if (isAbsent(error)) return;
      throw toOclError(error);
    }
    try {
      if ((await this.#lengthOfHead(handle)) === 0) return;
      let head = 1;
      const stream = createReadStream('', { fd: handle, autoClose: false, start: 0, highWaterMark: PIECE });
      for await (const lines of linesOf(stream)) {
        yield lines.slice(head);
        if (lines.length > 0) head = 0;
      }
    } finally {
      await handle.close();
    }
  }

  /** Appends lines, and returns when they are durable. The file is made when it is not there. @throws as `read`; OCL_IO, OCL_NO_SPACE, OCL_LOCKED */
  async append(lines: readonly string[]): Promise<void> {
    await this.#locked(async () => {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | (constants.O_NONBLOCK ?? 0);
      const handle = await open(this.path, flags, 0o644);
      try {
        const isNew = (await this.#lengthOfHead(handle)) === 0;
        await cutTorn(handle, isNew);
        const all = isNew ? [this.#header, ...lines] : lines;
        if (all.length === 0) return;
        await writeAll(handle, Buffer.from(`${all.join('\n')}\n`));
        await handle.datasync();
        if (isNew) await syncDirectory(dirname(this.path));
      } finally {
        await handle.close();
      }
    });
  }

  /**
   * Writes the file anew with the lines that are worth keeping; nobody appends meanwhile.
   * @param choose is given all lines twice over: first to look at, then to answer which of them stay
   */
  async compact(
    choose: (lines: AsyncIterable<string>) => Promise<(line: string, index: number) => boolean>,
  ): Promise<void> {
    await this.#locked(async () => {
      const place = await realpath(this.path);
      const keeps = await choose(this.read());
      const next = await TemporaryFile.create(dirname(place), 0o644);
      try {
        await next.write(Buffer.from(`${this.#header}\n`));
        let index = 0;
        let waiting: string[] = [];
        for await (const line of this.read()) {
          if (keeps(line, index++)) waiting.push(line);
          if (waiting.length < 1000) continue;
          await next.write(Buffer.from(`${waiting.join('\n')}\n`));
          waiting = [];
        }
        if (waiting.length > 0) await next.write(Buffer.from(`${waiting.join('\n')}\n`));
        await next.moveTo(place);
        await syncDirectory(dirname(place));
      } finally {
        await next.discard();
      }
    });
  }

  async #locked(action: () => Promise<void>): Promise<void> {
    try {
      await withLock(`${this.path}.lock`, { ...this.#options, timeout: LOCK_TIMEOUT }, action);
    } catch (error) {
      throw toOclError(error);
    }
  }

  /** Zero: there is nothing in it yet but what a crash may have left of the first line. */
  async #lengthOfHead(handle: FileHandle): Promise<number> {
    const { kind, option } = this.#options;
    if (!(await handle.stat()).isFile())
      throw new OclError('OCL_USAGE', `Cannot use ${this.path} as a ${kind}: it is no regular file`);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    const end = text.indexOf('\n');
    if (end < 0 && this.#header.startsWith(text)) return 0;
    const line = end < 0 ? text : text.slice(0, end);
    if (line === this.#header) return end + 1;
    if (line.startsWith(`{"kind":"${kind}","version":`))
      throw new OclError('OCL_UNSUPPORTED', `Cannot use ${this.path} as a ${kind}: a newer version of ocl wrote it`, {
        hint: `use that version, or name another file with ${option}`,
      });
    throw new OclError('OCL_USAGE', `Cannot use ${this.path} as a ${kind}: it is something else`, {
      hint: `name another file with ${option}`,
    });
  }
}

/** The first line of such a file. */
export function lineFileHeader(kind: string): string {
  return `{"kind":"${kind}","version":1}`;
}

/** Cuts off what follows the last whole line. */
async function cutTorn(handle: FileHandle, isNew: boolean): Promise<void> {
  const { size } = await handle.stat();
  if (isNew) return await (size === 0 ? undefined : handle.truncate(0));
  const piece = Buffer.alloc(64 << 10);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - piece.length);
    const { bytesRead } = await handle.read(piece, 0, end - start, start);
    const newline = piece.lastIndexOf(NEWLINE, bytesRead - 1);
    if (newline >= 0) {
      if (start + newline + 1 < size) await handle.truncate(start + newline + 1);
      return;
    }
    end = start;
  }
}

/** One write, in all but a full disk. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let offset = 0; offset < bytes.length;)
    offset += (await handle.write(bytes, offset, bytes.length - offset)).bytesWritten;
}

/** Whole lines, those of a piece together; memory holds a piece and one line. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      length += end - start;
      const last = chunk.subarray(start, end);
      if (length <= LINE_BYTES)
        lines.push((parts.length === 0 ? last : Buffer.concat([...parts, last])).toString('utf8'));
      parts = [];
      length = 0;
      start = end + 1;
    }
    yield lines;
    length += chunk.length - start;
    if (length <= LINE_BYTES) parts.push(chunk.subarray(start));
    else parts = [];
  }
}
