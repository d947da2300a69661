import pLimit from 'p-limit';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { verifiableAlgorithm, type Digest } from '../core/digest.ts';
import { isCode, OclError, toOclError } from '../core/errors.ts';
import { silent, type Emit } from '../core/events.ts';
import { children, isForeign } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType, isIndexType } from '../core/mediaTypes.ts';
import { type LocalSource } from '../core/store.ts';
import { embeddedData, readVerified, verifyInto } from '../io/verify.ts';

/** What can be wrong with a piece of content. All but the last three are damage. */
export type FindingKind =
  | 'missing'
  | 'short'
  | 'altered'
  | 'undecodable'
  | 'unsafe'
  | 'unreferenced'
  | 'absent'
  | 'unverifiable';

export interface Finding {
  readonly kind: FindingKind;
  readonly digest: Digest;
  /** Bytes, as promised where somebody promises, else as stored. */
  readonly size: number;
  readonly mediaType?: string | undefined;
  /** What names it: a name of the store, or the digest of the document. */
  readonly neededBy?: string | undefined;
  readonly message: string;
}

export interface CheckReport {
  readonly roots: number;
  readonly documents: number;
  readonly blobs: number;
  /** Bytes that were hashed. */
  readonly bytes: number;
  readonly findings: readonly Finding[];
  readonly damaged: boolean;
}

export interface CheckOptions {
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly concurrency?: number | undefined;
}

const HARMLESS: ReadonlySet<FindingKind> = new Set(['unreferenced', 'absent', 'unverifiable']);

/**
 * Holds a layout or archive against its own promises: walks every graph, hashes every content once, referenced or not.
 * Damage is reported, not thrown; a store that cannot be opened at all has failed before.
 */
export async function checkStore(store: LocalSource, options: CheckOptions = {}): Promise<CheckReport> {
  return await new Check(store, options).run();
}

class Check {
  readonly #store: LocalSource;
  readonly #emit: Emit;
  readonly #signal: AbortSignal | undefined;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #sizes = new Map<Digest, number>();
  readonly #reached = new Set<Digest>();
  readonly #findings: Finding[] = [];
  #documents = 0;
  #bytes = 0;

  constructor(store: LocalSource, options: CheckOptions) {
    this.#store = store;
    this.#emit = options.emit ?? silent;
    this.#signal = options.signal;
    this.#limit = pLimit(options.concurrency ?? 3);
  }

  async run(): Promise<CheckReport> {
    for await (const { digest, size } of this.#store.blobs()) this.#sizes.set(digest, size);
    const total = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    this.#emit({ type: 'image.plan', image: this.#store.name, nodes: this.#sizes.size, bytes: total });
    const roots = await this.#store.roots();
    const contents: Descriptor[] = [];
    for (const root of roots) await this.#reach(root, nameOf(root), contents, 0, true);
    const rest = [...this.#sizes].filter(([digest]) => !this.#reached.has(digest));
    await Promise.all(
      [...contents, ...rest.map(([digest, size]): Descriptor => ({ mediaType: '', digest, size }))].map(
        async (descriptor) => await this.#limit(() => this.#hash(descriptor)),
      ),
    );
    for (const [digest, size] of rest) {
      if (!this.#findings.some((finding) => finding.digest === digest))
        this.#find('unreferenced', { mediaType: '', digest, size }, undefined, 'nothing in index.json reaches it');
    }
    const damaged = this.#findings.some(({ kind }) => !HARMLESS.has(kind));
    return {
      roots: roots.length,
      documents: this.#documents,
      blobs: this.#sizes.size,
      bytes: this.#bytes,
      findings: this.#findings,
      damaged,
    };
  }

  /** Walks documents at once and collects all other content, to be hashed side by side. */
  async #reach(
    descriptor: Descriptor,
    neededBy: string,
    contents: Descriptor[],
    depth: number,
    required: boolean,
  ): Promise<void> {
    if (this.#reached.has(descriptor.digest)) return;
    this.#reached.add(descriptor.digest);
    this.#signal?.throwIfAborted();
    const size = this.#sizes.get(descriptor.digest);
    if (size === undefined) {
      if (embedded(descriptor)) return;
      if (required) this.#find('missing', descriptor, neededBy, 'it is not there');
      else this.#find('absent', descriptor, neededBy, 'this part of the index was not copied');
      return;
    }
    if (size !== descriptor.size) {
      this.#find(
        size < descriptor.size ? 'short' : 'altered',
        descriptor,
        neededBy,
        `it has ${size} bytes instead of ${descriptor.size}`,
      );
      return;
    }
    if (!isDocumentType(descriptor.mediaType)) {
      contents.push(descriptor);
      return;
    }
    const document = await this.#document(descriptor, neededBy);
    if (document === undefined) return;
    if (depth >= LIMITS.indexDepth) {
      this.#find('undecodable', descriptor, neededBy, `indexes are nested more than ${LIMITS.indexDepth} deep`);
      return;
    }
    await this.#reachChildren(descriptor, document, contents, depth);
  }

  /** A part of an index may be left out on purpose, as long as another part is there. */
  async #reachChildren(
    parent: Descriptor,
    document: ManifestDocument,
    contents: Descriptor[],
    depth: number,
  ): Promise<void> {
    const below = children(document);
    const sparse = document.kind === 'index' && below.some((child) => this.#sizes.has(child.descriptor.digest));
    for (const child of below)
      await this.#reach(child.descriptor, parent.digest, contents, depth + 1, !sparse && !isForeign(child));
  }

  async #document(descriptor: Descriptor, neededBy: string): Promise<ManifestDocument | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await readVerified(
        await this.#store.open(descriptor),
        descriptor,
        isIndexType(descriptor.mediaType) ? LIMITS.indexBytes : LIMITS.manifestBytes,
      );
    } catch (error) {
      this.#failed(descriptor, neededBy, error);
      return undefined;
    }
    this.#documents++;
    this.#count(descriptor, bytes.length);
    try {
      return parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    } catch (error) {
      this.#find('undecodable', descriptor, neededBy, toOclError(error).message);
      return undefined;
    }
  }

  async #hash(descriptor: Descriptor): Promise<void> {
    this.#signal?.throwIfAborted();
    try {
      await verifyInto(await this.#store.open(descriptor), descriptor, (chunk) => {
        this.#signal?.throwIfAborted();
        this.#count(descriptor, chunk.length);
      });
      if (verifiableAlgorithm(descriptor.digest) === undefined)
        this.#find('unverifiable', descriptor, undefined, 'nobody here knows that algorithm');
    } catch (error) {
      this.#failed(descriptor, undefined, error);
    }
  }

  #failed(descriptor: Descriptor, neededBy: string | undefined, error: unknown): void {
    this.#signal?.throwIfAborted();
    const { message } = toOclError(error);
    if (isCode(error, 'OCL_UNSAFE')) this.#find('unsafe', descriptor, neededBy, message);
    else if (isCode(error, 'OCL_DIGEST_MISMATCH')) this.#find('altered', descriptor, neededBy, message);
    else if (isCode(error, 'OCL_SIZE_MISMATCH')) this.#find('short', descriptor, neededBy, message);
    else if (isCode(error, 'OCL_NOT_FOUND')) this.#find('missing', descriptor, neededBy, 'it is not there');
    else if (isCode(error, 'OCL_LIMIT')) this.#find('undecodable', descriptor, neededBy, message);
    else throw error;
  }

  #count(blob: Descriptor, bytes: number): void {
    this.#bytes += bytes;
    this.#emit({ type: 'blob.bytes', blob, bytes });
  }

  #find(kind: FindingKind, descriptor: Descriptor, neededBy: string | undefined, message: string): void {
    this.#findings.push({
      kind,
      digest: descriptor.digest,
      size: descriptor.size,
      ...(descriptor.mediaType === '' ? {} : { mediaType: descriptor.mediaType }),
      ...(neededBy === undefined ? {} : { neededBy }),
      message,
    });
  }
}

/** Content that travels inside its descriptor needs no file. A lie there is found when the data is checked. */
function embedded(descriptor: Descriptor): boolean {
  try {
    return embeddedData(descriptor) !== undefined;
  } catch (error) {
    if (error instanceof OclError) return false;
    throw error;
  }
}

function nameOf(root: Descriptor): string {
  return root.annotations?.[ANNOTATION.imageName] ?? root.annotations?.[ANNOTATION.refName] ?? root.digest;
}
