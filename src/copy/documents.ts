import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { onSide } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../core/manifest.ts';
import { isIndexType } from '../core/mediaTypes.ts';
import { type Source } from '../core/store.ts';
import { embeddedData, readVerified } from '../io/verify.ts';

const KEPT_BYTES = 64 << 20;

/** A manifest or index: what it says, and the bytes whose digest it has. */
export interface Loaded {
  readonly bytes: Uint8Array;
  readonly document: ManifestDocument;
}

/**
 * Documents that a run has read. A manifest costs a pull at some registries, so it is asked for once;
 * the cache is bounded, and what fell out of it is read again.
 */
export class Documents {
  readonly #kept = new Map<Digest, Uint8Array>();
  #bytes = 0;

  /** @throws the source's failure, OCL_DIGEST_MISMATCH, OCL_DOCUMENT_INVALID, … on the source's side */
  async load(
    descriptor: Descriptor,
    from: Source,
    elsewhere?: (descriptor: Descriptor) => Promise<Uint8Array | undefined>,
  ): Promise<Loaded> {
    const bytes =
      this.#kept.get(descriptor.digest) ?? (await elsewhere?.(descriptor)) ?? (await this.#read(descriptor, from));
    this.#keep(descriptor.digest, bytes);
    try {
      return { bytes, document: parseManifest(bytes, descriptor.mediaType, `${descriptor.digest} of ${from.name}`) };
    } catch (error) {
      throw onSide(error, 'source');
    }
  }

  has(digest: Digest): boolean {
    return this.#kept.has(digest);
  }

  /** Bytes that were made here, not read. */
  add(digest: Digest, bytes: Uint8Array): void {
    this.#keep(digest, bytes);
  }

  async #read(descriptor: Descriptor, from: Source): Promise<Uint8Array> {
    try {
      const embedded = embeddedData(descriptor);
      if (embedded !== undefined) return embedded;
      return await readVerified(
        await from.open(descriptor),
        descriptor,
        isIndexType(descriptor.mediaType) ? LIMITS.indexBytes : LIMITS.manifestBytes,
      );
    } catch (error) {
      throw onSide(error, 'source');
    }
  }

  #keep(digest: Digest, bytes: Uint8Array): void {
    const before = this.#kept.get(digest);
    if (before !== undefined) {
      this.#kept.delete(digest);
      this.#bytes -= before.length;
    }
    this.#kept.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES || oldest === digest) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}

/** One document, read and verified. @throws as the source, OCL_DIGEST_MISMATCH, OCL_DOCUMENT_INVALID */
export async function loadDocument(descriptor: Descriptor, from: Source): Promise<Loaded> {
  return await new Documents().load(descriptor, from);
}
