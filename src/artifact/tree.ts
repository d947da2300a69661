import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { children } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type Source } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { deprecationOf, type Deprecation } from './deprecation.ts';
import { kindOf, shortMediaType } from './kind.ts';

export interface TreeNode {
  readonly role: 'root' | 'manifest' | 'config' | 'layer' | 'referrer';
  readonly descriptor: Descriptor;
  /** `image`, `index`, an artifact type; for contents a short media type. */
  readonly kind: string;
  /** False: its document is not in this store. */
  readonly present: boolean;
  /** What was said last of an entity of Meshery. */
  readonly deprecation?: Deprecation | undefined;
  readonly children: readonly TreeNode[];
}

export interface TreeOptions {
  /** Configs and layers as well, not documents alone. */
  readonly contents: boolean;
}

/** An image with all that it is made of and all that refers to it, each document once. */
export async function buildTree(source: Source, root: Descriptor, options: TreeOptions): Promise<TreeNode> {
  return await grow(source, root, 'root', options, new Set(), 0);
}

async function grow(
  source: Source,
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
  const loaded = await loadDocument(descriptor, source).catch((error: unknown) => {
    if (isCode(error, 'OCL_NOT_FOUND') && role !== 'root') return undefined;
    throw error;
  });
  if (loaded === undefined)
    return { role, descriptor, kind: kindOf(descriptor, undefined), present: false, children: [] };
  const below: TreeNode[] = [];
  for (const child of children(loaded.document)) {
    if (child.role === 'manifest' || options.contents)
      below.push(await grow(source, child.descriptor, child.role, options, seen, depth + 1));
  }
  for await (const referrer of source.referrers(descriptor))
    below.push(await grow(source, referrer, 'referrer', options, seen, depth + 1));
  const deprecation = await deprecationOf(source, descriptor, loaded.document);
  return {
    role,
    descriptor,
    kind: kindOf(descriptor, loaded.document),
    present: true,
    ...(deprecation === undefined ? {} : { deprecation }),
    children: below,
  };
}
