import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { type Readable } from 'node:stream';
import { Header } from 'tar/header';
import { Pax } from 'tar/pax';
import { OclError, systemCode } from '../core/errors.ts';
import { type ByteRange } from '../core/store.ts';
import { FileRange } from './fileRange.ts';
import { isZeroBlock, readTarHeader, TAR_BLOCK } from './tarHeader.ts';
import { scanTar, type ScanOptions, type TarEntry, type TarTable } from './tarScan.ts';
import { readBounded } from './verify.ts';

/** Bytes of an entry that is read at once. */
const SMALL = 1 << 20;

/** A tar file that is read where it lies: nothing is unpacked. */
export class Tarball {
  readonly #handle: FileHandle;
  readonly #table: TarTable;

  private constructor(handle: FileHandle, table: TarTable) {
    this.#handle = handle;
    this.#table = table;
  }

  /**
   * Reads the headers. The file handle belongs to the tarball from here on.
   * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT
   */
  static async read(handle: FileHandle, options: ScanOptions = {}): Promise<Tarball> {
    try {
      const { size } = await handle.stat();
      return new Tarball(handle, await scanTar(handle, size, options));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The names of the regular files, in the order of the archive. */
  names(): IterableIterator<string> {
    return this.#table.files.keys();
  }

  /** Names of links that were passed over. */
  get passed(): readonly string[] {
    return this.#table.passed;
  }

  /** The name itself, or that of the file which a legacy link stands for; undefined when there is no such file. */
  realName(name: string): string | undefined {
    if (this.#table.files.has(name)) return name;
    return this.#table.links.get(name);
  }

  find(name: string): TarEntry | undefined {
    const real = this.realName(name);
    return real === undefined ? undefined : this.#table.files.get(real);
  }

  /** The bytes of an entry, or a range of them; what lies beyond its end is not there. */
  stream(entry: TarEntry, range: ByteRange = { start: 0 }): Readable {
    const end = Math.min(range.end === undefined ? entry.size : range.end + 1, entry.size);
    const length = Math.max(0, end - range.start);
    return new FileRange(this.#handle, { start: entry.offset + range.start, length, owned: false });
  }

  /** @throws OCL_LIMIT when the entry is larger than `limit` bytes */
  async bytes(entry: TarEntry, limit: number, what: string): Promise<Uint8Array> {
    if (entry.size > Math.min(limit, SMALL)) return readBounded(this.stream(entry), limit, what);
    // Thousands of small ones are read much sooner without a stream for each.
    const bytes = Buffer.allocUnsafe(entry.size);
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, entry.offset + done);
      if (bytesRead === 0)
        throw new OclError('OCL_SIZE_MISMATCH', `Cannot read ${what}: the file became shorter while it was read`);
      done += bytesRead;
    }
    return bytes;
  }

  /** Whether nothing but zeros lies between the end of an entry and the next header. */
  async isFilledWithZeros(entry: TarEntry): Promise<boolean> {
    const length = tarPadding(entry.size);
    if (length === 0) return true;
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, entry.offset + entry.size);
    return bytesRead === length && bytes.every((byte) => byte === 0);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * The regular files of a tar file that is in memory, by their names; the bytes are those of the archive, not copies.
 * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT
 */
export async function readTarBytes(
  bytes: Uint8Array,
  options: ScanOptions = {},
): Promise<{ readonly files: ReadonlyMap<string, Uint8Array>; readonly passed: readonly string[] }> {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = await scanTar(
    {
      read: (buffer, offset, length, position) =>
        Promise.resolve({ bytesRead: whole.copy(buffer, offset, position, position + length) }),
    },
    whole.length,
    options,
  );
  const files = [...table.files].map(
    ([name, { offset, size }]) => [name, whole.subarray(offset, offset + size)] as const,
  );
  return { files: new Map(files), passed: table.passed };
}

/** Whether some bytes begin like a tar file: with a header whose checksum is right, or with the empty block of an archive without entries. */
export function looksLikeTar(head: Uint8Array): boolean {
  if (head.length < TAR_BLOCK) return false;
  const block = Buffer.from(head.buffer, head.byteOffset, TAR_BLOCK);
  try {
    return isZeroBlock(block, 0) || readTarHeader(block, 0).name !== '';
  } catch {
    return false;
  }
}

/** Opens a regular file for reading. @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID when it is a directory, pipe or device */
export async function openRegularFile(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK the opening of a named pipe would wait for a writer, forever.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new OclError('OCL_NOT_FOUND', `Cannot open the archive ${path}: there is no such file`, { cause: error });
  }
  const stats = await handle.stat();
  if (stats.isFile()) return handle;
  await handle.close();
  throw new OclError(
    'OCL_ARCHIVE_INVALID',
    `Cannot open the archive ${path}: it is no regular file`,
    stats.isDirectory() ? { hint: `for a layout directory use ocidir://${path}` } : {},
  );
}

/** Bytes after a body up to the next header. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** Two empty blocks end an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK);

/** What the size field of a ustar header holds: 8 GiB - 1. */
const USTAR_SIZE = 0o77777777777;

/** What a header is written from. */
export interface TarEntryFields {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Of a directory with a slash at the end or without one, as it is to be written. */
  readonly path: string;
  /** Of links. */
  readonly target?: string | undefined;
  /** Bytes of the body; files alone have one. */
  readonly size?: number | undefined;
  /** Permissions with setuid, setgid and sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch; milliseconds are kept. */
  readonly mtime: number;
}

const TYPES = { file: 'File', directory: 'Directory', symlink: 'SymbolicLink', hardlink: 'Link' } as const;

/**
 * The header of a regular file, always the same for the same name, size and mode: owner 0, time 0, no user names; with an extended
 * header before it only where ustar has no room.
 */
export function tarFileHeader(path: string, size: number, mode: number): Uint8Array {
  return tarEntryHeader({ kind: 'file', path, size, mode, uid: 0, gid: 0, mtime: 0 });
}

/** A name that a plain header holds. */
const SHORT_NAME = /^[!-~]{1,99}$/;

/** Bytes of the header that `tarFileHeader` makes. Layouts of thousands of files ask for nothing else. */
export function tarFileHeaderLength(path: string, size: number): number {
  return size <= USTAR_SIZE && SHORT_NAME.test(path) ? TAR_BLOCK : tarFileHeader(path, size, 0o644).length;
}

/** A document of an archive: header, bytes and filling. */
export function tarFile(path: string, bytes: Uint8Array, mode = 0o644): Uint8Array {
  return Buffer.concat([tarFileHeader(path, bytes.length, mode), bytes, new Uint8Array(tarPadding(bytes.length))]);
}

/** A header as `tarFileHeader` makes it, for a directory, whose name is written as it is given. */
export function tarDirectoryHeader(path: string, mode: number): Uint8Array {
  return tarEntryHeader({ kind: 'directory', path, mode, uid: 0, gid: 0, mtime: 0 });
}

/** The header of any entry, the same for the same fields; with an extended header before it only where ustar has no room. */
export function tarEntryHeader(entry: TarEntryFields): Uint8Array {
  const { kind, path, mode, uid, gid, size = 0, target } = entry;
  const mtime = new Date(Math.round(entry.mtime * 1000));
  const seconds = new Date(Math.floor(mtime.getTime() / 1000) * 1000);
  const tooLarge = size > USTAR_SIZE;
  const type = TYPES[kind];
  const links = target === undefined ? {} : { linkpath: target };
  const block = Buffer.alloc(TAR_BLOCK);
  const header = new Header({
    path,
    size: tooLarge ? USTAR_SIZE : size,
    mode,
    uid,
    gid,
    mtime: seconds,
    type,
    ...links,
  });
  const needsPax = header.encode(block);
  fillNumbers(block);
  const finer = mtime.getTime() !== seconds.getTime();
  if (!needsPax && !tooLarge && !finer) return block;
  const pax = new Pax({
    mtime,
    uid,
    gid,
    ...(needsPax ? { path, ...links } : {}),
    ...(tooLarge ? { size } : {}),
  });
  return Buffer.concat([pax.encode(), block]);
}

/** Mode, owner, group, size, time, device: where they stand, and their bytes. */
const NUMBERS: readonly (readonly [number, number])[] = [
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [329, 8],
  [337, 8],
];
const CHECKSUM = 148;

/** Numbers with as many zeros as the field has room for, as Go and GNU tar write them, so that Meshery's own archives come out equal. */
function fillNumbers(block: Buffer): void {
  for (const [at, length] of NUMBERS) {
    if (block[at + length - 2] !== 0x20) continue;
    block.copy(block, at + 1, at, at + length - 2);
    block[at] = 0x30;
  }
  block.fill(0x20, CHECKSUM, CHECKSUM + 8);
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK; i++) sum += block[i] ?? 0;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM, 'latin1');
}
