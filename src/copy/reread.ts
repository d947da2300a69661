import pLimit from 'p-limit';
import { type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { children, isAttestationEntry, isForeign } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType, isIndexType } from '../core/mediaTypes.ts';
import { formatPlatform } from '../core/platform.ts';
import { type Source } from '../core/store.ts';
import { givePiece } from '../io/slabPool.ts';
import { verifyInto } from '../io/verify.ts';
import { loadDocument } from './documents.ts';
import { allSettled } from './flight.ts';
import { configPlatform } from './otherPlatform.ts';

/** Something that is not as it should be, although it was just written. */
export interface Damaged extends StoredBlob {
  readonly image: string;
  readonly error: OclError;
}

export interface RereadOptions {
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly concurrency?: number | undefined;
  /** Which contents are read; documents always are. */
  readonly chosen: (descriptor: Descriptor) => boolean;
}

/** Reads images where they have been written to, and holds them against their digests. Each content is read once, however many images have it. */
export class Reread {
  /** What was read and proved right, and all that there is. Bytes by digest. */
  readonly right = new Map<Digest, number>();
  readonly all = new Map<Digest, number>();
  readonly damaged: Damaged[] = [];
  readonly #options: RereadOptions;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #contents = new Map<Digest, Promise<void>>();

  constructor(options: RereadOptions) {
    this.#options = options;
    this.#limit = pLimit(options.concurrency ?? 3);
  }

  /** Which image serves which platform, as far as it is there. Damage is noted, not thrown. @throws the source's other failures */
  async image(image: string, root: Descriptor, source: Source): Promise<ReadonlyMap<string, Digest>> {
    const platforms = new Map<string, Digest>();
    const seen = new Set<Digest>();
    for (let level: readonly Descriptor[] = [root]; level.length > 0;) {
      const below = await allSettled(
        level.map(async (descriptor): Promise<readonly Descriptor[]> => {
          if (seen.has(descriptor.digest)) return [];
          seen.add(descriptor.digest);
          if (!isDocumentType(descriptor.mediaType)) {
            await this.#content(image, descriptor, source);
            return [];
          }
          const document = await this.#document(image, descriptor, { source, mayLack: descriptor !== root });
          if (document === undefined) return [];
          await addPlatform(platforms, descriptor, { document, source });
          return children(document)
            .filter((child) => !isForeign(child))
            .map((child) => child.descriptor);
        }),
      );
      level = below.flat();
    }
    return new Map([...platforms].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A part of an index may have been left out when it was carried. */
  async #document(
    image: string,
    descriptor: Descriptor,
    { source, mayLack }: { readonly source: Source; readonly mayLack: boolean },
  ): Promise<ManifestDocument | undefined> {
    try {
      const { document } = await this.#limit(() => loadDocument(descriptor, source));
      this.#note(descriptor);
      return document;
    } catch (error) {
      if (mayLack && isCode(error, 'OCL_NOT_FOUND')) return undefined;
      this.#fail(image, descriptor, error);
      return undefined;
    }
  }

  async #content(image: string, descriptor: Descriptor, source: Source): Promise<void> {
    this.all.set(descriptor.digest, descriptor.size);
    if (!this.#options.chosen(descriptor)) return;
    const reading = this.#contents.get(descriptor.digest) ?? this.#limit(() => this.#hash(image, descriptor, source));
    this.#contents.set(descriptor.digest, reading);
    await reading;
  }

  async #hash(image: string, descriptor: Descriptor, source: Source): Promise<void> {
    const { emit, signal } = this.#options;
    signal?.throwIfAborted();
    try {
      await verifyInto(await source.open(descriptor), descriptor, (chunk) => {
        signal?.throwIfAborted();
        emit({ type: 'blob.bytes', blob: descriptor, bytes: chunk.length });
        givePiece(chunk);
      });
      this.#note(descriptor);
    } catch (error) {
      this.#fail(image, descriptor, error);
    }
  }

  #note({ digest, size }: Descriptor): void {
    this.all.set(digest, size);
    this.right.set(digest, size);
  }

  #fail(image: string, { digest, size }: Descriptor, cause: unknown): void {
    this.#options.signal?.throwIfAborted();
    const error = toOclError(cause);
    if (!DAMAGE.has(error.code)) throw error;
    this.all.set(digest, size);
    this.damaged.push({ image, digest, size, error });
  }
}

const DAMAGE: ReadonlySet<string> = new Set([
  'OCL_NOT_FOUND',
  'OCL_DIGEST_MISMATCH',
  'OCL_SIZE_MISMATCH',
  'OCL_DOCUMENT_INVALID',
  'OCL_LIMIT',
  'OCL_UNSAFE',
]);

async function addPlatform(
  platforms: Map<string, Digest>,
  descriptor: Descriptor,
  { document, source }: { readonly document: ManifestDocument; readonly source: Source },
): Promise<void> {
  if (isIndexType(descriptor.mediaType) || isAttestationEntry(descriptor)) return;
  const platform = descriptor.platform ?? (await configPlatform(document, source).catch(() => undefined));
  if (platform === undefined) return;
  const name = formatPlatform(platform);
  if (!platforms.has(name)) platforms.set(name, descriptor.digest);
}
