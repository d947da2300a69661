import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { type Outcome } from '../core/events.ts';
import { type RootName, type Sink, type Source } from '../core/store.ts';
import { wantsReferrers, type Select } from './select.ts';
import { inOrder, type Graph, type Node, type Part } from './walk.ts';

export interface CopyRequest {
  readonly from: Source;
  readonly to: Sink;
  readonly root: Descriptor;
  /** Without a tag the content arrives as a nameless root. */
  readonly name: RootName;
  /** The content arrives and gets no name, and no place among the roots: something else has the name, and keeps it. */
  readonly unnamed?: boolean | undefined;
  /** As events and errors call it. */
  readonly image: string;
  readonly select?: Select | undefined;
  /** The source is a part of a whole: an image that is not complete yet gets no name, and what is there of it arrives. */
  readonly part?: Part | undefined;
  /** What the target's name points at, where the caller has just asked. */
  readonly found?: { readonly root: Descriptor | undefined } | undefined;
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
  /** What other parts of the whole still have to bring; the image has no name then. */
  readonly missing?: readonly Descriptor[] | undefined;
  /** What refers to the image, and lacks something itself. */
  readonly left?: readonly Digest[] | undefined;
}

/** The result of an image for which nothing had to be asked. */
export function untouched(request: CopyRequest): CopyResult {
  return { image: request.image, root: request.root, outcome: 'current', nodes: 0, bytes: 0, streamed: 0 };
}

/**
 * @param outcomeOf how a node came to be in the sink
 * @param resumed bytes of a content that were in the sink before, and did not flow
 */
export function resultOf(
  request: CopyRequest,
  graph: Graph,
  outcomeOf: (node: Node) => Outcome,
  resumed: (digest: Digest) => number,
): CopyResult & { readonly moved: boolean } {
  let nodes = 0;
  let bytes = 0;
  let streamed = 0;
  let moved = false;
  for (const node of inOrder(graph)) {
    const outcome = node.present ? 'present' : outcomeOf(node);
    nodes++;
    bytes += node.descriptor.size;
    if (outcome !== 'present') moved = true;
    if (outcome === 'streamed') streamed += node.descriptor.size - resumed(node.descriptor.digest);
  }
  return { image: request.image, root: graph.root.descriptor, outcome: 'copied', nodes, bytes, streamed, moved };
}

/** `registry/repo:sha256-….sig` beside `registry/repo:1.0`. */
export function digestTagName(name: RootName, tag: string): RootName {
  const { imageName } = name;
  if (imageName === undefined || name.tag === undefined || !imageName.endsWith(`:${name.tag}`)) return { tag };
  return { tag, imageName: `${imageName.slice(0, -name.tag.length)}${tag}` };
}

/** One question to each end is enough where the target's word covers the whole graph, or where the caller takes a digest for it. */
export function isCurrent({ to, root, select = {} }: CopyRequest, before: Descriptor | undefined): boolean {
  if (before?.digest !== root.digest) return false;
  if (select.fast === true) return true;
  const extras = wantsReferrers(select) || select.digestTags === true;
  return to.presence === 'graph' && !extras && select.force !== true;
}

/** Whether the target's name needs no setting: it points there already, and a store on disk knows where it comes from. */
export function isNamed({ to, name }: CopyRequest, root: Descriptor, before: Descriptor | undefined): boolean {
  if (before?.digest !== root.digest) return false;
  const known = before.annotations?.[ANNOTATION.imageName];
  return to.presence === 'graph' || (name.imageName ?? known) === known;
}
