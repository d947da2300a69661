import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { checkExtension, complete, hasPending, isExtension, takeExtension, type Pending } from './tarExtension.ts';
import { isZeroBlock, plainType, readTarHeader, TAR_BLOCK, tarFault, tarKind, type TarHeader } from './tarHeader.ts';
import { linkTarget, safeName, shown } from './tarName.ts';

/** Where the body of an entry lies, in bytes. */
export interface TarEntry {
  readonly offset: number;
  readonly size: number;
}

export interface TarTable {
  /** Regular files by name. */
  readonly files: ReadonlyMap<string, TarEntry>;
  /** Links of old docker archives, by name, with the file they stand for. */
  readonly links: ReadonlyMap<string, string>;
  /** Names of the links that were passed over, where that was asked for. */
  readonly passed: readonly string[];
}

/** Where a tar file is read from: an open file, or memory. */
export interface TarBytes {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

export interface ScanOptions {
  /** Links of any kind are refused, but for those of old docker archives; or they are passed over. */
  readonly links?: 'refuse' | 'pass' | undefined;
  /** What follows the end of the archive is refused; or it is not looked at. */
  readonly tail?: 'refuse' | 'ignore' | undefined;
  /** The beginning of names that are cut off where they have it, with the slash behind it. */
  readonly stripPrefix?: string | undefined;
  /** Told of every entry as its headers have it, with the name that is written there. */
  readonly onEntry?: ((entry: Pick<TarHeader, 'name' | 'type'>) => void) | undefined;
}

const NEAR = 256 << 10;
const FAR = 4 << 10;
/** Bytes of zeros after the last entry. Writers fill up to a tape block, of which none is this large. */
const MAX_TAIL = 64 << 20;

/** Reads along a file in pieces: large ones where entries lie close together, small ones where bodies are skipped. */
class Window {
  readonly #handle: TarBytes;
  readonly #bytes = Buffer.allocUnsafeSlow(NEAR);
  #start = 0;
  #end = 0;

  constructor(handle: TarBytes) {
    this.#handle = handle;
  }

  /** Up to `length` bytes, valid until the next call; fewer only at the end of the file. */
  async at(position: number, length: number): Promise<Buffer> {
    if (position < this.#start || position + length > this.#end) {
      const near = position - this.#end < NEAR;
      await this.#fill(position, near ? NEAR : Math.max(FAR, length));
    }
    const from = position - this.#start;
    return this.#bytes.subarray(from, Math.min(from + length, this.#end - this.#start));
  }

  async #fill(position: number, length: number): Promise<void> {
    this.#start = position;
    this.#end = position;
    while (this.#end < position + length) {
      const { bytesRead } = await this.#handle.read(
        this.#bytes,
        this.#end - position,
        position + length - this.#end,
        this.#end,
      );
      if (bytesRead === 0) return;
      this.#end += bytesRead;
    }
  }
}

/**
 * One pass over the headers of a tar file. Everything that is no plain file or directory is refused, but for `layer.tar` links of
 * old docker archives, and so is everything that two readers could understand in two ways.
 * @param size bytes of the file
 * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT
 */
export async function scanTar(handle: TarBytes, size: number, options: ScanOptions = {}): Promise<TarTable> {
  const window = new Window(handle);
  const table = new Table(options);
  let pending: Pending = {};
  for (let at = 0, count = 0; ; count++) {
    if (count >= LIMITS.archiveEntries)
      throw new OclError('OCL_LIMIT', `Cannot read the archive: it has more than ${LIMITS.archiveEntries} entries`);
    const block = await window.at(at, TAR_BLOCK);
    if (block.length < TAR_BLOCK) throw tarFault(`it is cut off at byte ${at + block.length}, or was never finished`);
    if (isZeroBlock(block, 0)) {
      if (hasPending(pending)) throw tarFault('its last header belongs to an entry that is not there');
      if (options.tail !== 'ignore') await checkTail(window, at, size);
      return table.finish();
    }
    const header = readTarHeader(block, 0);
    const body = at + TAR_BLOCK;
    if (isExtension(header.type)) {
      takeExtension(header, pending, await extensionBody(window, header, body));
      at = nextBlock(body, header.size, size);
      continue;
    }
    const entry = complete(header, pending);
    pending = {};
    options.onEntry?.(entry);
    table.add(entry, body);
    at = nextBlock(body, entry.size, size);
  }
}

function nextBlock(body: number, bytes: number, size: number): number {
  const next = body + Math.ceil(bytes / TAR_BLOCK) * TAR_BLOCK;
  if (next > size)
    throw tarFault(`it is cut off: an entry goes on to byte ${body + bytes}, and the file ends at ${size}`);
  return next;
}

async function extensionBody(window: Window, header: TarHeader, at: number): Promise<Buffer> {
  checkExtension(header);
  const parts: Buffer[] = [];
  for (let done = 0; done < header.size;) {
    const part = await window.at(at + done, Math.min(header.size - done, NEAR));
    if (part.length === 0) throw tarFault('it is cut off inside an extended header');
    parts.push(Buffer.from(part));
    done += part.length;
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

class Table {
  readonly #options: ScanOptions;
  readonly #passed: string[] = [];
  readonly #files = new Map<string, TarEntry>();
  readonly #links = new Map<string, string>();
  readonly #directories = new Set<string>();
  #nameBytes = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  add(entry: TarHeader, offset: number): void {
    const type = plainType(entry);
    const directory = type === '5';
    if (this.#options.links === 'pass' && (type === '1' || type === '2')) {
      this.#count(entry.name.length + entry.link.length);
      this.#passed.push(entry.name);
      return;
    }
    const name = safeName(this.#stripped(entry.name));
    if (type !== '0' && type !== '1' && type !== '2' && !directory)
      throw tarFault(`the entry ${shown(name)} is ${tarKind(type)}, which no image archive may hold`);
    this.#count(name.length + entry.link.length);
    const taken = this.#files.has(name) || this.#links.has(name) || (!directory && this.#directories.has(name));
    if (taken) throw tarFault(`the entry ${shown(name)} is there twice`);
    if (directory) this.#directories.add(name);
    else if (name === '') throw tarFault('an entry has no name');
    else if (type === '0') this.#files.set(name, { offset, size: entry.size });
    else this.#addLink(name, linkTarget(name, entry.link, type === '2'));
  }

  finish(): TarTable {
    for (const [name, target] of this.#links) {
      if (!this.#files.has(target))
        throw tarFault(`the entry ${shown(name)} links to ${shown(target)}, which is no file in the archive`);
    }
    return { files: this.#files, links: this.#links, passed: this.#passed };
  }

  /** The directory itself is the root then. */
  #stripped(name: string): string {
    const { stripPrefix } = this.#options;
    if (stripPrefix === undefined || stripPrefix === '') return name;
    if (name === stripPrefix || name === `${stripPrefix}/`) return '.';
    return name.startsWith(`${stripPrefix}/`) ? name.slice(stripPrefix.length + 1) : name;
  }

  #addLink(name: string, target: string): void {
    if (!name.endsWith('/layer.tar'))
      throw tarFault(`the entry ${shown(name)} is a link, which no image archive may hold`);
    this.#links.set(name, target);
  }

  #count(bytes: number): void {
    this.#nameBytes += bytes;
    if (this.#nameBytes > LIMITS.archiveNames)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot read the archive: its names are more than ${LIMITS.archiveNames} bytes together`,
      );
  }
}

async function checkTail(window: Window, from: number, size: number): Promise<void> {
  if (size - from > MAX_TAIL)
    throw new OclError('OCL_LIMIT', `Cannot read the archive: ${size - from} bytes follow its last entry`);
  for (let at = from; at < size;) {
    const bytes = await window.at(at, Math.min(NEAR, size - at));
    if (bytes.length === 0) throw tarFault('it became shorter while it was read');
    const other = bytes.findIndex((byte) => byte !== 0);
    if (other >= 0) throw tarFault(`there is something after its end, at byte ${at + other}`);
    at += bytes.length;
  }
}
