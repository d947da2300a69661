import pLimit from 'p-limit';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { type Emit, type Outcome } from '../core/events.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type Open, type Sink, type Source } from '../core/store.ts';
import { listDigestTags, type DigestTags } from './digestTags.ts';
import { Documents } from './documents.ts';
import { type CopyRequest, type CopyResult } from './request.ts';
import { opener, transfer } from './transfer.ts';
import { inOrder, walk, type Graph, type Node } from './walk.ts';

export interface CopierOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Contents under way at once, over all images of the run. */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_CONCURRENCY = 6;

/** What the images of one run share: how much goes on at once, the documents that were read, and whom to tell. */
export class Run {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  readonly documents = new Documents();
  readonly #transfers: ReturnType<typeof pLimit>;
  /** Reading documents has doors of its own: a graph is known early, also while large contents flow. */
  readonly #readings: ReturnType<typeof pLimit>;
  readonly #planned = new WeakMap<Sink, Set<Digest>>();
  /** Bytes of contents that a sink had from before, when their transfer went on. */
  readonly #resumed = new WeakMap<Sink, Map<Digest, number>>();
  readonly #tags = new WeakMap<Source, Promise<DigestTags>>();

  constructor(options: CopierOptions) {
    this.clock = options.clock;
    this.emit = options.emit;
    this.signal = options.signal;
    this.#transfers = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
    this.#readings = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
  }

  async walk(request: CopyRequest): Promise<Graph> {
    const { from, to, root, select = {}, part } = request;
    return await walk(root, {
      from,
      to,
      select,
      part,
      documents: this.documents,
      emit: this.emit,
      signal: this.signal,
      digestTags: () => this.#tagsOf(from),
      limit: (action) => this.#readings(action),
    });
  }

  /** Moves one node as soon as there is a place for it. @param before is asked first, and may throw */
  async transfer(descriptor: Descriptor, ends: { from: Source; to: Sink }, before?: () => void): Promise<Outcome> {
    return await this.#transfers(async () => {
      before?.();
      const { emit, signal } = this;
      const onOpen = (from: number): void => this.#noteResumed(descriptor, ends.to, from);
      return await transfer(descriptor, { ...ends, emit, signal, onOpen, document: this.#document(descriptor, ends) });
    });
  }

  /** Bytes of a content that a run before this one had brought into the sink. */
  resumedBytes(to: Sink, digest: Digest): number {
    return this.#resumed.get(to)?.get(digest) ?? 0;
  }

  /** Asks the sink, as many at once as contents would flow. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    return await this.#transfers(question);
  }

  opener(descriptor: Descriptor, ends: { from: Source; to: Sink }, emit = this.emit): Open {
    const { signal } = this;
    return opener(descriptor, { from: ends.from, emit, signal, document: this.#document(descriptor, ends) });
  }

  start({ image, from, to, root }: CopyRequest): void {
    this.emit({ type: 'image.start', image, from: from.name, to: to.name, root });
  }

  /** Tells what an image adds to the run, but for nodes that are left for later: contents that an earlier image of it brings as well are not counted again. */
  planned({ image, to }: CopyRequest, graph: Graph, left: ReadonlySet<Node> = new Set()): void {
    let known = this.#planned.get(to);
    if (known === undefined) this.#planned.set(to, (known = new Set()));
    let nodes = 0;
    let bytes = 0;
    for (const node of inOrder(graph)) {
      const { descriptor, present } = node;
      nodes++;
      if (present || left.has(node) || known.has(descriptor.digest)) continue;
      known.add(descriptor.digest);
      bytes += descriptor.size;
    }
    this.emit({ type: 'image.plan', image, nodes, bytes });
  }

  done(result: CopyResult, started: number): CopyResult {
    const { image, root, outcome, nodes, bytes, streamed, missing = [], left } = result;
    const ms = this.clock.now() - started;
    const told = missing.length > 0 ? 'partial' : outcome;
    this.emit({ type: 'image.done', image, root, outcome: told, totals: { nodes, bytes, streamed }, ms });
    return { image, root, outcome, nodes, bytes, streamed, ...(missing.length === 0 ? {} : { missing, left }) };
  }

  /** Tells of a failure, and answers what to throw: once the run was stopped, whatever else fails is only its echo. */
  failed({ image }: CopyRequest, error: unknown, again?: true): OclError {
    const known = toOclError(this.signal?.aborted === true ? this.signal.reason : error);
    this.emit({ type: 'image.failed', image, error: known, ...(again === undefined ? {} : { again }) });
    return known;
  }

  /** A document that was read while walking is at hand as a rule; where it fell out of the cache, it is read again. */
  #document(descriptor: Descriptor, { from, to }: { from: Source; to: Sink }): (() => Promise<Uint8Array>) | undefined {
    if (!isDocumentType(descriptor.mediaType)) return undefined;
    return async () => {
      const elsewhere = to.document === undefined ? undefined : async (it: Descriptor) => await to.document?.(it);
      return (await this.documents.load(descriptor, from, elsewhere)).bytes;
    };
  }

  /** The last opening counts: what turned out wrong is fetched from its beginning. */
  #noteResumed({ digest }: Descriptor, to: Sink, bytes: number): void {
    const known = this.#resumed.get(to);
    if (known !== undefined) known.set(digest, bytes);
    else if (bytes > 0) this.#resumed.set(to, new Map([[digest, bytes]]));
  }

  #tagsOf(from: Source): Promise<DigestTags> {
    let tags = this.#tags.get(from);
    if (tags === undefined) this.#tags.set(from, (tags = listDigestTags(from)));
    return tags;
  }
}
