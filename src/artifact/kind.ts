import { type Descriptor } from '../core/descriptor.ts';
import { isCode } from '../core/errors.ts';
import { artifactTypeOf, isAttestationEntry, isImage } from '../core/graph.ts';
import { isObject, parseJson, type JsonObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { type Index, type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType, isIndexType, normalMediaType } from '../core/mediaTypes.ts';
import { entryName } from '../core/names.ts';
import { type Source } from '../core/store.ts';
import { Reads } from './reads.ts';
import { DEEP_STAGE, WEAK_STAGE, type Clue, type Facts } from './types/match.ts';
import { type ArtifactType, type Scan } from './types/schema.ts';
import { scanOf, type TypeTable } from './types/table.ts';

/** What a document is, in one word where there is one: `image`, `index`, `attestation`, else its artifact type. */
export function kindOf(descriptor: Descriptor, document: ManifestDocument | undefined): string {
  if (isAttestationEntry(descriptor)) return 'attestation';
  if (document === undefined) return isDocumentType(descriptor.mediaType) ? 'manifest' : descriptor.mediaType;
  if (document.kind === 'index') return document.artifactType ?? 'index';
  return isImage(document) ? 'image' : (artifactTypeOf(document) ?? 'artifact');
}

/** The end of a media type, for a narrow column: `application/vnd.oci.image.layer.v1.tar+gzip` is `tar+gzip`. */
export function shortMediaType(mediaType: string): string {
  const type = normalMediaType(mediaType);
  if (isIndexType(type)) return 'index';
  if (isDocumentType(type)) return 'manifest';
  const layer = /(?:\.layer\.v1\.|rootfs\.(?:foreign\.)?diff\.)(.+)$/.exec(type);
  return layer?.[1] ?? type.replace(/^application\/(?:vnd\.)?/, '');
}

export interface Classification {
  readonly type: ArtifactType;
  /** What the type was told by, the decisive thing first. */
  readonly evidence: readonly Clue[];
  /** How a scanner should treat it. */
  readonly scan: Scan;
}

export interface ClassifyOptions {
  readonly types: TypeTable;
  /** Also reads the config of what looks like an image, and the first manifest of an index. */
  readonly deep?: boolean | undefined;
  /** What it is named; else what its entry says. */
  readonly tag?: string | undefined;
  /** With its host where that is known. */
  readonly repository?: string | undefined;
  /** What was read already. */
  readonly reads?: Reads | undefined;
}

/** Larger configs are images of an odd kind, or no configs at all. */
const CONFIG_BYTES = 4 << 20;
/** Entries of an index that are tried until one is there: of a sparse index most are not. */
const TRIED_ENTRIES = 20;

/**
 * What a thing is, by the best evidence that there is: artifactType, media type of the config, of layers, annotations, then (deep) the
 * content of the config, names, and at last the media type of the document.
 * What cannot be read is no evidence: only failures of the connection and the run are thrown.
 *
 * @param document undefined for what is no manifest or index, or was not read
 * @throws OCL_UNREACHABLE, OCL_CANCELLED, OCL_UNAUTHORIZED, OCL_DENIED, OCL_RATE_LIMITED
 */
export async function classify(
  source: Source,
  descriptor: Descriptor,
  document: ManifestDocument | undefined,
  options: ClassifyOptions,
): Promise<Classification> {
  const { types } = options;
  const shallow: Facts = {
    descriptor,
    document,
    tag: options.tag ?? entryName(descriptor).tag,
    repository: options.repository,
  };
  const reads = options.reads ?? new Reads(source);
  const first = types.match(shallow);
  const isSure = first !== undefined && first.stage < DEEP_STAGE;
  const config = options.deep === true && !isSure ? await configOf(reads, document) : undefined;
  const facts = config === undefined ? shallow : { ...shallow, config };
  const match = config === undefined ? first : types.match(facts);
  const isWeak = match === undefined || match.stage >= WEAK_STAGE;
  if (options.deep === true && isWeak && document?.kind === 'index') {
    const below = await classifyEntry(reads, document, options, 0);
    if (below !== undefined) return below;
  }
  if (match !== undefined) return { type: match.type, evidence: match.clues, scan: scanOf(match.type, facts) };
  const type = types.get('artifact');
  return { type, evidence: [{ by: 'nothing', value: kindOf(descriptor, document) }], scan: scanOf(type, facts) };
}

async function configOf(reads: Reads, document: ManifestDocument | undefined): Promise<JsonObject | undefined> {
  if (document?.kind !== 'manifest' || document.config === undefined || document.config.size > CONFIG_BYTES)
    return undefined;
  const { config } = document;
  return await readable(async () => {
    const value = parseJson(await reads.config(config), config.digest);
    return isObject(value) ? value : undefined;
  });
}

/** What its first manifest is, the index is as well: a bootable image for two platforms, a bundle in the old form. */
async function classifyEntry(
  reads: Reads,
  index: Index,
  options: ClassifyOptions,
  depth: number,
): Promise<Classification | undefined> {
  const entries = index.manifests.filter((entry) => !isAttestationEntry(entry) && isDocumentType(entry.mediaType));
  for (const entry of entries.slice(0, TRIED_ENTRIES)) {
    const document = await readable(async () => await reads.document(entry));
    if (document === undefined) continue;
    if (document.kind === 'index')
      return depth >= LIMITS.indexDepth ? undefined : await classifyEntry(reads, document, options, depth + 1);
    const { type, evidence } = await classify(reads.source, entry, document, { ...options, tag: '', reads });
    const whole = options.types.get(type.asIndex ?? type.id);
    // An index of images is told as well by its own media type.
    if (type.id === 'artifact' || whole.id === 'image-index') return undefined;
    return { type: whole, evidence: [{ by: 'child', value: entry.digest }, ...evidence], scan: whole.scan };
  }
  return undefined;
}

/** What is missing, damaged or too large says nothing. */
async function readable<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    for (const code of UNREADABLE) if (isCode(error, code)) return undefined;
    throw error;
  }
}

const UNREADABLE = [
  'OCL_NOT_FOUND',
  'OCL_DOCUMENT_INVALID',
  'OCL_DIGEST_MISMATCH',
  'OCL_SIZE_MISMATCH',
  'OCL_LIMIT',
  'OCL_UNSUPPORTED',
] as const;
