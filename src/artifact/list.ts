import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, toOclError } from '../core/errors.ts';
import { isAttestationEntry, isImage } from '../core/graph.ts';
import { parseImageConfig, platformOf } from '../core/imageConfig.ts';
import { LIMITS } from '../core/limits.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { formatPlatform } from '../core/platform.ts';
import { printable } from '../core/redact.ts';
import { type Source } from '../core/store.ts';
import { deprecationOf, type Deprecation } from './deprecation.ts';
import { kindOf } from './kind.ts';
import { Reads } from './reads.ts';
import { usageOf, type TypeFacts, type UsageOptions, type Use } from './usage.ts';

export interface Listed {
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly kind: string;
  readonly platforms: readonly string[];
  /** Bytes of all that it is made of, each content counted once; what is not there counts as its descriptor says. */
  readonly size: number;
  readonly created: string | undefined;
  /** What was said of it last, of an entity of Meshery of which anything was said. */
  readonly deprecation?: Deprecation | undefined;
  /** What it is by the table of artifact types, where one was given. */
  readonly artifact?: TypeFacts | undefined;
  /** Commands that use it, as far as what they need is known. */
  readonly actions?: readonly Use[] | undefined;
  /** Web pages that it names, each an http(s) address. */
  readonly links?: readonly Link[] | undefined;
  /** Why it could not be read, when it could not. */
  readonly problem?: string | undefined;
}

export interface Link {
  readonly label: string;
  readonly url: string;
}

/** What a listing shows of one name. A damaged image is listed with its problem, not hidden. */
export async function describeImage(
  source: Source,
  reference: string,
  root: Descriptor,
  options?: UsageOptions,
): Promise<Listed> {
  const base = { reference, digest: root.digest, mediaType: root.mediaType };
  const reads = new Reads(source);
  try {
    const facts = await gather(reads, root, new Set(), 0);
    const created = root.annotations?.[ANNOTATION.created] ?? facts.created;
    const deprecation = facts.document === undefined ? undefined : await deprecationOf(source, root, facts.document);
    const known = options === undefined ? {} : await about(reads, root, options);
    return {
      ...base,
      kind: facts.kind,
      platforms: [...new Set(facts.platforms)],
      size: facts.size,
      created,
      ...(deprecation === undefined ? {} : { deprecation }),
      ...known,
    };
  } catch (error) {
    if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
    return {
      ...base,
      kind: kindOf(root, undefined),
      platforms: [],
      size: root.size,
      created: undefined,
      problem: toOclError(error).message,
    };
  }
}

/** What it is, what can be done with it, and where to read on. */
async function about(
  reads: Reads,
  root: Descriptor,
  options: UsageOptions,
): Promise<Pick<Listed, 'artifact' | 'actions' | 'links'>> {
  const document = isDocumentType(root.mediaType) ? await reads.document(root) : undefined;
  const { artifact, actions } = await usageOf(reads, root, document, options);
  return { artifact, actions, links: linksOf(document?.annotations ?? {}) };
}

function linksOf(annotations: Readonly<Record<string, string>>): readonly Link[] {
  return LINKS.flatMap(([label, name]) => {
    const url = annotations[name];
    return url !== undefined && isWebAddress(url) ? [{ label, url }] : [];
  });
}

const LINKS = [
  ['Page', 'org.opencontainers.image.url'],
  ['Source', 'org.opencontainers.image.source'],
  ['Documentation', 'org.opencontainers.image.documentation'],
] as const;

/** What a browser may be sent to: no scripts, no files, nothing that hides where it leads. */
function isWebAddress(text: string): boolean {
  if (text.length > 2000 || !/^https?:\/\//i.test(text) || printable(text) !== text) return false;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && url.username === '' && url.password === '';
}

interface Facts {
  readonly kind: string;
  readonly platforms: readonly string[];
  readonly size: number;
  readonly created: string | undefined;
  readonly document?: ManifestDocument | undefined;
}

async function gather(reads: Reads, descriptor: Descriptor, seen: Set<Digest>, depth: number): Promise<Facts> {
  if (seen.has(descriptor.digest))
    return { kind: kindOf(descriptor, undefined), platforms: [], size: 0, created: undefined };
  seen.add(descriptor.digest);
  if (!isDocumentType(descriptor.mediaType) || depth > LIMITS.indexDepth)
    return { kind: kindOf(descriptor, undefined), platforms: [], size: descriptor.size, created: undefined };
  const document = await reads.document(descriptor);
  const kind = kindOf(descriptor, document);
  const created = document.annotations?.[ANNOTATION.created];
  if (document.kind === 'manifest')
    return await gatherManifest(reads, descriptor, document, seen, { kind, created, document });
  let size = descriptor.size;
  const platforms: string[] = [];
  let newest = created;
  for (const entry of document.manifests) {
    const below = await gather(reads, entry, seen, depth + 1).catch((error: unknown) => {
      // A platform that was not copied is no fault of the listing.
      if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
      throw error;
    });
    if (below === undefined) continue;
    size += below.size;
    newest ??= below.created;
    if (isAttestationEntry(entry)) continue;
    for (const platform of entry.platform === undefined ? below.platforms : [formatPlatform(entry.platform)])
      platforms.push(platform);
  }
  return { kind, platforms, size, created: newest, document };
}

async function gatherManifest(
  reads: Reads,
  descriptor: Descriptor,
  document: Extract<ManifestDocument, { kind: 'manifest' }>,
  seen: Set<Digest>,
  known: Pick<Facts, 'kind' | 'created' | 'document'>,
): Promise<Facts> {
  let size = descriptor.size;
  for (const child of [...(document.config === undefined ? [] : [document.config]), ...document.layers]) {
    if (seen.has(child.digest)) continue;
    seen.add(child.digest);
    size += child.size;
  }
  if (!isImage(document) || document.config === undefined) return { ...known, platforms: [], size };
  const config = parseImageConfig(await reads.config(document.config), document.config.digest);
  const platform = platformOf(config);
  const platforms = platform === undefined ? [] : [formatPlatform(platform)];
  return { ...known, created: known.created ?? config.created ?? undefined, platforms, size };
}
