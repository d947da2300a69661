import { Readable } from 'node:stream';
import { type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { documentLimit } from '../../core/mediaTypes.ts';
import {
  type ByteRange,
  type Fault,
  type Gate,
  type GivenVolumes,
  type LocalSource,
  type Place,
} from '../../core/store.ts';
import { embeddedData, readBounded, readVerified } from '../../io/verify.ts';
import { ReferrerTable } from './referrers.ts';

/** How the archive keeps its images: a layout in a tar file, or what `docker save` used to write. */
export type ArchiveKind = 'oci' | 'docker';

/** What the two kinds of archive know in their own ways. */
export interface Contents {
  readonly record?: BundleRecord | undefined;
  readonly volumes?: GivenVolumes | undefined;
  /** The entries of `index.json`, or what they would be. */
  roots(): Promise<readonly Descriptor[]>;
  /** @throws OCL_NOT_FOUND, OCL_AMBIGUOUS */
  resolve(wanted: string): Promise<Descriptor>;
  /** Undefined: the archive does not have it. */
  stream(digest: Digest, range: ByteRange | undefined): Promise<Readable | undefined>;
  names(): Promise<readonly string[]>;
  size(digest: Digest): Promise<number | undefined>;
  blobs(): AsyncIterable<StoredBlob>;
  faults?(): AsyncIterable<Fault>;
  place?(digest: Digest): Place;
}

const OPENING_BRACE = 0x7b;

/** An image archive as a source; contents are read where they lie in the file. */
export class ArchiveSource implements LocalSource {
  readonly name: string;
  readonly kind: ArchiveKind;
  readonly gates: readonly Gate[] = [];
  readonly #contents: Contents;
  readonly #close: () => Promise<void>;
  #referrers: Promise<ReferrerTable> | undefined;
  #closed: Promise<void> | undefined;

  constructor(name: string, kind: ArchiveKind, contents: Contents, close: () => Promise<void>) {
    this.name = name;
    this.kind = kind;
    this.#contents = contents;
    this.#close = close;
  }

  get record(): BundleRecord | undefined {
    return this.#contents.record;
  }

  get volumes(): GivenVolumes | undefined {
    return this.#contents.volumes;
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#contents.resolve(tagOrDigest);
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const stream = await this.#contents.stream(descriptor.digest, range);
    if (stream !== undefined) return stream;
    const data = embeddedData(descriptor);
    if (data !== undefined)
      return Readable.from([range === undefined ? data : cut(data, range)], { objectMode: false });
    throw new OclError('OCL_NOT_FOUND', `Cannot read ${descriptor.digest}: ${this.name} does not have it`);
  }

  place({ digest }: Descriptor): Place {
    return this.#contents.place?.(digest) ?? { kind: 'elsewhere' };
  }

  async *tags(): AsyncIterable<string> {
    yield* await this.#contents.names();
  }

  async *referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    this.#referrers ??= this.#readReferrers();
    yield* (await this.#referrers).of(subject.digest);
  }

  roots(): Promise<readonly Descriptor[]> {
    return this.#contents.roots();
  }

  size(digest: Digest): Promise<number | undefined> {
    return this.#contents.size(digest);
  }

  blobs(): AsyncIterable<StoredBlob> {
    return this.#contents.blobs();
  }

  async *faults(): AsyncGenerator<Fault> {
    if (this.#contents.faults !== undefined) yield* this.#contents.faults();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #readReferrers(): Promise<ReferrerTable> {
    // The images of a docker archive are made up while it is read, and nothing refers to anything.
    const roots = this.kind === 'docker' ? [] : (this.volumes?.roots ?? (await this.roots()));
    const read = async (descriptor: Descriptor): Promise<Uint8Array | undefined> => {
      const stream = await this.#contents.stream(descriptor.digest, undefined);
      const limit = documentLimit(descriptor.mediaType);
      return stream === undefined ? undefined : readVerified(stream, descriptor, limit);
    };
    return ReferrerTable.build(roots, read, this.#likeDocuments());
  }

  async *#likeDocuments(): AsyncGenerator<StoredBlob> {
    if (this.kind === 'docker') return;
    for await (const blob of this.#contents.blobs()) {
      if (blob.size > LIMITS.manifestBytes) continue;
      const head = await this.#contents.stream(blob.digest, { start: 0, end: 0 });
      if (head !== undefined && (await readBounded(head, 1, blob.digest))[0] === OPENING_BRACE) yield blob;
    }
  }
}

function cut(bytes: Uint8Array, range: ByteRange): Uint8Array {
  return bytes.subarray(range.start, range.end === undefined ? bytes.length : range.end + 1);
}
