import pLimit from 'p-limit';
import { type Clock } from '../core/clock.ts';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, onSide, toOclError, type OclError } from '../core/errors.ts';
import { silent, type Emit, type Outcome } from '../core/events.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type NamedRoot, type RootName, type Sink, type Source } from '../core/store.ts';
import { LIMITS } from '../core/limits.ts';
import { readVerified } from '../io/verify.ts';
import { Documents } from './documents.ts';
import { allSettled, Flights } from './flight.ts';
import { type Select } from './select.ts';
import { opener, targetSide, transfer } from './transfer.ts';
import { inOrder, walk, type Graph, type Node, type WalkContext } from './walk.ts';

export interface CopyRequest {
  readonly from: Source;
  readonly to: Sink;
  readonly root: Descriptor;
  /** Without a tag the content arrives as a nameless root. */
  readonly name: RootName;
  /** As events and errors call it. */
  readonly image: string;
  readonly select?: Select | undefined;
}

export interface CopyResult {
  readonly image: string;
  /** What the target's name points at: another digest than was asked for only where an index was rewritten. */
  readonly root: Descriptor;
  readonly outcome: 'copied' | 'current';
  readonly nodes: number;
  /** Bytes of all nodes. */
  readonly bytes: number;
  /** Bytes that flowed. */
  readonly streamed: number;
}

export interface CopierOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Contents under way at once, over all images of the run. */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_CONCURRENCY = 6;

/**
 * Moves graphs from sources to sinks: children before parents, the tag last, every content once.
 * One Copier serves a run, so that its images share what is in flight and what was read.
 */
export class Copier {
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #signal: AbortSignal | undefined;
  readonly #limit: ReturnType<typeof pLimit>;
  /** Reading documents has doors of its own: a graph is known early, also while large contents flow. */
  readonly #reading: ReturnType<typeof pLimit>;
  readonly #documents = new Documents();
  readonly #flights = new WeakMap<Sink, Flights<Outcome>>();
  readonly #tags = new WeakMap<Source, Promise<ReadonlySet<string>>>();

  constructor(options: CopierOptions) {
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#signal = options.signal;
    this.#limit = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
    this.#reading = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
  }

  /**
   * Copies one image. Its name is set at the end, and visible after the sink's `commit`, which is the caller's.
   * @throws the first failure, telling its side; the image then has no new name in the target
   */
  async copy(request: CopyRequest): Promise<CopyResult> {
    const started = this.#clock.now();
    const { image, from, to, root } = request;
    this.#emit({ type: 'image.start', image, from: from.name, to: to.name, root });
    try {
      const before = await this.#find(request);
      const result = isCurrent(request, before) ? current(request) : await this.#copyOrRepair(request, before);
      const { nodes, bytes, streamed } = result;
      this.#emit({
        type: 'image.done',
        image,
        root: result.root,
        outcome: result.outcome,
        totals: { nodes, bytes, streamed },
        ms: this.#clock.now() - started,
      });
      return result;
    } catch (error) {
      throw this.#failed(image, error);
    }
  }

  /**
   * Copies several images into a sink that must know all of it beforehand (an archive).
   * A failure of one is a failure of all: half a table of contents is none.
   */
  async copyReserved(requests: readonly CopyRequest[], to: Sink): Promise<readonly CopyResult[]> {
    const started = this.#clock.now();
    const graphs = await allSettled(
      requests.map(async (request) => {
        this.#emit({
          type: 'image.start',
          image: request.image,
          from: request.from.name,
          to: to.name,
          root: request.root,
        });
        try {
          return { request, graph: await this.#walk(request) };
        } catch (error) {
          throw this.#failed(request.image, error);
        }
      }),
    );
    const origin = new Map<Digest, { node: Node; from: Source }>();
    for (const { request, graph } of graphs) {
      for (const node of inOrder(graph))
        if (!origin.has(node.descriptor.digest)) origin.set(node.descriptor.digest, { node, from: request.from });
    }
    const names = graphs.flatMap(({ request, graph }) => rootsOf(graph, request.name));
    const sourceOf = (descriptor: Descriptor): Source =>
      origin.get(descriptor.digest)?.from ?? (graphs[0]?.request.from as Source);
    const order = await targetSide(
      async () =>
        (await to.reserve?.(
          [...origin.values()].map(({ node }) => node.descriptor),
          names,
          async (descriptor) => await this.#readWhole(descriptor, sourceOf(descriptor)),
        )) ?? [],
    );
    for (const { request, graph } of graphs) this.#emitPlan(request.image, [...inOrder(graph)]);
    const outcomes = await this.#fill(order, sourceOf, to);
    for (const { root, name } of names)
      await targetSide(() =>
        to.tag(root, name, opener(root, { from: sourceOf(root), emit: this.#emit, signal: this.#signal })),
      );
    const moved = new Map(order.map((descriptor, i) => [descriptor.digest, outcomes[i]]));
    return graphs.map(({ request, graph }) => {
      const nodes = [...inOrder(graph)];
      const result = summary(
        request.image,
        graph,
        nodes,
        'copied',
        (node) => moved.get(node.descriptor.digest) ?? 'present',
      );
      this.#emit({
        type: 'image.done',
        image: request.image,
        root: result.root,
        outcome: 'copied',
        totals: { nodes: result.nodes, bytes: result.bytes, streamed: result.streamed },
        ms: this.#clock.now() - started,
      });
      return result;
    });
  }

  /** Starts contents in the sink's order. The first failure ends it: who waits for a turn that will not come is let go by `close`. */
  async #fill(
    order: readonly Descriptor[],
    sourceOf: (descriptor: Descriptor) => Source,
    to: Sink,
  ): Promise<readonly Outcome[]> {
    let failure: unknown;
    return await allSettled(
      order.map(
        async (descriptor) =>
          await this.#limit(async () => {
            if (failure !== undefined) throw failure;
            try {
              return await this.#transferOne(descriptor, sourceOf(descriptor), to);
            } catch (error) {
              failure ??= error;
              await to.close();
              throw failure;
            }
          }),
      ),
    );
  }

  /** What a copy would do, without doing it: every node, and whether the sink has it. */
  async plan(
    request: CopyRequest,
  ): Promise<{
    readonly current: boolean;
    readonly nodes: readonly { readonly descriptor: Descriptor; readonly present: boolean }[];
  }> {
    if (isCurrent(request, await this.#find(request))) return { current: true, nodes: [] };
    const graph = await this.#walk(request);
    const nodes = await allSettled(
      [...inOrder(graph)].map(async (node) => ({
        descriptor: node.descriptor,
        present: node.present || (await this.#limit(() => targetSide(() => request.to.has(node.descriptor)))),
      })),
    );
    return { current: false, nodes };
  }

  async #find({ name, to }: CopyRequest): Promise<Descriptor | undefined> {
    const { tag } = name;
    return tag === undefined ? undefined : await targetSide(() => to.find(tag));
  }

  /** A registry that has a manifest may still have lost a blob: then every node is asked for once more. */
  async #copyOrRepair(request: CopyRequest, before: Descriptor | undefined): Promise<CopyResult> {
    try {
      return await this.#copyGraph(request, before, this.#flightsOf(request.to));
    } catch (error) {
      if (!isCode(error, 'OCL_MISSING_BLOBS') || request.select?.force === true) throw error;
      return await this.#copyGraph({ ...request, select: { ...request.select, force: true } }, before, new Flights());
    }
  }

  async #copyGraph(
    request: CopyRequest,
    before: Descriptor | undefined,
    flights: Flights<Outcome>,
  ): Promise<CopyResult> {
    const { to, from, name, image } = request;
    await targetSide(async () => await to.begin?.());
    const graph = await this.#walk(request);
    const nodes = [...inOrder(graph)];
    this.#emitPlan(image, nodes);
    const outcomes = new Map<Digest, Outcome>();
    const ensure = (node: Node): Promise<Outcome> =>
      flights.run(node.descriptor.digest, async () => await this.#ensure(node, from, to, ensure, outcomes));
    // A registry takes a manifest and its tag in one request: there the root comes with its tag, at the end.
    const rootWithTag = name.tag !== undefined && to.presence === 'graph' && !graph.root.present;
    if (rootWithTag) await allSettled(graph.root.children.map(ensure));
    else await ensure(graph.root);
    for (const referrer of graph.referrers) await ensure(referrer);
    for (const { tag, node } of graph.digestTags) {
      await ensure(node);
      await this.#tag(node, { tag }, from, to);
    }
    const named =
      before?.digest === graph.root.descriptor.digest &&
      (to.presence === 'graph' || (name.imageName ?? imageNameOf(before)) === imageNameOf(before));
    if (!named || rootWithTag) await this.#tag(graph.root, name, from, to);
    if (rootWithTag) outcomes.set(graph.root.descriptor.digest, 'streamed');
    const moved = nodes.some((node) => (outcomes.get(node.descriptor.digest) ?? 'present') !== 'present');
    return summary(
      image,
      graph,
      nodes,
      named && !moved ? 'current' : 'copied',
      (node) => outcomes.get(node.descriptor.digest) ?? 'present',
    );
  }

  /** A parent that waits for its children holds no door. */
  async #ensure(
    node: Node,
    from: Source,
    to: Sink,
    ensure: (node: Node) => Promise<Outcome>,
    outcomes: Map<Digest, Outcome>,
  ): Promise<Outcome> {
    if (node.present) return 'present';
    await allSettled(node.children.map(ensure));
    const outcome = await this.#limit(() => this.#transferOne(node.descriptor, from, to));
    outcomes.set(node.descriptor.digest, outcome);
    return outcome;
  }

  async #transferOne(descriptor: Descriptor, from: Source, to: Sink): Promise<Outcome> {
    const bytes = isDocumentType(descriptor.mediaType)
      ? (await this.#documents.load(descriptor, from)).bytes
      : undefined;
    return await transfer(descriptor, { from, to, emit: this.#emit, signal: this.#signal, bytes });
  }

  async #tag(node: Node, name: RootName, from: Source, to: Sink): Promise<void> {
    this.#signal?.throwIfAborted();
    const open = async (): ReturnType<ReturnType<typeof opener>> => {
      const bytes = isDocumentType(node.descriptor.mediaType)
        ? (await this.#documents.load(node.descriptor, from, async (descriptor) => await to.document?.(descriptor)))
            .bytes
        : undefined;
      return await opener(node.descriptor, { from, emit: this.#emit, signal: this.#signal, bytes })();
    };
    await targetSide(() => to.tag(node.descriptor, name, open));
  }

  async #walk(request: CopyRequest): Promise<Graph> {
    const { from, to, root, select = {} } = request;
    const context: WalkContext = {
      from,
      to,
      select,
      documents: this.#documents,
      emit: this.#emit,
      signal: this.#signal,
      tags: () => this.#tagsOf(from),
      limit: (action) => this.#reading(action),
    };
    return await walk(root, context);
  }

  async #readWhole(descriptor: Descriptor, from: Source): Promise<Uint8Array> {
    if (isDocumentType(descriptor.mediaType)) return (await this.#documents.load(descriptor, from)).bytes;
    const open = opener(descriptor, { from, emit: silent, signal: this.#signal });
    return await readVerified(await open(), descriptor, LIMITS.configBytes);
  }

  #emitPlan(image: string, nodes: readonly Node[]): void {
    const bytes = nodes.reduce((sum, node) => sum + (node.present ? 0 : node.descriptor.size), 0);
    this.#emit({ type: 'image.plan', image, nodes: nodes.length, bytes });
  }

  #failed(image: string, error: unknown): OclError {
    const known = this.#signal?.aborted === true ? toOclError(this.#signal.reason) : toOclError(error);
    this.#emit({ type: 'image.failed', image, error: known });
    return known;
  }

  #flightsOf(to: Sink): Flights<Outcome> {
    let flights = this.#flights.get(to);
    if (flights === undefined) this.#flights.set(to, (flights = new Flights()));
    return flights;
  }

  #tagsOf(from: Source): Promise<ReadonlySet<string>> {
    let tags = this.#tags.get(from);
    if (tags === undefined) this.#tags.set(from, (tags = collectTags(from)));
    return tags;
  }
}

async function collectTags(from: Source): Promise<ReadonlySet<string>> {
  const tags = new Set<string>();
  try {
    for await (const tag of from.tags()) tags.add(tag);
  } catch (error) {
    throw onSide(error, 'source');
  }
  return tags;
}

function rootsOf(graph: Graph, name: RootName): readonly NamedRoot[] {
  return [
    { root: graph.root.descriptor, name },
    ...graph.referrers.map(({ descriptor }) => ({ root: descriptor, name: {} })),
    ...graph.digestTags.map(({ tag, node }) => ({
      root: node.descriptor,
      name: { tag, imageName: digestTagName(name, tag) },
    })),
  ];
}

function imageNameOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[ANNOTATION.imageName];
}

/** `registry/repo:sha256-….sig` beside `registry/repo:1.0`. */
function digestTagName(name: RootName, tag: string): string | undefined {
  const { imageName } = name;
  if (imageName === undefined || name.tag === undefined || !imageName.endsWith(`:${name.tag}`)) return undefined;
  return `${imageName.slice(0, -name.tag.length)}${tag}`;
}

/** One question to each end is enough where the target's word covers the whole graph, or where the caller takes a digest for it. */
function isCurrent({ to, root, select = {} }: CopyRequest, before: Descriptor | undefined): boolean {
  const extras = (select.referrers !== undefined && select.referrers !== false) || select.digestTags === true;
  if (before?.digest !== root.digest) return false;
  return select.fast === true || (to.presence === 'graph' && !extras && select.force !== true);
}

function current(request: CopyRequest): CopyResult {
  return { image: request.image, root: request.root, outcome: 'current', nodes: 0, bytes: 0, streamed: 0 };
}

function summary(
  image: string,
  graph: Graph,
  nodes: readonly Node[],
  outcome: CopyResult['outcome'],
  outcomeOf: (node: Node) => Outcome,
): CopyResult {
  let bytes = 0;
  let streamed = 0;
  for (const node of nodes) {
    bytes += node.descriptor.size;
    if (!node.present && outcomeOf(node) === 'streamed') streamed += node.descriptor.size;
  }
  return { image, root: graph.root.descriptor, outcome, nodes: nodes.length, bytes, streamed };
}
