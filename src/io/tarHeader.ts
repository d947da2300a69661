import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { shown } from './tarName.ts';

/** Bytes of a header, and what bodies are padded to. */
export const TAR_BLOCK = 512;

/** One header as it stands in the archive (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"). */
export interface TarHeader {
  /** The type flag; old archives write NUL for a regular file, which is '0' here. */
  readonly type: string;
  readonly name: string;
  readonly link: string;
  /** Bytes of the body. */
  readonly size: number;
}

/** What an extended header says about the entry after it. */
export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch, with a fraction. */
  readonly mtime?: number;
  /** Keys of records that are of no interest to archives, such as `SCHILY.xattr.user.x`. */
  readonly others: readonly string[];
}

/** What a header says of the file itself. */
export interface TarAttributes {
  /** Permissions with setuid, setgid and sticky bit; no bits of the kind. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

/** How a reader words what is wrong with the archive. */
export function tarFault(why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot read the archive: ${why}`);
}

export function isZeroBlock(bytes: Buffer, at: number): boolean {
  for (let i = at; i < at + TAR_BLOCK; i++) if (bytes[i] !== 0) return false;
  return true;
}

/**
 * The header at an offset of a buffer. Written anew rather than taken from the `tar` package, whose reader forgives numbers and
 * extended headers that other readers understand in another way; here what is doubtful is refused.
 * @throws OCL_ARCHIVE_INVALID
 */
export function readTarHeader(bytes: Buffer, at: number): TarHeader {
  checkSum(bytes, at);
  const flag = bytes[at + 156] ?? 0;
  const type = flag === 0 ? '0' : String.fromCharCode(flag);
  const own = textField(bytes, at, 100);
  const prefix = textField(bytes, at + 345, prefixLength(bytes, at));
  return {
    type,
    name: prefix === '' ? own : `${prefix}/${own}`,
    link: type === '1' || type === '2' ? textField(bytes, at + 157, 100) : '',
    size: numberField(bytes, at + 124, 12),
  };
}

/** Owner, mode and time of the header at an offset. A time before the epoch is the epoch. @throws OCL_ARCHIVE_INVALID */
export function readTarAttributes(bytes: Buffer, at: number): TarAttributes {
  const early = ((bytes[at + 136] ?? 0) & 0xc0) === 0xc0;
  return {
    mode: numberField(bytes, at + 100, 8) & 0o7777,
    uid: numberField(bytes, at + 108, 8),
    gid: numberField(bytes, at + 116, 8),
    mtime: early ? 0 : numberField(bytes, at + 136, 12),
  };
}

const HEADER_ONLY: ReadonlySet<string> = new Set(['1', '2', '5']);

/**
 * The type flag of an entry in its one form: '0' for every regular file, '5' for a directory however it is written.
 * @throws OCL_ARCHIVE_INVALID for a body where readers differ on whether there can be one
 */
export function plainType(entry: TarHeader): string {
  const flag = entry.type === '7' ? '0' : entry.type;
  const type = flag === '0' && entry.name.endsWith('/') ? '5' : flag;
  if (HEADER_ONLY.has(type) && entry.size !== 0)
    throw tarFault(`the entry ${shown(entry.name)} has a body, which its kind cannot have`);
  return type;
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['3', 'a character device'],
  ['4', 'a block device'],
  ['6', 'a named pipe'],
  ['S', 'a sparse file'],
]);

/** What a type flag stands for, where it is neither file, link nor directory. */
export function tarKind(type: string): string {
  return KINDS.get(type) ?? `of the unknown kind ${shown(type)}`;
}

/** Only POSIX headers have a prefix; GNU keeps times there, and star the end of it. */
function prefixLength(bytes: Buffer, at: number): number {
  if (bytes.toString('latin1', at + 257, at + 263) !== 'ustar\0') return 0;
  return bytes.toString('latin1', at + 508, at + 512) === 'tar\0' ? 131 : 155;
}

function checkSum(bytes: Buffer, at: number): void {
  const promised = numberField(bytes, at + 148, 8);
  let sum = 8 * 0x20;
  for (let i = at; i < at + 148; i++) sum += bytes[i] ?? 0;
  for (let i = at + 156; i < at + TAR_BLOCK; i++) sum += bytes[i] ?? 0;
  if (sum === promised) return;
  // Some old writers summed up signed bytes.
  let high = 0;
  for (let i = at; i < at + TAR_BLOCK; i++) if ((i < at + 148 || i >= at + 156) && (bytes[i] ?? 0) > 127) high++;
  if (sum - 256 * high !== promised) throw tarFault('the checksum of a header is wrong');
}

/** Octal digits between spaces and NULs, or the base-256 form of GNU for what does not fit. */
function numberField(bytes: Buffer, at: number, length: number): number {
  const first = bytes[at] ?? 0;
  if ((first & 0x80) !== 0) return base256(bytes, at, length);
  let i = at;
  const end = at + length;
  while (i < end && bytes[i] === 0x20) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = (bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; i < end; i++) if (bytes[i] !== 0x20 && bytes[i] !== 0) throw tarFault('a number in a header is not octal');
  return value;
}

function base256(bytes: Buffer, at: number, length: number): number {
  if (((bytes[at] ?? 0) & 0x40) !== 0) throw tarFault('a number in a header is negative');
  let value = (bytes[at] ?? 0) & 0x3f;
  for (let i = at + 1; i < at + length; i++) {
    value = value * 256 + (bytes[i] ?? 0);
    if (value > Number.MAX_SAFE_INTEGER) throw tarFault('a number in a header is too large');
  }
  return value;
}

function textField(bytes: Buffer, at: number, length: number): string {
  let end = at;
  while (end < at + length && bytes[end] !== 0) end++;
  return tarText(bytes, at, end);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 text of a range of bytes. @throws OCL_ARCHIVE_INVALID */
function tarText(bytes: Buffer, from: number, to: number): string {
  for (let i = from; i < to; i++) {
    if ((bytes[i] ?? 0) < 0x80) continue;
    try {
      return decoder.decode(bytes.subarray(from, to));
    } catch {
      throw tarFault('a name in it is not UTF-8 text');
    }
  }
  return bytes.toString('latin1', from, to);
}

/** The body of a GNU long name or link: the text up to its NUL. @throws OCL_ARCHIVE_INVALID, OCL_LIMIT */
export function readLongText(body: Buffer): string {
  const nul = body.indexOf(0);
  const end = nul < 0 ? body.length : nul;
  if (end > LIMITS.archiveName)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read the archive: a name of ${end} bytes is longer than the ${LIMITS.archiveName} that are accepted`,
    );
  for (let i = end; i < body.length; i++) if (body[i] !== 0) throw tarFault('a long name goes on after its end');
  return tarText(body, 0, end);
}

const SPARSE = /^(?:GNU\.sparse\.|SUN\.holesdata)/;

/**
 * The records `<length> <key>=<value>\n` of an extended header. A record that is not exactly as long as it says is refused: readers
 * that skip it see another archive than readers that do not.
 * @throws OCL_ARCHIVE_INVALID, OCL_LIMIT
 */
export function readPaxRecords(body: Buffer, global: boolean): PaxRecords {
  const seen = new Set<string>();
  const others: string[] = [];
  const records: Writable<PaxRecords> = { others };
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 || space - at > 8 ? '' : body.toString('latin1', at, space);
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, space + 1);
    if (!/^[1-9][0-9]*$/.test(digits) || end > body.length || equals < 0 || equals >= end || body[end - 1] !== 0x0a) {
      throw tarFault('a record of an extended header is malformed');
    }
    const key = tarText(body, space + 1, equals);
    if (seen.has(key)) throw tarFault(`an extended header has ${shown(key)} twice`);
    seen.add(key);
    if (SPARSE.test(key)) throw tarFault('it has a sparse entry');
    if (key === 'path' || key === 'linkpath' || key === 'size') {
      if (global) throw tarFault(`a global header sets ${shown(key)} for all entries`);
      if (key === 'size') records.size = paxSize(body.toString('latin1', equals + 1, end - 1));
      else if (end - equals - 2 > LIMITS.archiveName)
        throw new OclError('OCL_LIMIT', `Cannot read the archive: a name is longer than ${LIMITS.archiveName} bytes`);
      else records[key] = tarText(body, equals + 1, end - 1);
    } else if (key === 'uid' || key === 'gid' || key === 'mtime') {
      const value = paxNumber(body.toString('latin1', equals + 1, end - 1));
      if (!global && value !== undefined) records[key] = key === 'mtime' ? value : Math.trunc(value);
    } else others.push(key);
    at = end;
  }
  return records;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A number that is none is left out, as its writer may have left it empty: nothing that is decided depends on it. */
function paxNumber(text: string): number | undefined {
  const value = /^-?[0-9]{1,16}(?:\.[0-9]*)?$/.test(text) ? Number(text) : NaN;
  return Number.isNaN(value) ? undefined : Math.max(0, value);
}

function paxSize(text: string): number {
  const size = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(size)) throw tarFault('an extended header has a size that is no size');
  return size;
}
