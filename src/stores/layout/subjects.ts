import { plainDescriptor, type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { children, referrerDescriptor } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { digestOf, readBounded } from '../../io/verify.ts';
import { type BlobFiles } from './blobFiles.ts';

/** What is remembered of a manifest: little, for there may be many. */
interface Known {
  readonly below: readonly Descriptor[];
  readonly subject?: Digest | undefined;
  /** The descriptor under which it is listed, when it has a subject. */
  readonly referrer?: Descriptor | undefined;
}

/** Who refers to whom, as long as neither contents nor roots change. */
interface List {
  readonly state: string | undefined;
  readonly roots: readonly Descriptor[];
  readonly referrers: ReadonlyMap<Digest, ReadonlyMap<Digest, Descriptor>>;
}

/**
 * Which manifests of a layout refer to which subject. A layout has no list of them, and tools keep them in three ways:
 * as entries of `index.json` (oras, ocl), below a fallback tag (regclient), or as blobs that nothing names (cosign save).
 * What a blob is does not change, so each is read once.
 */
export class Subjects {
  readonly #blobs: BlobFiles;
  readonly #known = new Map<Digest, Known>();
  /** Small blobs that are configs, layers or anything else that is no manifest. */
  readonly #content = new Set<Digest>();
  #list: List | undefined;

  constructor(blobs: BlobFiles) {
    this.#blobs = blobs;
  }

  /** The referrers of a subject, each once. @param roots the same array as long as they are the same */
  async of(subject: Descriptor, roots: readonly Descriptor[]): Promise<readonly Descriptor[]> {
    const state = await this.#blobs.state();
    if (state === undefined || this.#list?.state !== state || this.#list.roots !== roots)
      this.#list = { state, roots, referrers: await this.#collect(roots) };
    return [...(this.#list.referrers.get(subject.digest)?.values() ?? [])];
  }

  async #collect(roots: readonly Descriptor[]): Promise<ReadonlyMap<Digest, ReadonlyMap<Digest, Descriptor>>> {
    const bySubject = new Map<Digest, Map<Digest, Descriptor>>();
    for await (const { subject, referrer } of this.#all(roots)) {
      if (subject === undefined || referrer === undefined) continue;
      const found = bySubject.get(subject) ?? new Map<Digest, Descriptor>();
      bySubject.set(subject, found.set(referrer.digest, referrer));
    }
    return bySubject;
  }

  async *#all(roots: readonly Descriptor[]): AsyncGenerator<Known> {
    const seen = new Set<Digest>();
    for (const root of roots) yield* this.#tree(root, seen, 0);
    const blobs: StoredBlob[] = [];
    for await (const blob of this.#blobs.list()) blobs.push(blob);
    // Directories are listed in no order; what is made of the list shall be the same each time.
    for (const { digest, size } of blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) {
      if (seen.has(digest) || this.#content.has(digest) || size > LIMITS.manifestBytes) continue;
      const known = await this.#document({ mediaType: '', digest, size });
      if (known !== undefined) yield known;
    }
  }

  async *#tree(descriptor: Descriptor, seen: Set<Digest>, depth: number): AsyncGenerator<Known> {
    if (seen.has(descriptor.digest) || depth > LIMITS.indexDepth || !isDocumentType(descriptor.mediaType)) return;
    seen.add(descriptor.digest);
    const known = await this.#document(descriptor);
    if (known === undefined) return;
    yield known;
    for (const child of known.below) yield* this.#tree(child, seen, depth + 1);
  }

  /** The blob as a manifest, or undefined for everything else: content of any kind may lie in a layout. */
  async #document(descriptor: Descriptor): Promise<Known | undefined> {
    const before = this.#known.get(descriptor.digest);
    if (before !== undefined) return before;
    const stats = await this.#blobs.stat(descriptor.digest);
    if (stats === undefined) return undefined;
    const known = await this.#read(descriptor, stats.size);
    if (known === undefined) this.#content.add(descriptor.digest);
    else this.#known.set(descriptor.digest, known);
    return known;
  }

  async #read(descriptor: Descriptor, size: number): Promise<Known | undefined> {
    const { digest } = descriptor;
    if (size > LIMITS.indexBytes || (descriptor.mediaType === '' && !(await this.#looksLikeJson(digest))))
      return undefined;
    const bytes = await readBounded(await this.#blobs.open(digest), LIMITS.indexBytes, digest);
    const algorithm = verifiableAlgorithm(digest);
    if (algorithm !== undefined && digestOf(bytes, algorithm) !== digest) return undefined;
    let document: ManifestDocument;
    try {
      document = parseManifest(bytes, descriptor.mediaType === '' ? undefined : descriptor.mediaType, digest);
    } catch {
      return undefined;
    }
    return this.#remember({ mediaType: document.mediaType, digest, size: bytes.length }, document);
  }

  #remember(descriptor: Descriptor, document: ManifestDocument): Known {
    const below: Descriptor[] = [];
    for (const child of children(document)) {
      if (child.role === 'manifest') below.push(plainDescriptor(child.descriptor));
      else if (child.descriptor.size <= LIMITS.manifestBytes) this.#content.add(child.descriptor.digest);
    }
    if (document.subject === undefined) return { below };
    return { below, subject: document.subject.digest, referrer: referrerDescriptor(descriptor, document) };
  }

  async #looksLikeJson(digest: Digest): Promise<boolean> {
    const head = await readBounded(await this.#blobs.open(digest, { start: 0, end: 0 }), 1, digest);
    return head[0] === 0x7b;
  }
}
