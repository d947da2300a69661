import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { referrersTag, verifiableAlgorithm, type Digest } from '../core/digest.ts';
import { isCode, OclError, onSide } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { children, isForeign, type Child } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { formatPlatform } from '../core/platform.ts';
import { type LocalSource, type Sink, type Source } from '../core/store.ts';
import { embeddedData } from '../io/verify.ts';
import { type DigestTags } from './digestTags.ts';
import { type Documents } from './documents.ts';
import { allSettled } from './flight.ts';
import { otherPlatform } from './otherPlatform.ts';
import { matchesFilter, pinnedEntries, rewriteIndex, selectEntries, wantsReferrers, type Select } from './select.ts';

/** A piece of a graph, and what has to be in the sink before it. */
export interface Node {
  readonly descriptor: Descriptor;
  readonly children: readonly Node[];
  /** The sink has it, and all below it. */
  readonly present: boolean;
}

/** What one image comes to: its root, and what travels with it. */
export interface Graph {
  readonly root: Node;
  /** Manifests that refer to a part of it; each after its subject. */
  readonly referrers: readonly Node[];
  readonly digestTags: readonly { readonly tag: string; readonly node: Node }[];
}

/** For a source that is to have more later: what it lacks now is left out, and told. */
export interface Part {
  /** What the parts of one whole have in common: the sink keeps what came of it, until all is there. */
  readonly key: string;
  /** Whether another part has it. */
  readonly lacks: (digest: Digest) => boolean;
}

export interface WalkContext {
  readonly from: Source;
  readonly to: Sink;
  readonly documents: Documents;
  readonly select: Select;
  readonly part: Part | undefined;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  /** Asked once a run. */
  readonly digestTags: () => Promise<DigestTags>;
  /** Bounds what is asked of the stores at once. */
  readonly limit: <T>(action: () => Promise<T>) => Promise<T>;
}

/** Reads the documents of an image, and nothing else of it. @throws OCL_LIMIT for graphs beyond the bounds */
export async function walk(root: Descriptor, context: WalkContext): Promise<Graph> {
  return await new Walk(context).graph(root);
}

class Walk {
  readonly #context: WalkContext;
  readonly #nodes = new Map<string, Promise<Node>>();
  /** Every document that was met, in order: the subjects that may have referrers. */
  readonly #subjects = new Map<Digest, Descriptor>();
  readonly #asked = new Map<Digest, Promise<readonly Descriptor[]>>();

  constructor(context: WalkContext) {
    this.#context = context;
  }

  async graph(root: Descriptor): Promise<Graph> {
    const { platforms = [], pinned } = this.#context.select;
    this.#askAhead(root);
    const node =
      platforms.length === 0 && pinned === undefined ? await this.#node(root, 0) : await this.#selectedRoot(root);
    const referrers = await this.#referrers();
    return { root: node, referrers, digestTags: await this.#digestTags() };
  }

  /** What will be asked in any case is asked while the documents come: over a slow line each question costs as much as a small blob. */
  #askAhead(root: Descriptor): void {
    const { select, digestTags } = this.#context;
    if (select.pinned !== undefined) return;
    // An index that is written anew has other referrers than the one that it was made of: none.
    if (wantsReferrers(select) && isDocumentType(root.mediaType) && select.sparse !== 'rewrite')
      this.#referrersOnce(root).catch(() => {});
    if (select.digestTags === true) digestTags().catch(() => {});
  }

  #node(descriptor: Descriptor, depth: number): Promise<Node> {
    refuseWrongData(descriptor);
    const isDocument = isDocumentType(descriptor.mediaType);
    // Somebody may carry a manifest as a mere layer, somebody else as what it is: only then its children count.
    const key = isDocument ? descriptor.digest : `content ${descriptor.digest}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    if (this.#nodes.size >= LIMITS.graphNodes)
      throw new OclError('OCL_LIMIT', `Cannot copy the image: its graph has more than ${LIMITS.graphNodes} nodes`);
    const node = isDocument
      ? this.#document(descriptor, depth)
      : Promise.resolve({ descriptor, children: [], present: false });
    this.#nodes.set(key, node);
    return node;
  }

  async #document(descriptor: Descriptor, depth: number): Promise<Node> {
    this.#context.signal?.throwIfAborted();
    if (depth > LIMITS.indexDepth)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot copy ${descriptor.digest}: indexes are nested more than ${LIMITS.indexDepth} deep`,
      );
    // Only a verified document cannot contain itself.
    if (verifiableAlgorithm(descriptor.digest) === undefined)
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot copy ${descriptor.digest}: nobody here can verify a manifest of that algorithm`,
      );
    this.#subjects.set(descriptor.digest, descriptor);
    const { to, select } = this.#context;
    const present =
      select.force !== true && to.presence === 'graph' && (await this.#context.limit(() => to.has(descriptor)));
    if (select.shallow === true || (present && !this.#looksBeside())) return { descriptor, children: [], present };
    if (await this.#isElsewhere(descriptor)) return { descriptor, children: [], present };
    const document = await this.#load(descriptor);
    if (present) {
      // Its contents are there; its children matter as subjects only.
      if (document.kind === 'index') await allSettled(document.manifests.map((child) => this.#node(child, depth + 1)));
      return { descriptor, children: [], present };
    }
    return { descriptor, children: await this.#children(document, depth), present };
  }

  async #children(document: ManifestDocument, depth: number): Promise<readonly Node[]> {
    const all: Child[] = [];
    for (const child of children(document)) if (!isForeign(child) || (await this.#takesForeign(child))) all.push(child);
    const wanted = document.kind === 'index' ? await this.#held(all) : all;
    return await allSettled(wanted.map(async (child) => await this.#node(child.descriptor, depth + 1)));
  }

  /** A document that another part has: what is below it is not known yet. */
  async #isElsewhere(descriptor: Descriptor): Promise<boolean> {
    const { part, to, limit } = this.#context;
    return (
      part?.lacks(descriptor.digest) === true &&
      (await limit(async () => await to.document?.(descriptor))) === undefined
    );
  }

  async #takesForeign({ descriptor }: Child): Promise<boolean> {
    const { from, select } = this.#context;
    if (select.foreign !== 'held') return select.foreign === true;
    return 'roots' in from && (await (from as LocalSource).size(descriptor.digest)) !== undefined;
  }

  /**
   * What a file holds of an index: some of its platforms may have been left out when it was written (`docker save`, `--platform`).
   * Where all are missing, that is damage. A registry is asked for all.
   */
  async #held(entries: readonly Child[]): Promise<readonly Child[]> {
    const { from, emit, select } = this.#context;
    const { pinned } = select;
    if (pinned !== undefined) return entries.filter(({ descriptor }) => pinned.entries.has(descriptor.digest));
    if (!('roots' in from)) {
      const allowed = new Set(await this.#allowed(entries.map(({ descriptor }) => descriptor)));
      return entries.filter(({ descriptor }) => allowed.has(descriptor));
    }
    const isHeld = await allSettled(entries.map(async ({ descriptor }) => await this.#holds(descriptor)));
    const held = entries.filter((_, i) => isHeld[i]);
    if (held.length === 0 || held.length === entries.length) return entries;
    for (const { descriptor } of entries.filter((_, i) => !isHeld[i])) {
      const platform = descriptor.platform === undefined ? '' : ` (${formatPlatform(descriptor.platform)})`;
      const message = `${from.name} does not hold ${descriptor.digest}${platform} of an index: left out`;
      emit({ type: 'notice', level: 'warning', message });
    }
    return held;
  }

  /** What somebody waived is tried, and left out when it is not there. */
  async #allowed(entries: readonly Descriptor[]): Promise<readonly Descriptor[]> {
    const { allowMissing } = this.#context.select;
    if (allowMissing === undefined) return entries;
    const isHeld = await allSettled(
      entries.map(async (entry) => !allowMissing.has(entry.digest) || (await this.#holds(entry))),
    );
    for (const missing of entries.filter((_, i) => isHeld[i] !== true)) this.#warnOfMissing(missing);
    return entries.filter((_, i) => isHeld[i]);
  }

  #warnOfMissing({ digest }: Descriptor): void {
    const { emit, from } = this.#context;
    emit({ type: 'notice', level: 'warning', message: `${from.name} does not have ${digest}: left out, as allowed` });
  }

  async #holds(descriptor: Descriptor): Promise<boolean> {
    if (!isDocumentType(descriptor.mediaType) || this.#context.part?.lacks(descriptor.digest) === true) return true;
    try {
      await this.#load(descriptor);
      return true;
    } catch (error) {
      if (isCode(error, 'OCL_NOT_FOUND')) return false;
      throw error;
    }
  }

  /** An index of which some platforms are wanted. Below it nothing is left out. */
  async #selectedRoot(root: Descriptor): Promise<Node> {
    const { platforms = [], sparse, pinned } = this.#context.select;
    const { from, documents, to } = this.#context;
    if (!isDocumentType(root.mediaType)) return await this.#node(root, 0);
    const loaded = await documents.load(root, from, readSink(to));
    if (loaded.document.kind !== 'index') {
      if (pinned === undefined) await this.#warnOfPlatform(root, loaded.document, platforms);
      return await this.#node(root, 0);
    }
    this.#subjects.set(root.digest, root);
    const what = `${root.digest} of ${from.name}`;
    const entries =
      pinned === undefined
        ? await this.#allowed(selectEntries(loaded.document, platforms, what))
        : pinnedEntries(loaded.document, pinned, what);
    const nodes = await allSettled(entries.map(async (entry) => await this.#node(entry, 1)));
    if (sparse !== 'rewrite' || entries.length === loaded.document.manifests.length)
      return { descriptor: root, children: nodes, present: false };
    const { descriptor, bytes } = rewriteIndex(root, loaded, entries);
    documents.add(descriptor.digest, bytes);
    this.#subjects.delete(root.digest);
    return { descriptor, children: nodes, present: false };
  }

  /** Nothing can be chosen of an image of one platform: it is copied, and nobody should take it for what was wanted. */
  async #warnOfPlatform(root: Descriptor, document: ManifestDocument, wanted: readonly Platform[]): Promise<void> {
    const { from, emit, limit } = this.#context;
    const other = await limit(() => otherPlatform(root, document, wanted, from));
    if (other === undefined) return;
    const message = `${root.digest} of ${from.name} is ${formatPlatform(other)} alone, not ${wanted.map(formatPlatform).join(', ')}: copied as it is`;
    emit({ type: 'notice', level: 'warning', message });
  }

  async #load(descriptor: Descriptor): Promise<ManifestDocument> {
    const { documents, from, to, limit } = this.#context;
    return (await limit(() => documents.load(descriptor, from, readSink(to)))).document;
  }

  /** Whether something may have to be copied although the sink has all that is below a node. */
  #looksBeside(): boolean {
    const { select } = this.#context;
    return wantsReferrers(select) || select.digestTags === true;
  }

  /** Referrers of every document met, then the referrers of those, until there are no new ones. */
  async #referrers(): Promise<readonly Node[]> {
    const { pinned } = this.#context.select;
    if (pinned !== undefined)
      return await allSettled(pinned.referrers.map(async (referrer) => await this.#node(referrer, 0)));
    if (!wantsReferrers(this.#context.select)) return [];
    const found: Node[] = [];
    const asked = new Set<Digest>();
    for (let depth = 0; ; depth++) {
      const subjects = [...this.#subjects.values()].filter((subject) => !asked.has(subject.digest));
      if (subjects.length === 0) return found;
      if (depth > LIMITS.referrerDepth)
        throw new OclError(
          'OCL_LIMIT',
          `Cannot copy the image: referrers refer to referrers more than ${LIMITS.referrerDepth} deep`,
        );
      for (const subject of subjects) asked.add(subject.digest);
      const lists = await allSettled(subjects.map(async (subject) => await this.#referrersOnce(subject)));
      for (const descriptor of lists.flat()) {
        if (this.#nodes.has(descriptor.digest)) continue;
        found.push(await this.#node(descriptor, 0));
      }
    }
  }

  #referrersOnce(subject: Descriptor): Promise<readonly Descriptor[]> {
    let asked = this.#asked.get(subject.digest);
    if (asked === undefined) {
      asked = this.#context.limit(() => this.#referrersOf(subject));
      this.#asked.set(subject.digest, asked);
    }
    return asked;
  }

  /** A list of referrers is only a claim: what does not name the subject in its own bytes is left out. */
  async #referrersOf(subject: Descriptor): Promise<readonly Descriptor[]> {
    const { from, to, documents, select, emit } = this.#context;
    const wanted: Descriptor[] = [];
    try {
      for await (const descriptor of from.referrers(subject)) {
        if (!matchesFilter(descriptor, select.referrers)) continue;
        if (select.allowMissing?.has(descriptor.digest) === true && !(await this.#holds(descriptor))) {
          this.#warnOfMissing(descriptor);
          continue;
        }
        const { document } = await documents.load(descriptor, from, readSink(to));
        if (document.subject?.digest === subject.digest) wanted.push(descriptor);
        else
          emit({
            type: 'notice',
            level: 'warning',
            message: `${from.name} lists ${descriptor.digest} as a referrer of ${subject.digest}, but it refers to ${document.subject?.digest ?? 'nothing'}: left out`,
          });
      }
    } catch (error) {
      throw onSide(error, 'source');
    }
    return wanted;
  }

  async #digestTags(): Promise<Graph['digestTags']> {
    const { from, select, digestTags } = this.#context;
    if (select.pinned !== undefined) {
      const pinned = select.pinned.digestTags;
      return await allSettled(pinned.map(async ({ tag, root }) => ({ tag, node: await this.#node(root, 0) })));
    }
    if (select.digestTags !== true) return [];
    const all = await digestTags();
    const found: { tag: string; node: Node }[] = [];
    const subjects = [...this.#subjects.keys()];
    for (const subject of subjects) {
      const stem = referrersTag(subject);
      for (const tag of all.get(stem) ?? []) {
        // The plain stem is the list of referrers; where those are copied, the target keeps its own.
        if (tag === stem && wantsReferrers(select)) continue;
        const root = await this.#context
          .limit(() => from.resolve(tag))
          .catch((error: unknown) => {
            throw onSide(error, 'source');
          });
        found.push({ tag, node: await this.#node(root, 0) });
      }
    }
    return found;
  }
}

function readSink(to: Sink): ((descriptor: Descriptor) => Promise<Uint8Array | undefined>) | undefined {
  return to.document === undefined ? undefined : async (descriptor) => await to.document?.(descriptor);
}

/** Embedded content that is not what the descriptor says would be passed on, whichever way the content itself takes. */
function refuseWrongData(descriptor: Descriptor): void {
  try {
    embeddedData(descriptor);
  } catch (error) {
    throw onSide(error, 'source');
  }
}

/** All nodes of a graph, children before parents, each once. */
export function* inOrder(graph: Graph): Generator<Node> {
  const seen = new Set<Node>();
  for (const root of [graph.root, ...graph.referrers, ...graph.digestTags.map(({ node }) => node)])
    yield* postOrder(root, seen);
}

function* postOrder(node: Node, seen: Set<Node>): Generator<Node> {
  if (seen.has(node)) return;
  seen.add(node);
  for (const child of node.children) yield* postOrder(child, seen);
  yield node;
}
