import { type Readable } from 'node:stream';
import { type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type ByteRange, type Gate, type LocalSource, type Place, type Sink, type Source } from '../core/store.ts';

/**
 * What one layout of a library has received from bundles is linked into the others, and not written once more. Images come one after the
 * other.
 */
export class SharedContents {
  readonly #arrived = new Map<Digest, Source>();

  /** A bundle some of whose contents lie in the library already. */
  view(bundle: LocalSource): SharedView {
    return new SharedView(bundle, this.#arrived);
  }
}

export class SharedView implements LocalSource {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #bundle: LocalSource;
  readonly #arrived: Map<Digest, Source>;
  /** Contents that flowed for the image that is under way. */
  readonly #opened = new Set<Digest>();

  constructor(bundle: LocalSource, arrived: Map<Digest, Source>) {
    this.name = bundle.name;
    this.gates = bundle.gates;
    this.#bundle = bundle;
    this.#arrived = arrived;
  }

  /** The image is whole in its layout, and so is all that flowed for it. */
  settle(to: Sink): void {
    if ('place' in to) for (const digest of this.#opened) this.#arrived.set(digest, to as Sink & Source);
    this.#opened.clear();
  }

  /** The image failed: nobody knows what came of it. */
  giveUp(): void {
    this.#opened.clear();
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#bundle.resolve(tagOrDigest);
  }

  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    if (!isDocumentType(descriptor.mediaType)) this.#opened.add(descriptor.digest);
    return this.#bundle.open(descriptor, range);
  }

  place(descriptor: Descriptor): Place {
    return (this.#arrived.get(descriptor.digest) ?? this.#bundle).place(descriptor);
  }

  tags(): AsyncIterable<string> {
    return this.#bundle.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#bundle.referrers(subject);
  }

  roots(): Promise<readonly Descriptor[]> {
    return this.#bundle.roots();
  }

  size(digest: Digest): Promise<number | undefined> {
    return this.#bundle.size(digest);
  }

  blobs(): AsyncIterable<StoredBlob> {
    return this.#bundle.blobs();
  }

  async close(): Promise<void> {}
}
