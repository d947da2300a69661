import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { parseJson } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Index } from '../../core/manifest.ts';
import { isDocumentType, normalMediaType } from '../../core/mediaTypes.ts';
import { type Reads } from '../reads.ts';
import { isBundle, parseBundle, type Bundle, type BundleImage } from './schema.ts';

/** What a CNAB index says it is (CNAB 201), in an annotation, since indexes had no type of their own then. */
export const CNAB_TYPE = 'application/vnd.cnab.manifest.v1';
export const CNAB_ANNOTATION = {
  artifactType: 'org.opencontainers.artifactType',
  runtimeVersion: 'io.cnab.runtime_version',
  keywords: 'io.cnab.keywords',
  manifestType: 'io.cnab.manifest.type',
  component: 'io.cnab.component.name',
} as const;

/** Manifests of an index that are looked into. */
const TRIED = 20;

export interface Located {
  readonly image: BundleImage;
  /** Where it lies beside the bundle; undefined: in another place. */
  readonly descriptor: Descriptor | undefined;
  /** What it was found by. Indexes that have lost their annotations leave only the digest, or the order. */
  readonly by: 'annotation' | 'digest' | 'order' | undefined;
}

export interface FoundBundle {
  readonly bundle: Bundle;
  /** `list`: a registry or tool has taken the annotations away. */
  readonly form: 'index' | 'list';
  /** The manifest whose config the bundle file is. */
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly images: readonly Located[];
}

/**
 * The bundle in an index, in either of the forms in which they are found: with annotations (CNAB 201), or without, where the bundle file
 * has to be found by trial: it is the first config that reads as one.
 * @throws OCL_UNSUPPORTED for what holds no bundle, OCL_DOCUMENT_INVALID, as the source
 */
export async function findBundle(reads: Reads, root: Descriptor): Promise<FoundBundle> {
  const document = await reads.document(root);
  if (document.kind !== 'index')
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${root.digest} as a CNAB bundle: it is no index`, {
      hint: 'name the bundle itself, which lists its images',
    });
  const isConfig = (entry: Descriptor): boolean => entry.annotations?.[CNAB_ANNOTATION.manifestType] === 'config';
  const candidates = [
    ...document.manifests.filter(isConfig),
    ...document.manifests.filter((entry) => !isConfig(entry)),
  ].filter((entry) => isDocumentType(entry.mediaType));
  for (const manifest of candidates.slice(0, TRIED)) {
    const found = await bundleOf(reads, manifest);
    if (found === undefined) continue;
    const rest = document.manifests.filter(({ digest }) => digest !== manifest.digest);
    const images = locate(found.bundle.images, rest);
    return { ...found, form: isAnnotated(document) ? 'index' : 'list', manifest, images };
  }
  throw new OclError(
    'OCL_UNSUPPORTED',
    `Cannot read ${root.digest} as a CNAB bundle: no manifest of it has a bundle file as its config`,
    { hint: 'ocl inspect shows what it is' },
  );
}

async function bundleOf(
  reads: Reads,
  manifest: Descriptor,
): Promise<{ readonly bundle: Bundle; readonly config: Descriptor } | undefined> {
  let bytes: Uint8Array;
  let config: Descriptor | undefined;
  try {
    const document = await reads.document(manifest);
    config = document.kind === 'manifest' ? document.config : undefined;
    if (config === undefined || config.size > LIMITS.configBytes) return undefined;
    bytes = await reads.config(config);
    if (!isBundle(parseJson(bytes, config.digest))) return undefined;
  } catch (error) {
    // Another manifest may be the one.
    if (isCode(error, 'OCL_NOT_FOUND') || isCode(error, 'OCL_DOCUMENT_INVALID') || isCode(error, 'OCL_LIMIT'))
      return undefined;
    throw error;
  }
  return { bundle: parseBundle(bytes, `the bundle file ${config.digest}`), config };
}

function isAnnotated({ annotations, artifactType }: Index): boolean {
  return (
    normalMediaType(artifactType ?? annotations?.[CNAB_ANNOTATION.artifactType] ?? '') === CNAB_TYPE ||
    annotations?.[CNAB_ANNOTATION.runtimeVersion] !== undefined
  );
}

function locate(images: readonly BundleImage[], entries: readonly Descriptor[]): readonly Located[] {
  const documents = entries.filter((entry) => isDocumentType(entry.mediaType));
  const byDigest = new Map<Digest, Descriptor>(documents.map((entry) => [entry.digest, entry]));
  const first = images.map((image): Located => {
    const annotated = documents.find((entry) => isAnnotatedFor(entry, image));
    const digest = image.digest ?? digestIn(image.reference);
    const same = digest === undefined ? undefined : byDigest.get(digest as Digest);
    // What the bundle file says of the content counts more than a note beside it.
    if (same !== undefined)
      return { image, descriptor: same, by: annotated?.digest === same.digest ? 'annotation' : 'digest' };
    return digest === undefined && annotated !== undefined
      ? { image, descriptor: annotated, by: 'annotation' }
      : { image, descriptor: undefined, by: undefined };
  });
  // Tools write all images in one order; where nothing else is known, and nothing is left over, that says which is which.
  const blank = first.every(({ image, descriptor }) => descriptor === undefined && image.digest === undefined);
  if (!blank || documents.length !== images.length) return first;
  return first.map(({ image }, i) => ({ image, descriptor: documents[i], by: 'order' }));
}

function isAnnotatedFor(entry: Descriptor, { role, name }: BundleImage): boolean {
  const { annotations } = entry;
  if (annotations?.[CNAB_ANNOTATION.manifestType] !== role) return false;
  return role === 'component' ? annotations[CNAB_ANNOTATION.component] === name : name === '0';
}

function digestIn(reference: string): string | undefined {
  return /@([a-z0-9]+:[0-9a-f]{64,128})$/.exec(reference)?.[1];
}
