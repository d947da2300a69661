import { Readable } from 'node:stream';
import { type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { referrerDescriptor } from '../core/graph.ts';
import { parseManifest } from '../core/manifest.ts';
import { findEntry, listNames } from '../core/names.ts';
import { type ByteRange, type Gate, type LocalSource, type Place, type Source } from '../core/store.ts';
import { type Shelf } from './shelf.ts';

/** Where a content of a stream has come to lie, or why it has not. */
export type Received = { readonly at: Source } | { readonly failure: OclError };

/** A bundle that has flowed by: its documents are kept, its contents lie in the target already. */
export class ReceivedBundle implements LocalSource {
  readonly name: string;
  readonly gates: readonly Gate[] = [];
  /** Bytes that have flowed into the target on the way. */
  readonly streamed: number;
  readonly #roots: readonly Descriptor[];
  readonly #shelf: Shelf;
  readonly #sizes: ReadonlyMap<Digest, number>;
  readonly #contents: ReadonlyMap<Digest, Received>;
  #referrers: Promise<ReadonlyMap<Digest, readonly Descriptor[]>> | undefined;

  constructor(
    name: string,
    roots: readonly Descriptor[],
    kept: {
      readonly shelf: Shelf;
      /** Of all that came, by digest. */
      readonly sizes: ReadonlyMap<Digest, number>;
      readonly contents: ReadonlyMap<Digest, Received>;
      readonly streamed: number;
    },
  ) {
    this.name = name;
    this.streamed = kept.streamed;
    this.#roots = roots;
    this.#shelf = kept.shelf;
    this.#sizes = kept.sizes;
    this.#contents = kept.contents;
  }

  async resolve(wanted: string): Promise<Descriptor> {
    return findEntry(this.#roots, wanted);
  }

  async open(descriptor: Descriptor, range: ByteRange = { start: 0 }): Promise<Readable> {
    const bytes = await this.#shelf.get(descriptor.digest);
    if (bytes !== undefined)
      return Readable.from([bytes.subarray(range.start, range.end === undefined ? undefined : range.end + 1)], {
        objectMode: false,
      });
    const received = this.#contents.get(descriptor.digest);
    if (received === undefined)
      throw new OclError('OCL_NOT_FOUND', `Cannot read ${descriptor.digest}: ${this.name} did not bring it`);
    if ('failure' in received) throw received.failure;
    return await received.at.open(descriptor, range);
  }

  place(descriptor: Descriptor): Place {
    const received = this.#contents.get(descriptor.digest);
    return received !== undefined && 'at' in received ? received.at.place(descriptor) : { kind: 'elsewhere' };
  }

  async *tags(): AsyncGenerator<string> {
    yield* listNames(this.#roots);
  }

  async *referrers(subject: Descriptor): AsyncGenerator<Descriptor> {
    this.#referrers ??= this.#readReferrers();
    yield* (await this.#referrers).get(subject.digest) ?? [];
  }

  roots(): Promise<readonly Descriptor[]> {
    return Promise.resolve(this.#roots);
  }

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#sizes.get(digest));
  }

  async *blobs(): AsyncGenerator<StoredBlob> {
    for (const [digest, size] of this.#sizes) yield { digest, size };
  }

  async close(): Promise<void> {
    await this.#shelf.close();
  }

  async #readReferrers(): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
    const found = new Map<Digest, Descriptor[]>();
    for (const digest of this.#shelf.digests) {
      const bytes = await this.#shelf.get(digest);
      if (bytes === undefined) continue;
      const document = parseManifest(bytes, undefined, digest);
      if (document.subject === undefined) continue;
      const referrer = referrerDescriptor({ mediaType: document.mediaType, digest, size: bytes.length }, document);
      const known = found.get(document.subject.digest);
      if (known === undefined) found.set(document.subject.digest, [referrer]);
      else known.push(referrer);
    }
    return found;
  }
}
