import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { children } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type Source } from '../core/store.ts';
import { deprecationOf, type Deprecation } from './deprecation.ts';
import { classify, kindOf, shortMediaType } from './kind.ts';
import { Reads } from './reads.ts';
import { type TypeTable } from './types/table.ts';
import { typeFacts, type TypeFacts } from './usage.ts';

export interface TreeNode {
  readonly role: 'root' | 'manifest' | 'config' | 'layer' | 'referrer';
  readonly descriptor: Descriptor;
  /** `image`, `index`, an artifact type; for contents a short media type. */
  readonly kind: string;
  /** Of a document: what it is by the table of artifact types, where one was given. */
  readonly artifact?: TypeFacts | undefined;
  /** False: its document is not in this store. */
  readonly present: boolean;
  /** What was said last of an entity of Meshery. */
  readonly deprecation?: Deprecation | undefined;
  readonly children: readonly TreeNode[];
}

export interface TreeOptions {
  /** Configs and layers as well, not documents alone. */
  readonly contents: boolean;
  /** Without it nothing is said of types. */
  readonly types?: TypeTable | undefined;
}

/** An image with all that it is made of and all that refers to it, each document once. */
export async function buildTree(source: Source, root: Descriptor, options: TreeOptions): Promise<TreeNode> {
  return await grow(new Reads(source), root, 'root', options, new Set(), 0);
}

async function grow(
  reads: Reads,
  descriptor: Descriptor,
  role: TreeNode['role'],
  options: TreeOptions,
  seen: Set<Digest>,
  depth: number,
): Promise<TreeNode> {
  if (!isDocumentType(descriptor.mediaType))
    return { role, descriptor, kind: shortMediaType(descriptor.mediaType), present: true, children: [] };
  if (seen.has(descriptor.digest) || depth > LIMITS.indexDepth)
    return { role, descriptor, kind: kindOf(descriptor, undefined), present: true, children: [] };
  seen.add(descriptor.digest);
  const document = await reads.document(descriptor).catch((error: unknown) => {
    if (isCode(error, 'OCL_NOT_FOUND') && role !== 'root') return undefined;
    throw error;
  });
  if (document === undefined)
    return { role, descriptor, kind: kindOf(descriptor, undefined), present: false, children: [] };
  const below: TreeNode[] = [];
  for (const child of children(document)) {
    if (child.role === 'manifest' || options.contents)
      below.push(await grow(reads, child.descriptor, child.role, options, seen, depth + 1));
  }
  for await (const referrer of reads.source.referrers(descriptor))
    below.push(await grow(reads, referrer, 'referrer', options, seen, depth + 1));
  const deprecation = await deprecationOf(reads.source, descriptor, document);
  const artifact =
    options.types === undefined
      ? undefined
      : typeFacts(await classify(reads.source, descriptor, document, { types: options.types, deep: true, reads }));
  return {
    role,
    descriptor,
    kind: kindOf(descriptor, document),
    artifact,
    present: true,
    ...(deprecation === undefined ? {} : { deprecation }),
    children: below,
  };
}
