import * as z from 'zod';
import { type Descriptor, type Platform } from './descriptor.ts';
import { isDigest, type Digest } from './digest.ts';
import { OclError } from './errors.ts';
import { isObject, parseJson, type JsonObject } from './json.ts';
import { LIMITS } from './limits.ts';
import { isIndexType, isManifestType, isSchema1Type, MEDIA, normalMediaType } from './mediaTypes.ts';
import { parseWith } from './parseWith.ts';

export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly manifests: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  /** Absent only in the artifact manifests of OCI 1.1's release candidates. */
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export type ManifestDocument = Index | Manifest;

/** A map as it was parsed, so that a key such as `__proto__` stays data. */
const StringMap = z.custom<Record<string, string>>(
  (value) => isObject(value) && Object.values(value).every((entry) => typeof entry === 'string'),
  'must map names to texts',
);

const PlatformSchema = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  'os.version': z.string().optional(),
  'os.features': z.array(z.string()).optional(),
  variant: z.string().optional(),
});

const DESCRIPTOR_NAMES = ['mediaType', 'digest', 'size', 'platform', 'artifactType', 'urls', 'data', 'annotations'];
const DESCRIPTOR_NAMES_FOLDED = folded(DESCRIPTOR_NAMES);

const DescriptorSchema = z
  .looseObject({
    mediaType: z.string().min(1).max(4096),
    digest: z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest'),
    size: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
    platform: PlatformSchema.nullish(),
    artifactType: z.string().nullish(),
    urls: z.array(z.string()).nullish(),
    data: z.string().nullish(),
    annotations: StringMap.nullish(),
  })
  .superRefine((value, context) => {
    const variant = findCaseVariant(value, DESCRIPTOR_NAMES_FOLDED);
    if (variant !== undefined) context.addIssue({ code: 'custom', message: variant });
  });

const Common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().nullish(),
  artifactType: z.string().nullish(),
  subject: DescriptorSchema.nullish(),
  annotations: StringMap.nullish(),
};

const IndexSchema = z.looseObject({
  ...Common,
  manifests: z.array(DescriptorSchema).max(LIMITS.descriptors).nullable(),
});
const ManifestSchema = z.looseObject({
  ...Common,
  config: DescriptorSchema,
  layers: z.array(DescriptorSchema).max(LIMITS.descriptors).nullish(),
});
const ArtifactManifestSchema = z.looseObject({
  ...Common,
  schemaVersion: z.literal(2).optional(),
  blobs: z.array(DescriptorSchema).max(LIMITS.descriptors).nullish(),
});

/** Names that decide what a document is. A variant in another case would be read by some tools and not by others. */
const DECISIVE = [
  'schemaVersion',
  'mediaType',
  'manifests',
  'config',
  'layers',
  'blobs',
  'fsLayers',
  'subject',
  'artifactType',
  'annotations',
];
const DECISIVE_FOLDED = folded(DECISIVE);

/**
 * A manifest or index from its bytes.
 *
 * @param bytes as they were received; their digest has been checked by the caller
 * @param expected the media type that a descriptor or an answer's header gave, if any
 * @param what names the document in errors
 * @throws OCL_DOCUMENT_INVALID, OCL_UNSUPPORTED (Docker schema 1), OCL_LIMIT
 */
export function parseManifest(bytes: Uint8Array, expected: string | undefined, what: string): ManifestDocument {
  const value = parseJson(bytes, what);
  if (!isObject(value)) throw invalid(what, 'it is not a JSON object');
  const variant = findCaseVariant(value, DECISIVE_FOLDED);
  if (variant !== undefined) throw invalid(what, variant);
  const mediaType = settleMediaType(value, expected, what);
  refuseConfusion(value, mediaType, what);
  if (isIndexType(mediaType)) {
    const index = check(IndexSchema, value, what);
    return { kind: 'index', mediaType, ...shared(index), manifests: (index.manifests ?? []).map(tidyDescriptor) };
  }
  if (normalMediaType(mediaType) === MEDIA.ociArtifactManifest) {
    const manifest = check(ArtifactManifestSchema, value, what);
    return {
      kind: 'manifest',
      mediaType,
      ...shared(manifest),
      config: undefined,
      layers: (manifest.blobs ?? []).map(tidyDescriptor),
    };
  }
  const manifest = check(ManifestSchema, value, what);
  return {
    kind: 'manifest',
    mediaType,
    ...shared(manifest),
    config: tidyDescriptor(manifest.config),
    layers: (manifest.layers ?? []).map(tidyDescriptor),
  };
}

/** One descriptor from a parsed JSON value. @throws OCL_DOCUMENT_INVALID */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  return tidyDescriptor(check(DescriptorSchema, value, what));
}

type LooseDescriptor = z.infer<typeof DescriptorSchema>;

/** Go writes `null` for what is absent; inside the program absence has one form. */
function tidyDescriptor(loose: LooseDescriptor): Descriptor {
  return {
    mediaType: loose.mediaType,
    digest: loose.digest,
    size: loose.size,
    ...(loose.platform ? { platform: loose.platform satisfies Platform } : {}),
    ...(loose.artifactType ? { artifactType: loose.artifactType } : {}),
    ...(loose.urls ? { urls: loose.urls } : {}),
    ...(typeof loose.data === 'string' ? { data: loose.data } : {}),
    ...(loose.annotations ? { annotations: loose.annotations } : {}),
  };
}

function shared(document: {
  artifactType?: string | null | undefined;
  subject?: LooseDescriptor | null | undefined;
  annotations?: Record<string, string> | null | undefined;
}): Pick<ManifestDocument, 'artifactType' | 'subject' | 'annotations'> {
  return {
    artifactType: document.artifactType ?? undefined,
    subject: document.subject ? tidyDescriptor(document.subject) : undefined,
    annotations: document.annotations ?? undefined,
  };
}

function folded(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [foldCase(name), name]));
}

/** As Go's JSON reader compares names: the long s and the Kelvin sign are letters of its alphabet, too. */
function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** What is wrong with the first name that equals a known one in all but case. */
function findCaseVariant(value: object, known: ReadonlyMap<string, string>): string | undefined {
  for (const name of Object.keys(value)) {
    const proper = known.get(foldCase(name));
    if (proper !== undefined && proper !== name)
      return `it has ${JSON.stringify(name)}, which some tools read as ${JSON.stringify(proper)}`;
  }
  return undefined;
}

/** The type that the document says it is, which must be the type that was promised. */
function settleMediaType(value: JsonObject, expected: string | undefined, what: string): string {
  const own = value['mediaType'];
  if (own !== undefined && own !== null && typeof own !== 'string') throw invalid(what, 'its mediaType is not a text');
  const promised = expected === undefined || !isKnownDocument(expected) ? undefined : expected;
  if (typeof own === 'string' && own !== '') {
    if (promised !== undefined && normalMediaType(promised) !== normalMediaType(own)) {
      throw invalid(what, `it says it is ${JSON.stringify(own)}, but it was announced as ${JSON.stringify(promised)}`);
    }
    if (!isKnownDocument(own))
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot read ${what}: ${JSON.stringify(own)} is neither a manifest nor an index`,
      );
    return own;
  }
  if (promised !== undefined) return promised;
  if ('fsLayers' in value || value['schemaVersion'] === 1) return MEDIA.dockerManifestV1;
  return 'manifests' in value ? MEDIA.ociIndex : MEDIA.ociManifest;
}

function isKnownDocument(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType) || isSchema1Type(mediaType);
}

/** One document must not be an index to one reader and an image to another (CVE-2021-41190). */
function refuseConfusion(value: JsonObject, mediaType: string, what: string): void {
  if (isSchema1Type(mediaType)) {
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot read ${what}: it is a Docker schema 1 manifest, which no current registry takes`,
      {
        hint: 'push the image again with a current tool, then copy it',
      },
    );
  }
  const foreign = isIndexType(mediaType) ? ['config', 'layers', 'fsLayers', 'blobs'] : ['manifests', 'fsLayers'];
  for (const name of foreign) {
    if (value[name] !== undefined)
      throw invalid(what, `it is ${JSON.stringify(mediaType)} and yet has ${JSON.stringify(name)}`);
  }
}

function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  return parseWith(schema, value, (why) => invalid(what, why));
}

function invalid(what: string, why: string): OclError {
  return new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`);
}
