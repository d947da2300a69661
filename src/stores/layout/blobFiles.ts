import { constants, type Stats } from 'node:fs';
import { open, opendir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable } from 'node:stream';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, splitDigest, type Digest } from '../../core/digest.ts';
import { isAbsent, OclError, systemCode } from '../../core/errors.ts';
import { type Shortcut } from '../../core/events.ts';
import { type ByteRange, type Open } from '../../core/store.ts';
import { makeDirectory, syncDirectory, type TemporaryFile } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';
import { FileRange } from '../../io/fileRange.ts';
import { type Linker } from '../../io/link.ts';
import { blobPath, verifyInto, verifyRest } from '../../io/verify.ts';
import { changesOf } from './layoutFiles.ts';
import { mayBeWrongHere, type Parts } from './parts.ts';

/** The `blobs/` directory of one layout. Only regular files count: a link or device planted there is refused. */
export class BlobFiles {
  readonly #root: string;
  readonly #linker: Linker;
  readonly #checked = new Set<string>();
  readonly #touched = new Set<string>();

  constructor(root: string, linker: Linker) {
    this.#root = root;
    this.#linker = linker;
  }

  path(digest: Digest): string {
    return join(this.#root, blobPath(digest));
  }

  /** The file's facts, or undefined when there is none. @throws OCL_UNSAFE when it is not a regular file */
  async stat(digest: Digest): Promise<Stats | undefined> {
    await this.#checkDirectories(digest);
    const stats = await factsOf(this.path(digest));
    if (stats?.isFile() === false) throw unsafe(this.path(digest));
    return stats;
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return (await this.stat(descriptor.digest))?.size === descriptor.size;
  }

  /** @throws OCL_NOT_FOUND, OCL_UNSAFE */
  async open(digest: Digest, range?: ByteRange): Promise<Readable> {
    await this.#checkDirectories(digest);
    let handle;
    try {
      handle = await open(
        this.path(digest),
        constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
      );
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ELOOP' || code === 'ENXIO') throw unsafe(this.path(digest));
      if (isAbsent(error))
        throw new OclError('OCL_NOT_FOUND', `Cannot open ${digest}: ${this.#root} does not hold it`, { cause: error });
      throw error;
    }
    const stats = await handle.stat();
    if (!stats.isFile()) {
      await handle.close();
      throw unsafe(this.path(digest));
    }
    const start = Math.min(range?.start ?? 0, stats.size);
    const end = Math.min(range?.end ?? stats.size - 1, stats.size - 1);
    return new FileRange(handle, { start, length: Math.max(0, end + 1 - start), owned: true });
  }

  /**
   * Writes verified content; a file of that name is replaced only when the whole new one is there.
   * A transfer that broke off earlier goes on where it stood.
   */
  async put(descriptor: Descriptor, opened: Open, parts: Parts): Promise<void> {
    const directory = await this.#ensureDirectory(descriptor.digest);
    const file = await parts.begin(descriptor);
    const resumed = file.size > 0;
    try {
      await this.#fill(file, descriptor, opened, parts);
    } catch (error) {
      if (!resumed || !mayBeWrongHere(error)) throw error;
      // What lay here may be wrong, or the source cannot start in the middle: only what it sends from the beginning is held against it.
      await this.#fill(await parts.beginAnew(descriptor), descriptor, opened, parts);
    }
    this.#touched.add(directory);
  }

  async #fill(file: TemporaryFile, descriptor: Descriptor, opened: Open, parts: Parts): Promise<void> {
    const write = (chunk: Uint8Array): Promise<void> => file.write(chunk);
    const { size } = file;
    try {
      if (size === 0) await verifyInto(await opened(), descriptor, write);
      else await verifyRest(file.read(), () => opened(size), descriptor, write);
      await file.moveTo(this.path(descriptor.digest));
    } catch (error) {
      await parts.giveUp(file, descriptor, error);
      throw error;
    }
  }

  /**
   * Takes a file of another layout by link. Its content was verified when it came in, and nobody could change it since:
   * a file with a writable bit is declined, and so is one of another size.
   */
  async adopt(descriptor: Descriptor, path: string, temporaryDirectory: string): Promise<Shortcut | undefined> {
    // What is not there, or lies behind a link, is left to the source's own `open` to complain about.
    const stats = await factsOf(path);
    if (stats?.isFile() !== true || stats.size !== descriptor.size || (stats.mode & 0o222) !== 0) return undefined;
    for (const above of [dirname(path), dirname(dirname(path))])
      if ((await factsOf(above))?.isDirectory() !== true) return undefined;
    const directory = await this.#ensureDirectory(descriptor.digest);
    const shortcut = await this.#linker.link(path, this.path(descriptor.digest), temporaryDirectory);
    if (shortcut !== undefined) this.#touched.add(directory);
    return shortcut;
  }

  async remove(digest: Digest): Promise<boolean> {
    if ((await this.stat(digest)) === undefined) return false;
    await rm(this.path(digest), { force: true });
    return true;
  }

  /** Makes the names written since the last call durable. */
  async sync(): Promise<void> {
    const directories = [...this.#touched];
    for (const directory of directories) {
      this.#touched.delete(directory);
      try {
        await syncDirectory(directory);
      } catch (error) {
        this.#touched.add(directory);
        throw error;
      }
    }
  }

  /** Every regular file with a digest for a name. */
  async *list(): AsyncGenerator<StoredBlob> {
    for await (const algorithm of directoryEntries(join(this.#root, 'blobs'))) {
      for await (const encoded of directoryEntries(join(this.#root, 'blobs', algorithm))) {
        const digest = `${algorithm}:${encoded}`;
        if (!isDigest(digest)) continue;
        const stats = await factsOf(join(this.#root, 'blobs', algorithm, encoded));
        if (stats?.isFile() === true) yield { digest, size: stats.size };
      }
    }
  }

  /** The same as long as nothing was added or removed; undefined when that cannot be told. */
  async state(): Promise<string | undefined> {
    const paths = [join(this.#root, 'blobs')];
    for await (const algorithm of directoryEntries(join(this.#root, 'blobs')))
      paths.push(join(this.#root, 'blobs', algorithm));
    const facts = await Promise.all(paths.map(changesOf));
    return facts.includes(undefined) ? undefined : facts.join();
  }

  async #ensureDirectory(digest: Digest): Promise<string> {
    const { algorithm } = splitDigest(digest);
    const directory = join(this.#root, 'blobs', algorithm);
    if (!this.#checked.has(algorithm)) {
      await this.#checkDirectories(digest);
      await makeDirectory(directory);
      this.#touched.add(join(this.#root, 'blobs'));
    }
    return directory;
  }

  async #checkDirectories(digest: Digest): Promise<void> {
    const { algorithm } = splitDigest(digest);
    if (this.#checked.has(algorithm)) return;
    for (const directory of [this.#root, join(this.#root, 'blobs'), join(this.#root, 'blobs', algorithm)]) {
      const stats = await factsOf(directory);
      if (stats === undefined) return;
      if (directory !== this.#root && !stats.isDirectory()) throw unsafe(directory);
    }
    this.#checked.add(algorithm);
  }
}

/** @throws OCL_UNSAFE for a link: what is listed may be removed as garbage, and that must not happen elsewhere */
async function* directoryEntries(path: string): AsyncGenerator<string> {
  if ((await factsOf(path))?.isSymbolicLink() === true) throw unsafe(path);
  try {
    for await (const entry of await opendir(path)) yield entry.name;
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

function unsafe(path: string): OclError {
  return new OclError(
    'OCL_UNSAFE',
    `Cannot use ${path}: it is a link or no regular file, and could lead out of the layout`,
  );
}
