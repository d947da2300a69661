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
import { givePiece } from '../io/slabPool.ts';
import { embeddedData, readBounded, readVerified, verifyInto } from '../io/verify.ts';

/** What can be wrong with a piece of content, or with what a bundle says of itself (`unlike`). All but the last four are damage. */
export type FindingKind =
  | 'missing'
  | 'short'
  | 'altered'
  | 'undecodable'
  | 'unsafe'
  | 'unlike'
  | 'required'
  | 'unreferenced'
  | 'absent'
  | 'unverifiable';

export interface Finding {
  readonly kind: FindingKind;
  /** Of the content that it is about. */
  readonly digest?: Digest | undefined;
  /** Bytes, as promised where somebody promises, else as stored. */
  readonly size?: number | undefined;
  /** The entry of a bundle that it is about, and the file that has it. */
  readonly entry?: string | undefined;
  readonly path?: string | undefined;
  readonly mediaType?: string | undefined;
  /** The image it belongs to: the name of the root that reached it first, or its digest where it has none. */
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
  /** Transfers that broke off, and that the next copy goes on with: no damage, and no content yet. */
  readonly unfinished: number;
  readonly damaged: boolean;
}

export interface CheckOptions {
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly concurrency?: number | undefined;
}

const HARMLESS: ReadonlySet<FindingKind> = new Set(['required', 'unreferenced', 'absent', 'unverifiable']);

/**
 * Holds a layout or archive against its own promises: walks every graph, hashes every content once, referenced or not.
 * Damage is reported, not thrown; a store that cannot be opened at all has failed before.
 */
export async function checkStore(store: LocalSource, options: CheckOptions = {}): Promise<CheckReport> {
  return await new Check(store, options).run();
}

/** Which image needs a content, and whether it may be missing. */
interface Need {
  readonly neededBy: string;
  readonly depth: number;
  readonly required: boolean;
}

class Check {
  readonly #store: LocalSource;
  readonly #emit: Emit;
  readonly #signal: AbortSignal | undefined;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #sizes = new Map<Digest, number>();
  /** What was looked at, as what: a digest may be named with two sizes, or as a manifest here and as a mere layer there. */
  readonly #reached = new Set<string>();
  /** By which image first. */
  readonly #referenced = new Map<Digest, string>();
  readonly #contents = new Map<Digest, Descriptor>();
  readonly #absent = new Map<Digest, Finding>();
  readonly #findings: Finding[] = [];
  /** What a delta leaves out. */
  readonly #required: ReadonlySet<Digest>;
  #documents = 0;
  #bytes = 0;

  constructor(store: LocalSource, options: CheckOptions) {
    this.#store = store;
    this.#required = new Set(store.record?.requires?.map(({ digest }) => digest));
    this.#emit = options.emit ?? silent;
    this.#signal = options.signal;
    this.#limit = pLimit(options.concurrency ?? 3);
  }

  async run(): Promise<CheckReport> {
    for await (const { digest, size } of this.#store.blobs()) this.#sizes.set(digest, size);
    const total = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    this.#emit({ type: 'image.plan', image: this.#store.name, nodes: this.#sizes.size, bytes: total });
    const roots = await this.#store.roots();
    for (const root of roots) await this.#reach(root, { neededBy: nameOf(root), depth: 0, required: true });
    await this.#reachReferrers();
    const unreferenced = this.#unreferenced();
    const toHash = this.#inOrder([...this.#contents.values(), ...unreferenced]);
    await Promise.all(toHash.map(async (descriptor) => await this.#limit(() => this.#hash(descriptor))));
    const wrong = new Set(this.#findings.map(({ digest }) => digest));
    for await (const fault of this.#store.faults?.() ?? []) this.#findings.push({ kind: 'unlike', ...fault });
    for (const descriptor of unreferenced) {
      // With some of its volumes, a set has contents of images that it cannot show.
      if (!wrong.has(descriptor.digest) && (this.#store.volumes?.absent ?? []).length === 0)
        this.#find('unreferenced', descriptor, undefined, 'nothing in index.json reaches it');
    }
    const findings = [...this.#findings, ...this.#absent.values()];
    return {
      roots: roots.length,
      documents: this.#documents,
      blobs: this.#sizes.size,
      bytes: this.#bytes,
      findings,
      unfinished: (await this.#store.unfinished?.())?.length ?? 0,
      damaged: findings.some(({ kind }) => !HARMLESS.has(kind)),
    };
  }

  /** Walks documents at once and collects all other content, to be hashed side by side. */
  async #reach(descriptor: Descriptor, need: Need): Promise<void> {
    const { digest } = descriptor;
    const isDocument = isDocumentType(descriptor.mediaType);
    const key = `${digest} ${descriptor.size} ${isDocument} ${descriptor.data === undefined}`;
    if (this.#reached.has(key) && !(need.required && this.#absent.has(digest))) return;
    this.#reached.add(key);
    if (!this.#referenced.has(digest)) this.#referenced.set(digest, need.neededBy);
    this.#signal?.throwIfAborted();
    if (!this.#embeddedIsRight(descriptor, need.neededBy)) return;
    const size = this.#sizes.get(digest);
    if (size === undefined) {
      await this.#notStored(descriptor, need);
    } else if (size !== descriptor.size) {
      const kind = size < descriptor.size ? 'short' : 'altered';
      this.#find(kind, descriptor, need.neededBy, `it has ${size} bytes instead of ${descriptor.size}`);
    } else if (isDocument) {
      await this.#reachDocument(descriptor, need);
    } else if (!this.#contents.has(digest)) {
      this.#contents.set(digest, descriptor);
    }
  }

  /** As they lie in the files: discs are slow to jump. */
  #inOrder(descriptors: readonly Descriptor[]): readonly Descriptor[] {
    const place = new Map([...this.#sizes.keys()].map((digest, i) => [digest, i]));
    return descriptors.toSorted((a, b) => (place.get(a.digest) ?? 0) - (place.get(b.digest) ?? 0));
  }

  #unreferenced(): readonly Descriptor[] {
    return [...this.#sizes]
      .filter(([digest]) => !this.#referenced.has(digest))
      .map(([digest, size]): Descriptor => ({ mediaType: '', digest, size }));
  }

  /** What refers to a part of an image belongs to it, also where no index names it: cosign saves signatures so. */
  async #reachReferrers(): Promise<void> {
    const waiting = new Map<Descriptor, Digest>();
    for (const descriptor of this.#unreferenced()) {
      const document = await this.#asDocument(descriptor);
      if (document?.subject !== undefined)
        waiting.set({ ...descriptor, mediaType: document.mediaType }, document.subject.digest);
    }
    for (let grew = true; grew;) {
      grew = false;
      for (const [descriptor, subject] of waiting) {
        const neededBy = this.#referenced.get(subject);
        if (neededBy === undefined) continue;
        waiting.delete(descriptor);
        await this.#reach(descriptor, { neededBy, depth: 0, required: true });
        grew = true;
      }
    }
  }

  /** Content of any kind may lie there: what cannot be read as a document is none. */
  async #asDocument(descriptor: Descriptor): Promise<ManifestDocument | undefined> {
    if (descriptor.size > LIMITS.manifestBytes) return undefined;
    try {
      const head = await readBounded(await this.#store.open(descriptor, { start: 0, end: 0 }), 1, descriptor.digest);
      if (head[0] !== 0x7b) return undefined;
      const bytes = await readVerified(await this.#store.open(descriptor), descriptor, LIMITS.manifestBytes);
      return parseManifest(bytes, undefined, descriptor.digest);
    } catch (error) {
      if (error instanceof OclError) return undefined;
      throw error;
    }
  }

  /** Embedded content that is not what the descriptor says deceives who believes it. */
  #embeddedIsRight(descriptor: Descriptor, neededBy: string): boolean {
    try {
      embeddedData(descriptor);
      return true;
    } catch (error) {
      this.#find('altered', descriptor, neededBy, `the data in its descriptor is wrong: ${toOclError(error).message}`);
      return false;
    }
  }

  async #notStored(descriptor: Descriptor, { neededBy, required }: Need): Promise<void> {
    // Content that travels inside its descriptor needs no file.
    if (descriptor.data !== undefined) return;
    try {
      (await this.#store.open(descriptor)).destroy();
    } catch (error) {
      if (isCode(error, 'OCL_UNSAFE')) return this.#find('unsafe', descriptor, neededBy, toOclError(error).message);
      if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
    }
    if (this.#required.has(descriptor.digest)) {
      const left = finding('required', descriptor, neededBy, 'the far side has it, or is believed to');
      this.#absent.set(descriptor.digest, left);
    } else if (required) {
      this.#absent.delete(descriptor.digest);
      this.#find('missing', descriptor, neededBy, 'it is not there');
    } else {
      this.#absent.set(
        descriptor.digest,
        finding('absent', descriptor, neededBy, 'it was left out when this was copied'),
      );
    }
  }

  async #reachDocument(descriptor: Descriptor, { neededBy, depth }: Need): Promise<void> {
    const document = await this.#document(descriptor, neededBy);
    if (document === undefined) return;
    if (depth >= LIMITS.indexDepth) {
      this.#find('undecodable', descriptor, neededBy, `indexes are nested more than ${LIMITS.indexDepth} deep`);
      return;
    }
    const below = children(document);
    // A part of an index may be left out on purpose, as long as another part is there.
    const sparse = document.kind === 'index' && below.some((child) => this.#sizes.has(child.descriptor.digest));
    for (const child of below) {
      const required = !sparse && !isForeign(child);
      await this.#reach(child.descriptor, { neededBy, depth: depth + 1, required });
    }
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
    this.#emit({ type: 'blob.checked', blob: descriptor });
    try {
      return parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    } catch (error) {
      this.#find('undecodable', descriptor, neededBy, toOclError(error).message);
      return undefined;
    }
  }

  async #hash(descriptor: Descriptor): Promise<void> {
    this.#signal?.throwIfAborted();
    const neededBy = this.#referenced.get(descriptor.digest);
    try {
      await verifyInto(await this.#store.open(descriptor), descriptor, (chunk) => {
        this.#signal?.throwIfAborted();
        this.#count(descriptor, chunk.length);
        givePiece(chunk);
      });
      if (verifiableAlgorithm(descriptor.digest) === undefined)
        this.#find('unverifiable', descriptor, neededBy, 'nobody here knows that algorithm');
    } catch (error) {
      this.#failed(descriptor, neededBy, error);
    } finally {
      this.#emit({ type: 'blob.checked', blob: descriptor });
    }
  }

  #failed(descriptor: Descriptor, neededBy: string | undefined, error: unknown): void {
    this.#signal?.throwIfAborted();
    const message = withoutDigest(toOclError(error).message, descriptor.digest);
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
    this.#findings.push(finding(kind, descriptor, neededBy, message));
  }
}

function finding(kind: FindingKind, descriptor: Descriptor, neededBy: string | undefined, message: string): Finding {
  return {
    kind,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(descriptor.mediaType === '' ? {} : { mediaType: descriptor.mediaType }),
    ...(neededBy === undefined ? {} : { neededBy }),
    message,
  };
}

/** The digest stands beside the message. */
function withoutDigest(message: string, digest: Digest): string {
  const at = message.indexOf(`${digest}: `);
  return at < 0 ? message : message.slice(at + digest.length + 2);
}

function nameOf(root: Descriptor): string {
  return root.annotations?.[ANNOTATION.imageName] ?? root.annotations?.[ANNOTATION.refName] ?? root.digest;
}
