import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, toOclError } from '../../core/errors.ts';
import { isAttestationEntry, isImage } from '../../core/graph.ts';
import { parseImageConfig, platformOf } from '../../core/imageConfig.ts';
import { type Manifest } from '../../core/manifest.ts';
import { formatPlatform } from '../../core/platform.ts';
import { Reads } from '../reads.ts';
import { type OpenBundle, type Part } from './open.ts';
import { extentOf } from './parts.ts';
import { type BundleImage } from './schema.ts';

export interface BundleInspection {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly schemaVersion: string;
  readonly form: OpenBundle['form'];
  /** Of the index, where there is one. */
  readonly digest: Digest | undefined;
  /** Media type of the config that the bundle file is, where there is one: two are in use, and registries force others. */
  readonly configMediaType: string | undefined;
  readonly images: readonly InspectedImage[];
}

export interface InspectedImage {
  readonly role: BundleImage['role'];
  readonly name: string;
  readonly reference: string;
  readonly digest: Digest | undefined;
  /** `elsewhere`: in the registry that the reference names. */
  readonly where: 'here' | 'elsewhere';
  /** What it was found by. */
  readonly by: Part['by'];
  /** Bytes of all that it is made of; undefined where that is not here. */
  readonly size: number | undefined;
  readonly platforms: readonly string[];
  /** Layers that live at addresses of their own, and travel only when asked for. */
  readonly foreign: readonly { readonly digest: Digest; readonly size: number; readonly urls: readonly string[] }[];
  /** Why it could not be read, when it could not. */
  readonly problem?: string | undefined;
}

/** What a bundle says, and where its images are; asks nobody but the place that it lies in. */
export async function inspectBundle({ bundle, form, index, parts }: OpenBundle): Promise<BundleInspection> {
  const images: InspectedImage[] = [];
  for (const part of parts) images.push(await inspectPart(part));
  const { name, version, description, schemaVersion } = bundle;
  return {
    name,
    version,
    description,
    schemaVersion,
    form,
    digest: index?.root.digest,
    configMediaType: index?.found.config.mediaType,
    images,
  };
}

async function inspectPart({ image, by, at }: Part): Promise<InspectedImage> {
  const { role, name, reference, digest } = image;
  const base = { role, name, reference, by };
  const nothing = { size: undefined, platforms: [], foreign: [] };
  if (at === undefined) return { ...base, digest, where: 'elsewhere', ...nothing };
  const here = { ...base, digest: at.descriptor.digest, where: 'here' } as const;
  try {
    const reads = new Reads(at.source);
    const { nodes, foreign } = await extentOf(reads, at.descriptor);
    const size = [...nodes.values()].reduce((sum, node) => sum + node.size, 0);
    const urls = foreign.map((layer) => ({ digest: layer.digest, size: layer.size, urls: layer.urls ?? [] }));
    return { ...here, size, platforms: await platformsOf(reads, at.descriptor), foreign: urls };
  } catch (error) {
    if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
    return { ...here, ...nothing, problem: toOclError(error).message };
  }
}

async function platformsOf(reads: Reads, root: Descriptor): Promise<readonly string[]> {
  const document = await reads.document(root);
  if (document.kind === 'manifest') {
    const platform = root.platform ?? (await ownPlatform(reads, document));
    return platform === undefined ? [] : [formatPlatform(platform)];
  }
  return document.manifests
    .filter((entry) => !isAttestationEntry(entry))
    .flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
}

/** What the config of an image says that it is for. */
async function ownPlatform(reads: Reads, manifest: Manifest): Promise<Platform | undefined> {
  if (!isImage(manifest) || manifest.config === undefined) return undefined;
  return platformOf(parseImageConfig(await reads.config(manifest.config), manifest.config.digest));
}
