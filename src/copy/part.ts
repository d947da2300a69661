import { type Descriptor } from '../core/descriptor.ts';
import { inOrder, type Graph, type Node, type Part } from './walk.ts';

/** What of a graph cannot be brought yet. */
export interface Lacking {
  /** What neither this part nor the sink has. */
  readonly missing: readonly Descriptor[];
  /** Nodes that are missing, or have something missing below them: no sink may have those before it has all of them. */
  readonly incomplete: ReadonlySet<Node>;
}

export const NOTHING: Lacking = { missing: [], incomplete: new Set() };

/** @param has whether the sink has a content */
export async function lackingIn(
  graph: Graph,
  { lacks }: Part,
  has: (descriptor: Descriptor) => Promise<boolean>,
): Promise<Lacking> {
  const missing: Descriptor[] = [];
  const incomplete = new Set<Node>();
  // Children come before parents.
  for (const node of inOrder(graph)) {
    if (node.present) continue;
    const { descriptor } = node;
    const isMissing = lacks(descriptor.digest) && descriptor.data === undefined && !(await has(descriptor));
    if (isMissing) missing.push(descriptor);
    if (isMissing || node.children.some((child) => incomplete.has(child))) incomplete.add(node);
  }
  return { missing, incomplete };
}
