import { Readable } from 'node:stream';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, referrersTag, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { type Shortcut } from '../../core/events.ts';
import { parseManifest } from '../../core/manifest.ts';
import { isDocumentType, isIndexType } from '../../core/mediaTypes.ts';
import { findEntry, listNames } from '../../core/names.ts';
import {
  type ByteRange,
  type Editor,
  type Gate,
  type LocalSource,
  type NamedRoot,
  type Open,
  type Place,
  type RootName,
  type Sink,
} from '../../core/store.ts';
import { describe, verifyInto } from '../../io/verify.ts';
import { Contents } from './contents.ts';

const READ_SIZE = 1 << 20;
const NO_GATES: readonly Gate[] = [];

/** A repository in memory, to read, to write and to take back from. */
export class MemoryStore implements LocalSource, Sink, Editor {
  readonly name: string;
  readonly gates = NO_GATES;
  readonly presence = 'node';
  readonly #contents: Contents;
  #uncommitted: NamedRoot[] = [];

  /** Several stores may stand on the same contents: each has names of its own that it has not committed yet. */
  constructor(name: string, contents: Contents = new Contents()) {
    this.name = name;
    this.#contents = contents;
  }

  /** Keeps a copy of the bytes and answers their descriptor (sha256). */
  putBytes(bytes: Uint8Array, mediaType: string): Descriptor {
    const descriptor = describe(bytes, mediaType);
    this.#contents.add(descriptor, bytes.slice());
    return descriptor;
  }

  async resolve(tagOrDigest: string): Promise<Descriptor> {
    const roots = this.#contents.roots();
    if (isDigest(tagOrDigest) && !roots.some(({ digest }) => digest === tagOrDigest))
      return this.#content(tagOrDigest).descriptor;
    return findEntry(roots, tagOrDigest);
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const { bytes } = this.#content(descriptor.digest);
    const end = range?.end === undefined ? bytes.length : Math.min(range.end + 1, bytes.length);
    return Readable.from(slices(bytes.subarray(range?.start ?? 0, end)), { objectMode: false });
  }

  place(_descriptor: Descriptor): Place {
    return { kind: 'elsewhere' };
  }

  async *tags(): AsyncGenerator<string> {
    yield* listNames(this.#contents.roots());
  }

  /** By `subject`, and what an older tool listed under the referrers tag. */
  async *referrers(subject: Descriptor): AsyncGenerator<Descriptor> {
    const seen = new Set<Digest>();
    for (const entry of [...this.#contents.referrersOf(subject.digest), ...this.#tagSchemaReferrers(subject.digest)]) {
      if (seen.has(entry.digest)) continue;
      seen.add(entry.digest);
      yield entry;
    }
  }

  roots(): Promise<readonly Descriptor[]> {
    return Promise.resolve(this.#contents.roots());
  }

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#contents.get(digest)?.descriptor.size);
  }

  async *blobs(): AsyncGenerator<StoredBlob> {
    for (const { descriptor } of this.#contents.all()) yield { digest: descriptor.digest, size: descriptor.size };
  }

  find(tag: string): Promise<Descriptor | undefined> {
    return Promise.resolve(this.#contents.tagged(tag));
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#contents.get(descriptor.digest)?.bytes.length === descriptor.size);
  }

  document(descriptor: Descriptor): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#contents.get(descriptor.digest)?.bytes);
  }

  adopt(_descriptor: Descriptor, _at: Place): Promise<Shortcut | undefined> {
    return Promise.resolve(undefined);
  }

  async put(descriptor: Descriptor, open: Open): Promise<void> {
    const chunks: Uint8Array[] = [];
    await verifyInto(await open(), descriptor, (chunk) => void chunks.push(chunk));
    // Copied, also a single piece: its memory may be of the pool, and who reads it from here would give it back.
    this.#contents.add(descriptor, Buffer.concat(chunks));
  }

  async tag(descriptor: Descriptor, name: RootName, open: Open): Promise<void> {
    const known = this.#contents.get(descriptor.digest);
    if (known === undefined) await this.put(descriptor, open);
    else this.#contents.add(descriptor, known.bytes);
    this.#uncommitted.push({ root: descriptor, name });
  }

  commit(): Promise<void> {
    this.#contents.publish(this.#uncommitted);
    this.#uncommitted = [];
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#uncommitted = [];
    return Promise.resolve();
  }

  untag(tag: string): Promise<boolean> {
    return Promise.resolve(this.#contents.unpublish(tag));
  }

  remove(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.#isDocument(digest) && this.#contents.delete(digest));
  }

  removeBlob(digest: Digest): Promise<boolean> {
    return Promise.resolve(!this.#isDocument(digest) && this.#contents.delete(digest));
  }

  #isDocument(digest: Digest): boolean {
    const content = this.#contents.get(digest);
    return content !== undefined && isDocumentType(content.descriptor.mediaType);
  }

  #content(digest: Digest): { readonly descriptor: Descriptor; readonly bytes: Uint8Array } {
    const content = this.#contents.get(digest);
    if (content === undefined)
      throw new OclError('OCL_NOT_FOUND', `Cannot find ${digest}: ${this.name} does not hold it`);
    return content;
  }

  #tagSchemaReferrers(subject: Digest): readonly Descriptor[] {
    const listed = this.#contents.tagged(referrersTag(subject));
    const content =
      listed === undefined || !isIndexType(listed.mediaType) ? undefined : this.#contents.get(listed.digest);
    if (content === undefined) return [];
    const document = parseManifest(content.bytes, content.descriptor.mediaType, `the referrers tag of ${subject}`);
    return document.kind === 'index' ? document.manifests : [];
  }
}

/** An empty repository in memory. `name` is how messages call it. */
export function createMemory(options: { readonly name?: string } = {}): MemoryStore {
  return new MemoryStore(options.name ?? 'memory');
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += READ_SIZE) yield bytes.subarray(start, start + READ_SIZE);
}
