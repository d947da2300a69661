import pLimit from 'p-limit';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, OclError, toOclError, type ErrorCode } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { children, isForeign } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource, type Source } from '../core/store.ts';
import { loadDocument } from './documents.ts';
import { allSettled } from './flight.ts';

export interface ReachOptions {
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  /** Questions under way at once. */
  readonly concurrency?: number | undefined;
  /** Told of each content, once for each source that has it. */
  readonly found?: ((descriptor: Descriptor, source: Source) => void) | undefined;
}

/** A document that is not what it should be: what it names is left out, and the rest goes on. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set([
  'OCL_DOCUMENT_INVALID',
  'OCL_DIGEST_MISMATCH',
  'OCL_SIZE_MISMATCH',
  'OCL_LIMIT',
  'OCL_UNSUPPORTED',
  'OCL_UNSAFE',
]);

/**
 * What is really in stores below their names: documents that were read and proved right, and what those name. On disk a content counts when a file of
 * its size is there; a registry that keeps a manifest has its contents. Parts of an index that were left out do not count.
 */
export class Reach {
  /** Bytes by digest. */
  readonly blobs = new Map<Digest, number>();
  readonly #options: ReachOptions;
  readonly #limit: ReturnType<typeof pLimit>;
  /** By source on disk; repositories of registries share one, for who has a manifest has all below it. */
  readonly #seen = new Map<Source | undefined, Set<string>>();

  constructor(options: ReachOptions) {
    this.#options = options;
    this.#limit = pLimit(options.concurrency ?? 6);
  }

  /** The tags of a repository with what they name. */
  async named(source: Source): Promise<readonly { readonly tag: string; readonly root: Descriptor }[]> {
    if (isLocal(source)) {
      const roots = await source.roots();
      return roots.flatMap((root) => {
        const { tag } = entryName(root);
        return tag === undefined ? [] : [{ tag, root }];
      });
    }
    const tags = await listTags(source);
    const resolved = await allSettled(
      tags.map(async (tag) => {
        const root = await this.#ask(() => source.resolve(tag)).catch((error: unknown) => {
          // Somebody may have taken it away since the list was made.
          if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
        });
        return root === undefined ? [] : [{ tag, root }];
      }),
    );
    return resolved.flat();
  }

  /** Walks what these roots reach, and what refers to it. @throws the source's failures, but for damage, which is told */
  async visit(source: Source, roots: readonly Descriptor[]): Promise<void> {
    // Level by level: lists of referrers are claims, and two that name each other must not wait for each other.
    for (let level = roots; level.length > 0;) {
      this.#options.signal?.throwIfAborted();
      const below = await allSettled(level.map(async (descriptor) => await this.#reach(source, descriptor)));
      level = below.flat();
    }
  }

  /** Answers what is to be looked at next. */
  async #reach(source: Source, descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const isDocument = isDocumentType(descriptor.mediaType);
    if (!this.#isNew(source, descriptor, isDocument)) return [];
    if (!isDocument) {
      await this.#content(source, descriptor);
      return [];
    }
    const document = await this.#load(source, descriptor);
    if (document === undefined) return [];
    this.#found(source, descriptor);
    const below = children(document).filter((child) => !isForeign(child));
    const referrers = await this.#ask(async () => await this.#referrersOf(source, descriptor));
    return [...below.map((child) => child.descriptor), ...referrers];
  }

  #isNew(source: Source, descriptor: Descriptor, isDocument: boolean): boolean {
    const key = isLocal(source) ? source : undefined;
    let seen = this.#seen.get(key);
    if (seen === undefined) this.#seen.set(key, (seen = new Set()));
    // Somebody may carry a manifest as a mere layer, somebody else as what it is.
    const name = `${isDocument ? '' : 'content '}${descriptor.digest}`;
    if (seen.has(name)) return false;
    if (seen.size >= LIMITS.graphNodes)
      throw new OclError('OCL_LIMIT', `Cannot list ${source.name}: it has more than ${LIMITS.graphNodes} contents`);
    seen.add(name);
    return true;
  }

  async #content(source: Source, descriptor: Descriptor): Promise<void> {
    if (isLocal(source)) {
      const size = await this.#ask(() => source.size(descriptor.digest));
      if (size !== descriptor.size) return;
    }
    this.#found(source, descriptor);
  }

  async #load(source: Source, descriptor: Descriptor): Promise<ManifestDocument | undefined> {
    try {
      return (await this.#ask(() => loadDocument(descriptor, source))).document;
    } catch (error) {
      const { code, message } = toOclError(error);
      if (code === 'OCL_NOT_FOUND') return undefined;
      if (!DAMAGE.has(code)) throw error;
      this.#options.emit({ type: 'notice', level: 'warning', message: `${message}: taken for missing` });
      return undefined;
    }
  }

  async #referrersOf(source: Source, subject: Descriptor): Promise<readonly Descriptor[]> {
    const listed: Descriptor[] = [];
    for await (const referrer of source.referrers(subject)) {
      listed.push(referrer);
      if (listed.length > LIMITS.descriptors)
        throw new OclError(
          'OCL_LIMIT',
          `Cannot list what refers to ${subject.digest}: it is more than ${LIMITS.descriptors}`,
        );
    }
    return listed;
  }

  #found(source: Source, descriptor: Descriptor): void {
    this.blobs.set(descriptor.digest, descriptor.size);
    this.#options.found?.(descriptor, source);
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    return await this.#limit(question);
  }
}

/** A repository that is not there, or has no tags any more, has none. */
async function listTags(source: Source): Promise<readonly string[]> {
  const tags: string[] = [];
  try {
    for await (const tag of source.tags()) tags.push(tag);
  } catch (error) {
    if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
  }
  return tags;
}

function isLocal(source: Source): source is LocalSource {
  return 'roots' in source;
}
