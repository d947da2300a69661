import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { type Outcome } from '../core/events.ts';
import { type LocalSource, type RootName, type Sink, type Source } from '../core/store.ts';
import { type Loaded } from './documents.ts';
import { allSettled, Flights } from './flight.ts';
import {
  digestTagName,
  isCurrent,
  isNamed,
  resultOf,
  untouched,
  type CopyRequest,
  type CopyResult,
} from './request.ts';
import { lackingIn, NOTHING, type Lacking } from './part.ts';
import { fillReserved, rootsOf, survey, type LeaveOut, type Surveyed } from './reserved.ts';
import { Run, type CopierOptions } from './run.ts';
import { targetSide } from './transfer.ts';
import { inOrder, type Graph, type Node } from './walk.ts';

export { rootsOf, type CopierOptions, type CopyRequest, type CopyResult, type Surveyed };

export interface PlannedNode {
  readonly descriptor: Descriptor;
  readonly present: boolean;
  /** The source was said to bring it, so the target was not asked. */
  readonly carried?: boolean | undefined;
}

export interface CopyPlan {
  /** The target has it all; `nodes` is empty then. */
  readonly current: boolean;
  readonly nodes: readonly PlannedNode[];
  /** The digest tags that travel with the image, and whether the target has them so. */
  readonly tags: readonly { readonly tag: string; readonly present: boolean }[];
}

/**
 * Moves graphs from sources to sinks: children before parents, the tag last, every content once.
 * One Copier serves a run, so that its images share what is in flight and what was read.
 */
export class Copier {
  readonly #run: Run;
  readonly #flights = new WeakMap<Sink, Flights<Outcome>>();

  constructor(options: CopierOptions) {
    this.#run = new Run(options);
  }

  /**
   * Copies one image. Its name is set at the end, and visible after the sink's `commit`, which is the caller's.
   * @throws the first failure, telling its side; the image then has no new name in the target
   */
  async copy(request: CopyRequest): Promise<CopyResult> {
    const started = this.#run.clock.now();
    this.#run.start(request);
    try {
      const before = await find(request);
      const result = isCurrent(request, before) ? untouched(request) : await this.#copyOrRepair(request, before);
      return this.#run.done(result, started);
    } catch (error) {
      throw this.#run.failed(request, error);
    }
  }

  /**
   * Copies several images into a sink that must know all of it beforehand (an archive).
   * A failure of one is a failure of all: half a table of contents is none.
   */
  async copyReserved(requests: readonly CopyRequest[], to: Sink): Promise<readonly CopyResult[]> {
    return await this.fill(await this.survey(requests), to);
  }

  /** The first half of `copyReserved`: what the images come to. Documents are read, contents are not. @throws the first failure */
  async survey(requests: readonly CopyRequest[], leaveOut?: LeaveOut): Promise<readonly Surveyed[]> {
    return await survey(requests, this.#run, leaveOut);
  }

  /** The second half: moves what was surveyed. */
  async fill(surveyed: readonly Surveyed[], to: Sink): Promise<readonly CopyResult[]> {
    return await fillReserved(surveyed, to, this.#run);
  }

  /** For what was surveyed and needs no moving. */
  leave(surveyed: readonly Surveyed[]): readonly CopyResult[] {
    const now = this.#run.clock.now();
    return surveyed.map(({ request }) => this.#run.done(untouched(request), now));
  }

  /**
   * What a copy would do, without doing it: every node, and whether the sink has it.
   * @param carries what the sink need not be asked for
   */
  async plan(request: CopyRequest, carries?: (descriptor: Descriptor) => Promise<boolean>): Promise<CopyPlan> {
    const before = await find(request);
    if (isCurrent(request, before)) return { current: true, nodes: [], tags: [] };
    const { to } = request;
    const graph = withoutWhatIsNamed(await this.#run.walk(request), request, before);
    const nodes = await allSettled(
      [...inOrder(graph)].map(async ({ descriptor, present }): Promise<PlannedNode> => {
        if (!present && (await carries?.(descriptor)) === true) return { descriptor, present, carried: true };
        return { descriptor, present: present || (await this.#run.ask(() => targetSide(() => to.has(descriptor)))) };
      }),
    );
    const tags = await allSettled(
      graph.digestTags.map(async ({ tag, node }) => {
        const there = await this.#run.ask(() => targetSide(() => to.find(tag)));
        return { tag, present: there?.digest === node.descriptor.digest };
      }),
    );
    return { current: false, nodes, tags };
  }

  /** Moves one content by itself, for who learns only later which image it belongs to. Answers the bytes that flowed. @throws as the sink, telling the side */
  async put(descriptor: Descriptor, { from, to }: Pick<CopyRequest, 'from' | 'to'>): Promise<number> {
    await targetSide(async () => await to.begin?.(isPart(from)));
    const flights = this.#flightsOf(to);
    const outcome = await flights.run(descriptor.digest, from, () => this.#run.transfer(descriptor, { from, to }));
    return outcome === 'streamed' ? descriptor.size - this.#run.resumedBytes(to, descriptor.digest) : 0;
  }

  /** Whether a copy or plan of this run has read the document, so that it costs nothing more. */
  hasRead(digest: Digest): boolean {
    return this.#run.documents.has(digest);
  }

  /** A document as a copy reads it: each once a run, and from the sink if it has it. @throws as the source, OCL_DIGEST_MISMATCH, OCL_DOCUMENT_INVALID */
  async read(
    descriptor: Descriptor,
    { from, to }: Pick<CopyRequest, 'from'> & Partial<Pick<CopyRequest, 'to'>>,
  ): Promise<Loaded> {
    const fromSink = to?.document === undefined ? undefined : async (it: Descriptor) => await to.document?.(it);
    return await this.#run.documents.load(descriptor, from, fromSink);
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
    const { from, to, name } = request;
    await targetSide(async () => await to.begin?.(isPart(from)));
    const graph = withoutWhatIsNamed(await this.#run.walk(request), request, before);
    const lacking = await this.#lacking(graph, request);
    const { incomplete } = lacking;
    this.#run.planned(request, graph, incomplete);
    const outcomes = new Map<Digest, Outcome>();
    const ensure = this.#ensurer(request, flights, { outcomes, incomplete });
    const root = graph.root.descriptor;
    const isComplete = lacking.missing.length === 0;
    // A registry takes a manifest and its tag in one request: there the root comes with its tag, at the end.
    const rootWithTag =
      isComplete &&
      request.unnamed !== true &&
      name.tag !== undefined &&
      to.presence === 'graph' &&
      !graph.root.present &&
      before?.digest !== graph.root.descriptor.digest;
    if (rootWithTag) await allSettled(graph.root.children.map(ensure));
    else await ensure(graph.root);
    await this.#ensureBeside(request, graph, { ensure, incomplete });
    const named = request.unnamed === true || isNamed(request, root, before);
    if (isComplete && (!named || rootWithTag)) await this.#tag(root, name, request);
    if (rootWithTag) outcomes.set(root.digest, 'streamed');
    const result = resultOf(
      request,
      graph,
      (node) => outcomes.get(node.descriptor.digest) ?? 'present',
      (digest) => this.#run.resumedBytes(to, digest),
    );
    if (!isComplete) return { ...result, missing: lacking.missing, left: leftBeside(graph, incomplete) };
    // A layout that learns only now where its content came from has not received anything.
    return before?.digest === root.digest && !result.moved ? { ...result, outcome: 'current' } : result;
  }

  /** What other parts of the whole have to bring. The sink keeps what comes before that. */
  async #lacking(graph: Graph, { to, part }: CopyRequest): Promise<Lacking> {
    if (part === undefined) return NOTHING;
    const has = async (descriptor: Descriptor): Promise<boolean> =>
      await this.#run.ask(() => targetSide(() => to.has(descriptor)));
    const lacking = await lackingIn(graph, part, has);
    if (lacking.missing.length > 0)
      await targetSide(
        async () =>
          await to.hold?.(
            part.key,
            [...inOrder(graph)].map((node) => node.descriptor.digest),
          ),
      );
    return lacking;
  }

  /** What travels with the image, each after what it refers to. */
  async #ensureBeside(
    request: CopyRequest,
    { referrers, digestTags }: Graph,
    { ensure, incomplete }: { readonly ensure: (node: Node) => Promise<void>; readonly incomplete: ReadonlySet<Node> },
  ): Promise<void> {
    for (const referrer of referrers) {
      await ensure(referrer);
      if (incomplete.has(referrer)) continue;
      // A registry lists referrers by itself; elsewhere nothing else would name one that an earlier run left without a name.
      if (request.to.presence === 'node') await this.#tag(referrer.descriptor, {}, request);
    }
    for (const { tag, node } of digestTags) {
      await ensure(node);
      if (incomplete.has(node)) continue;
      if (node.present && (await targetSide(() => request.to.find(tag)))?.digest === node.descriptor.digest) continue;
      await this.#tag(node.descriptor, digestTagName(request.name, tag), request);
    }
  }

  /** Brings nodes into the sink, children first, each once. A parent that waits for its children holds no door. */
  #ensurer(
    { from, to }: CopyRequest,
    flights: Flights<Outcome>,
    { outcomes, incomplete }: { readonly outcomes: Map<Digest, Outcome>; readonly incomplete: ReadonlySet<Node> },
  ): (node: Node) => Promise<void> {
    const asked = new Map<Node, Promise<void>>();
    const bring = async (node: Node): Promise<void> => {
      const { descriptor, children, present } = node;
      if (present) return;
      await allSettled(children.map(ensure));
      if (incomplete.has(node)) return;
      // Only the node itself is shared with other images: of an index they may have chosen other platforms.
      await flights.run(descriptor.digest, from, async () => {
        const outcome = await this.#run.transfer(descriptor, { from, to });
        outcomes.set(descriptor.digest, outcome);
        return outcome;
      });
    };
    const ensure = (node: Node): Promise<void> => {
      const known = asked.get(node) ?? bring(node);
      asked.set(node, known);
      return known;
    };
    return ensure;
  }

  async #tag(root: Descriptor, name: RootName, { from, to }: CopyRequest): Promise<void> {
    this.#run.signal?.throwIfAborted();
    await targetSide(() => to.tag(root, name, this.#run.opener(root, { from, to })));
  }

  #flightsOf(to: Sink): Flights<Outcome> {
    let flights = this.#flights.get(to);
    if (flights === undefined) this.#flights.set(to, (flights = new Flights()));
    return flights;
  }
}

/** An index that is written anew has a digest that nobody could ask for before: a registry that has it under its name has all of it. */
function withoutWhatIsNamed(graph: Graph, { root, to, select }: CopyRequest, before: Descriptor | undefined): Graph {
  const { descriptor } = graph.root;
  const isThere = descriptor.digest !== root.digest && descriptor.digest === before?.digest;
  if (!isThere || to.presence !== 'graph' || select?.force === true) return graph;
  return { ...graph, root: { descriptor, children: [], present: true } };
}

/** Whether a bundle is one of several that together make an image: a delta or a volume. */
function isPart(from: Source): boolean {
  return 'roots' in from && (from as LocalSource).record !== undefined;
}

function leftBeside({ referrers, digestTags }: Graph, incomplete: ReadonlySet<Node>): readonly Digest[] {
  const beside = [...referrers, ...digestTags.map(({ node }) => node)];
  return beside.filter((node) => incomplete.has(node)).map(({ descriptor }) => descriptor.digest);
}

async function find({ name, to, found }: CopyRequest): Promise<Descriptor | undefined> {
  if (found !== undefined) return found.root;
  const { tag } = name;
  return tag === undefined ? undefined : await targetSide(() => to.find(tag));
}
