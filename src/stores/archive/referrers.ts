import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { referrersTag, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { referrerDescriptor } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { entryName } from '../../core/names.ts';

/** The verified bytes of a document, or undefined when the archive does not have it. */
export type ReadDocument = (descriptor: Descriptor) => Promise<Uint8Array | undefined>;

/** Bytes of all referrers whose annotations are kept in memory. */
const MAX_KEPT = 256 << 20;
const FALLBACK_TAG = /^[a-z0-9]+-[a-z0-9]{32,64}$/;

/** What refers to what in an archive: by the `subject` of its documents, and by the tags that stand in for the referrers API. */
export class ReferrerTable {
  readonly #bySubject = new Map<Digest, Map<Digest, Descriptor>>();
  readonly #byTag = new Map<string, readonly Descriptor[]>();
  readonly #read: ReadDocument;
  readonly #seen = new Set<Digest>();
  #kept = 0;

  private constructor(read: ReadDocument) {
    this.#read = read;
  }

  /**
   * Reads every document that the roots reach by way of indexes, and then those that nothing names, as cosign keeps bundles.
   * What cannot be parsed refers to nothing.
   * @param blobs all that may be such a document: small, and beginning like one
   * @throws OCL_LIMIT, OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH
   */
  static async build(
    roots: readonly Descriptor[],
    read: ReadDocument,
    blobs: AsyncIterable<StoredBlob>,
  ): Promise<ReferrerTable> {
    const table = new ReferrerTable(read);
    for (const root of roots) await table.#walk(root);
    for await (const blob of blobs) await table.#unlisted(blob);
    return table;
  }

  /** In the order in which the archive lists them; each once. */
  of(subject: Digest): readonly Descriptor[] {
    const found = new Map(this.#bySubject.get(subject));
    for (const entry of this.#byTag.get(referrersTag(subject)) ?? [])
      if (!found.has(entry.digest)) found.set(entry.digest, entry);
    return [...found.values()];
  }

  async #walk(root: Descriptor): Promise<void> {
    const open: { readonly descriptor: Descriptor; readonly depth: number }[] = [{ descriptor: root, depth: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { descriptor, depth } = next;
      if (this.#seen.has(descriptor.digest) || !isDocumentType(descriptor.mediaType)) continue;
      this.#seen.add(descriptor.digest);
      if (this.#seen.size > LIMITS.graphNodes) throw tooMuch(`more than ${LIMITS.graphNodes} documents`);
      if (depth > LIMITS.indexDepth) throw tooMuch(`indexes nested more than ${LIMITS.indexDepth} deep`);
      const bytes = await this.#read(descriptor);
      const document = bytes === undefined ? undefined : parsed(bytes, descriptor.digest, descriptor.mediaType);
      if (bytes === undefined || document === undefined) continue;
      if (document.subject !== undefined)
        this.#add(document.subject.digest, referrerDescriptor(descriptor, document), bytes.length);
      if (document.kind !== 'index') continue;
      const { tag } = depth === 0 ? entryName(descriptor) : {};
      if (tag !== undefined && FALLBACK_TAG.test(tag)) {
        this.#keep(bytes.length);
        this.#byTag.set(tag, document.manifests);
      }
      for (const child of document.manifests.toReversed()) open.push({ descriptor: child, depth: depth + 1 });
    }
  }

  /** Nobody has asked for these blobs: a broken one is for `ocl check` to tell. */
  async #unlisted({ digest, size }: StoredBlob): Promise<void> {
    if (this.#seen.has(digest)) return;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await this.#read({ mediaType: '', digest, size });
    } catch (error) {
      if (isCode(error, 'OCL_DIGEST_MISMATCH') || isCode(error, 'OCL_UNSUPPORTED')) return;
      throw error;
    }
    const document = bytes === undefined ? undefined : parsed(bytes, digest);
    if (document?.subject === undefined) return;
    const descriptor = { mediaType: document.mediaType, digest, size };
    this.#add(document.subject.digest, referrerDescriptor(descriptor, document), size);
  }

  #add(subject: Digest, referrer: Descriptor, bytes: number): void {
    this.#keep(bytes);
    const known = this.#bySubject.get(subject);
    if (known === undefined) this.#bySubject.set(subject, new Map([[referrer.digest, referrer]]));
    else known.set(referrer.digest, referrer);
  }

  #keep(bytes: number): void {
    this.#kept += bytes;
    if (this.#kept > MAX_KEPT) throw tooMuch(`referrers of more than ${MAX_KEPT} bytes`);
  }
}

function parsed(bytes: Uint8Array, digest: Digest, mediaType?: string): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, mediaType, digest);
  } catch (error) {
    if (isCode(error, 'OCL_DOCUMENT_INVALID') || isCode(error, 'OCL_UNSUPPORTED')) return undefined;
    throw error;
  }
}

function tooMuch(what: string): OclError {
  return new OclError('OCL_LIMIT', `Cannot list the referrers in the archive: it has ${what}`);
}
