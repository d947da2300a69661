import { type Readable } from 'node:stream';
import { RECORD_ENTRY, type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { findEntry, listNames } from '../../core/names.ts';
import { type ByteRange, type Fault } from '../../core/store.ts';
import { type Tarball } from '../../io/tarball.ts';
import { blobPath } from '../../io/verify.ts';
import { fileFaults, providedBy } from './faults.ts';
import { blobDigest, describeDocument, readIndexEntries } from './ociFiles.ts';
import { type Contents } from './source.ts';

/** A layout in one tar file. */
export class OciContents implements Contents {
  readonly record: BundleRecord | undefined;
  readonly #tarball: Tarball;
  readonly #path: string;
  readonly #roots: readonly Descriptor[];

  private constructor(
    tarball: Tarball,
    path: string,
    { roots, record }: { readonly roots: readonly Descriptor[]; readonly record: BundleRecord | undefined },
  ) {
    this.record = record;
    this.#tarball = tarball;
    this.#path = path;
    this.#roots = roots;
  }

  /** @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
  static async read(tarball: Tarball, path: string, record: BundleRecord | undefined): Promise<OciContents> {
    return new OciContents(tarball, path, { roots: await readIndexEntries(tarball, path), record });
  }

  async roots(): Promise<readonly Descriptor[]> {
    return this.#roots;
  }

  async names(): Promise<readonly string[]> {
    return listNames(this.#roots);
  }

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#tarball.find(blobPath(digest))?.size);
  }

  async *blobs(): AsyncIterable<StoredBlob> {
    for (const name of this.#tarball.names()) {
      const digest = blobDigest(name);
      const entry = digest === undefined ? undefined : this.#tarball.find(name);
      if (digest !== undefined && entry !== undefined) yield { digest, size: entry.size };
    }
  }

  async resolve(wanted: string): Promise<Descriptor> {
    if (isDigest(wanted) && !this.#roots.some(({ digest }) => digest === wanted)) {
      const document = await describeDocument(this, wanted, this.#path);
      if (document !== undefined) return document;
    }
    return findEntry(this.#roots, wanted);
  }

  async *faults(): AsyncGenerator<Fault> {
    if (this.record === undefined) return;
    const { record } = this;
    yield* fileFaults({ path: this.#path, tarball: this.#tarball }, providedBy(record));
    const brought = new Set(record.provides?.map(({ digest }) => digest));
    const both = record.requires?.find(({ digest }) => brought.has(digest));
    if (both !== undefined)
      yield { path: this.#path, entry: RECORD_ENTRY, message: `it requires ${both.digest}, and brings it` };
  }

  async stream(digest: Digest, range: ByteRange | undefined): Promise<Readable | undefined> {
    const entry = this.#tarball.find(blobPath(digest));
    return entry === undefined ? undefined : this.#tarball.stream(entry, range);
  }
}
