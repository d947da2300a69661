import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Clock } from '../../core/clock.ts';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { type Emit, type Shortcut } from '../../core/events.ts';
import { referrerDescriptor } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest } from '../../core/manifest.ts';
import { isDocumentType, documentLimit } from '../../core/mediaTypes.ts';
import { findEntry, listNames } from '../../core/names.ts';
import {
  type ByteRange,
  type Editor,
  type Gate,
  type LocalSource,
  type Open,
  type Place,
  type RootName,
  type Sink,
} from '../../core/store.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { type Linker } from '../../io/link.ts';
import { type LockOptions } from '../../io/lock.ts';
import { digestOf, readBounded, readVerified } from '../../io/verify.ts';
import { BlobFiles } from './blobFiles.ts';
import { applyChanges, encodeIndexFile, entriesNamed, type Change, type IndexFile } from './indexFile.ts';
import { addHold, removeHold } from './holds.ts';
import { isUseful, type Parts } from './parts.ts';
import { checkLayout, checkLayoutOrNew, createLayout, IndexReader, isLayout } from './layoutFiles.ts';
import { brokenOff, registerWriter, withLayoutLock, type Writer } from './session.ts';
import { Subjects } from './subjects.ts';

export { isLayout };

export interface LayoutOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** One for the whole run: it remembers which pairs of devices can link. */
  readonly linker: Linker;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for another process's lock. */
  readonly lockTimeout?: number | undefined;
  /** Adopted files are hashed again instead of linked on trust. */
  readonly reverify?: boolean | undefined;
}

/** One OCI image layout directory, to read and to write (image-spec image-layout.md). */
export class LayoutStore implements LocalSource, Sink, Editor {
  readonly name: string;
  readonly gates: readonly Gate[] = [];
  readonly presence = 'node';
  readonly root: string;
  readonly #options: LayoutOptions;
  readonly #blobs: BlobFiles;
  readonly #subjects: Subjects;
  readonly #index: IndexReader;
  /** Documents whose bytes were seen to be right. */
  readonly #verified = new Set<Digest>();
  #changes: Change[] = [];
  readonly #holds = new Map<string, Set<Digest>>();
  readonly #released = new Set<string>();
  #roots: { readonly entries: IndexFile['entries']; readonly descriptors: readonly Descriptor[] } | undefined;
  /** `index.json` with the first changes of a list applied to it. */
  #applied:
    | {
        readonly base: IndexFile;
        readonly changes: readonly Change[];
        readonly count: number;
        readonly file: IndexFile;
      }
    | undefined;
  #writer: Promise<Writer> | undefined;

  constructor(root: string, options: LayoutOptions) {
    this.root = root;
    this.name = `ocidir://${root}`;
    this.#options = options;
    this.#blobs = new BlobFiles(root, options.linker);
    this.#subjects = new Subjects(this.#blobs);
    this.#index = new IndexReader(root);
  }

  async resolve(wanted: string): Promise<Descriptor> {
    const entries = await this.roots();
    try {
      return findEntry(entries, wanted);
    } catch (error) {
      if (!isDigest(wanted) || !isCode(error, 'OCL_NOT_FOUND')) throw error;
      return await this.#describeBlob(wanted);
    }
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    return await this.#blobs.open(descriptor.digest, range);
  }

  place(descriptor: Descriptor): Place {
    return { kind: 'file', path: this.#blobs.path(descriptor.digest) };
  }

  async *tags(): AsyncGenerator<string> {
    yield* listNames(await this.roots());
  }

  async *referrers(subject: Descriptor): AsyncGenerator<Descriptor> {
    yield* await this.#subjects.of(subject, await this.roots());
  }

  /** The entries with the changes of this process that are not committed yet. */
  async roots(): Promise<readonly Descriptor[]> {
    const { entries } = this.#afterChanges(await this.readIndex());
    if (this.#roots?.entries !== entries)
      this.#roots = { entries, descriptors: entries.map((entry) => entry.descriptor) };
    return this.#roots.descriptors;
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#blobs.stat(digest))?.size;
  }

  blobs(): AsyncIterable<StoredBlob> {
    return this.#blobs.list();
  }

  async unfinished(): Promise<readonly StoredBlob[]> {
    const parts = await brokenOff(this.root, this.#options.clock.now());
    return parts.filter(isUseful).map(({ digest, stats }) => ({ digest, size: stats.size }));
  }

  async find(tag: string): Promise<Descriptor | undefined> {
    const roots = (await this.roots()).map((descriptor) => ({ descriptor }));
    const [first, ...others] = entriesNamed(roots, { tag });
    // What is named twice is named anew, so that it is named once.
    const agree = others.every(({ descriptor }) => descriptor.digest === first?.descriptor.digest);
    return agree ? first?.descriptor : undefined;
  }

  async begin(): Promise<void> {
    await this.#beWriter();
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    if (!(await this.#blobs.has(descriptor))) return false;
    // A damaged document would hide what is below it, and is small enough to be looked at.
    const known = !isDocumentType(descriptor.mediaType) || this.#verified.has(descriptor.digest);
    return known || (await this.document(descriptor)) !== undefined;
  }

  async document(descriptor: Descriptor): Promise<Uint8Array | undefined> {
    if (!(await this.#blobs.has(descriptor))) return undefined;
    try {
      const stream = await this.#blobs.open(descriptor.digest);
      const bytes = await readVerified(stream, descriptor, documentLimit(descriptor.mediaType));
      this.#verified.add(descriptor.digest);
      return bytes;
    } catch (error) {
      if (isCode(error, 'OCL_DIGEST_MISMATCH')) return undefined;
      throw error;
    }
  }

  async adopt(descriptor: Descriptor, at: Place): Promise<Shortcut | undefined> {
    if (at.kind !== 'file' || this.#options.reverify === true) return undefined;
    const { parts } = await this.#beWriter();
    return await this.#blobs.adopt(descriptor, at.path, parts.directory);
  }

  async put(descriptor: Descriptor, opened: Open): Promise<void> {
    const { parts } = await this.#beWriter();
    if (!isDocumentType(descriptor.mediaType)) {
      await this.#blobs.put(descriptor, opened, parts);
      return;
    }
    const bytes = await readVerified(await opened(), descriptor, documentLimit(descriptor.mediaType));
    await this.#putDocument(descriptor, bytes, parts);
  }

  async tag(descriptor: Descriptor, name: RootName, opened: Open): Promise<void> {
    if (!(await this.has(descriptor))) await this.put(descriptor, opened);
    this.#changes.push({ type: 'tag', descriptor, name });
  }

  async hold(key: string, digests: readonly Digest[]): Promise<void> {
    await this.#beWriter();
    const held = this.#holds.get(key) ?? new Set();
    this.#holds.set(key, held);
    for (const digest of digests) held.add(digest);
  }

  async release(key: string): Promise<void> {
    await this.#beWriter();
    this.#holds.delete(key);
    this.#released.add(key);
  }

  async commit(): Promise<void> {
    if (this.#changes.length === 0 && this.#writer === undefined) return;
    await this.#beWriter();
    const changes = this.#changes;
    this.#changes = [];
    try {
      await this.#blobs.sync();
      // Not stopped by the signal: what has arrived whole gets its name.
      await withLayoutLock(this.root, { ...this.#lockOptions(), signal: undefined }, async () => {
        for (const [key, digests] of this.#holds) await addHold(this.root, key, digests);
        const { file, changed } = applyChanges(await this.readIndex(), changes);
        if (changed) await writeFileAtomic(join(this.root, 'index.json'), encodeIndexFile(file));
        const kept = new Set(file.entries.map((entry) => entry.descriptor.digest));
        for (const change of changes)
          if (change.type === 'remove' && !kept.has(change.digest)) await this.#blobs.remove(change.digest);
        for (const key of this.#released) await removeHold(this.root, key);
      });
      this.#holds.clear();
      this.#released.clear();
    } catch (error) {
      this.#changes = [...changes, ...this.#changes];
      throw error;
    }
  }

  async close(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    this.#changes = [];
    this.#holds.clear();
    this.#released.clear();
    if (writer === undefined) return;
    // A writer that could not be registered has told so at the call that needed it.
    const known = await writer.catch(() => undefined);
    await known?.leave();
  }

  async untag(tag: string): Promise<boolean> {
    const roots = (await this.roots()).map((descriptor) => ({ descriptor }));
    if (entriesNamed(roots, { tag }).length === 0) return false;
    this.#changes.push({ type: 'untag', tag });
    return true;
  }

  /** The names go at `commit`, and the file after them: a crash leaves no name without content. */
  async remove(digest: Digest): Promise<boolean> {
    if ((await this.#blobs.stat(digest)) === undefined) return false;
    await this.#beWriter();
    this.#changes.push({ type: 'remove', digest });
    return true;
  }

  async removeBlob(digest: Digest): Promise<boolean> {
    await this.#beWriter();
    return await this.#blobs.remove(digest);
  }

  /** `index.json` as it is on disk. @throws OCL_LAYOUT_INVALID */
  async readIndex(): Promise<IndexFile> {
    return await this.#index.read();
  }

  /** Where the file of a blob is, whether it exists or not. */
  blobFile(digest: Digest): string {
    return this.#blobs.path(digest);
  }

  /** Applies only what came since the last time: a run asks once for each of its images. */
  #afterChanges(base: IndexFile): IndexFile {
    const changes = this.#changes;
    const known = this.#applied?.base === base && this.#applied.changes === changes ? this.#applied : undefined;
    const { file } = applyChanges(known?.file ?? base, changes.slice(known?.count ?? 0));
    this.#applied = { base, changes, count: changes.length, file };
    return file;
  }

  async #putDocument(descriptor: Descriptor, bytes: Uint8Array, parts: Parts): Promise<void> {
    const document = parseManifest(bytes, descriptor.mediaType, `the manifest ${descriptor.digest}`);
    await this.#blobs.put(descriptor, (from = 0) => Promise.resolve(Readable.from([bytes.subarray(from)])), parts);
    // A layout has no list of referrers: as entries of index.json they are found by others, and kept by `gc`.
    if (document.subject !== undefined)
      this.#changes.push({ type: 'keep', descriptor: referrerDescriptor(descriptor, document) });
  }

  async #describeBlob(digest: Digest): Promise<Descriptor> {
    const stats = await this.#blobs.stat(digest);
    if (stats === undefined)
      throw new OclError('OCL_NOT_FOUND', `Cannot find ${digest} in ${this.name}`, { hint: `ocl ls ${this.name}` });
    const bytes = await readBounded(await this.#blobs.open(digest), LIMITS.indexBytes, digest);
    const algorithm = verifiableAlgorithm(digest);
    if (algorithm !== undefined && digestOf(bytes, algorithm) !== digest)
      throw new OclError('OCL_DIGEST_MISMATCH', `Cannot read ${digest} in ${this.name}: the content is another`, {
        hint: `ocl check ${this.name}`,
      });
    return { mediaType: parseManifest(bytes, undefined, digest).mediaType, digest, size: bytes.length };
  }

  /** From the first write on, the garbage collector of another process keeps away. */
  async #beWriter(): Promise<Writer> {
    this.#writer ??= this.#startWriting();
    return await this.#writer;
  }

  async #startWriting(): Promise<Writer> {
    return await registerWriter(this.root, this.#lockOptions(), async () => await createLayout(this.root));
  }

  #lockOptions(): LockOptions {
    const { clock, emit, signal, lockTimeout } = this.#options;
    return { clock, emit, signal, timeout: lockTimeout };
  }
}

/** Opens a layout that exists. @throws OCL_NOT_FOUND, OCL_LAYOUT_INVALID */
export async function openLayout(root: string, options: LayoutOptions): Promise<LayoutStore> {
  await checkLayout(root);
  const store = new LayoutStore(root, options);
  await store.readIndex();
  return store;
}

/** Opens a layout for writing; what is missing is made at the first write. @throws OCL_LAYOUT_INVALID when other things are there */
export async function openOrCreateLayout(root: string, options: LayoutOptions): Promise<LayoutStore> {
  await checkLayoutOrNew(root);
  return new LayoutStore(root, options);
}
