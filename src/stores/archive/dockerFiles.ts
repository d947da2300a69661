import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { splitDigest, type Digest } from '../../core/digest.ts';
import { type DockerStandIn, type FindStandIn } from '../../core/dockerStandIn.ts';
import { isImage } from '../../core/graph.ts';
import { toJsonBytes } from '../../core/json.ts';
import { type Manifest } from '../../core/manifest.ts';
import { MEDIA, normalMediaType } from '../../core/mediaTypes.ts';
import { familiarName } from '../../core/names.ts';
import { parseImageName } from '../../core/reference.ts';
import { type NamedRoot } from '../../core/store.ts';
import { blobPath, describe } from '../../io/verify.ts';
import { type Documents } from './documents.ts';

export interface DockerFiles {
  /** Absent when nothing in the archive is an image that docker could load. */
  readonly manifest: Uint8Array | undefined;
  /** What docker read before version 1.10, and other tools still look for. Absent when no image has a name. */
  readonly repositories: Uint8Array | undefined;
  /** The image config of a stand-in, where it is none of the archive's own contents. */
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array } | undefined;
  /** Names of images that docker will not find. */
  readonly left: readonly string[];
  /** Roots that are no such images: signatures, SBOMs, charts, what cosign keeps under digest tags. */
  readonly others: number;
  /** The configs and layers of the images that it will find. */
  readonly contents: readonly Descriptor[];
}

export interface DockerFilesOptions {
  readonly dockerPlatform: Platform;
  readonly standIn?: FindStandIn | undefined;
}

/** Layers that `docker load` takes as they are. */
const LOADABLE: ReadonlySet<string> = new Set([
  MEDIA.ociLayer,
  MEDIA.ociLayerGzip,
  MEDIA.ociLayerZstd,
  MEDIA.dockerLayer,
  MEDIA.dockerLayerGzip,
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
]);

/** Bytes of `manifest.json` that podman and skopeo read (containers/image, docker/internal/tarfile). */
const MAX_MANIFEST = 1 << 20;

interface Loadable {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  readonly tags: Set<string>;
}

/**
 * `manifest.json` and `repositories`, with which `docker load` reads the layout too. It knows single images only: of an index the
 * image of one platform stands there.
 * @param names in the order of `index.json`
 */
export async function composeDockerFiles(
  names: readonly NamedRoot[],
  documents: Documents,
  { dockerPlatform: platform, standIn }: DockerFilesOptions,
): Promise<DockerFiles> {
  const images = new Map<Digest, Loadable>();
  const taken = new Set<string>();
  const left: string[] = [];
  let others = 0;
  for (const { root, name } of names) {
    const image = await documents.image(root, platform);
    const known = image === undefined ? undefined : images.get(image.descriptor.digest);
    const loadable = known ?? (image === undefined ? undefined : await asLoadable(image.manifest, documents));
    if (image === undefined || loadable === undefined) {
      if (name.imageName !== undefined && (image === undefined || isImage(image.manifest))) left.push(name.imageName);
      else others++;
      continue;
    }
    images.set(image.descriptor.digest, loadable);
    const tag = familiarTag(name.imageName);
    if (tag === undefined || taken.has(tag)) continue;
    taken.add(tag);
    loadable.tags.add(tag);
  }
  if (images.size === 0) return { ...(await standInFiles(names, documents, standIn)), left, others, contents: [] };
  const all = [...images.values()];
  const whole = toJsonBytes(all.map((image) => dockerEntry(image, true)));
  return {
    manifest: whole.length <= MAX_MANIFEST ? whole : toJsonBytes(all.map((image) => dockerEntry(image, false))),
    repositories: repositories(all),
    config: undefined,
    left,
    others,
    contents: all.flatMap(({ config, layers }) => [config, ...layers]),
  };
}

/** An artifact that is alone in the archive may stand for an image: who reads `manifest.json` for one image finds exactly that. */
async function standInFiles(
  names: readonly NamedRoot[],
  documents: Documents,
  find: FindStandIn | undefined,
): Promise<Pick<DockerFiles, 'manifest' | 'repositories' | 'config'>> {
  const found = new Map<Digest, DockerStandIn>();
  for (const { root } of find === undefined ? [] : names) {
    const manifest = await documents.manifest(root);
    const standIn = manifest === undefined ? undefined : await find?.(manifest, (it) => documents.read(it));
    if (standIn !== undefined) found.set(root.digest, standIn);
  }
  const [standIn] = found.values();
  if (standIn === undefined || found.size > 1 || !standIn.layers.every((layer) => documents.has(layer)))
    return { manifest: undefined, repositories: undefined, config: undefined };
  const config = describe(standIn.config, MEDIA.ociConfig);
  return {
    manifest: standInManifest(standIn, blobPath(config.digest), ({ digest }) => blobPath(digest)),
    repositories: undefined,
    config: documents.has(config) ? undefined : { digest: config.digest, bytes: standIn.config },
  };
}

/** `manifest.json` for a stand-in, as go-containerregistry writes it. */
export function standInManifest(
  { repoTag, layers }: DockerStandIn,
  config: string,
  path: (layer: Descriptor) => string,
): Uint8Array {
  return toJsonBytes([
    { Config: config, RepoTags: repoTag === undefined ? null : [repoTag], Layers: layers.map(path) },
  ]);
}

/** `alpine:3.20`, for a name that has a tag. */
function familiarTag(imageName: string | undefined): string | undefined {
  const parsed = imageName === undefined ? undefined : parseImageName(imageName);
  return imageName === undefined || parsed?.tag === undefined || parsed.digest !== undefined
    ? undefined
    : familiarName(imageName);
}

async function asLoadable(manifest: Manifest, documents: Documents): Promise<Loadable | undefined> {
  const { config, layers } = manifest;
  if (config === undefined || !isImage(manifest)) return undefined;
  if (!layers.every((layer) => LOADABLE.has(normalMediaType(layer.mediaType)) && documents.has(layer)))
    return undefined;
  const diffIds = (await documents.facts(manifest))?.diffIds;
  if (diffIds === undefined || diffIds.length !== layers.length) return undefined;
  const byLayer = new Map<Digest, string>();
  for (const [i, { digest }] of layers.entries()) {
    const diffId = diffIds[i] ?? '';
    if ((byLayer.get(digest) ?? diffId) !== diffId) return undefined;
    byLayer.set(digest, diffId);
  }
  return { config, layers, diffIds, tags: new Set() };
}

function dockerEntry({ config, layers, diffIds, tags }: Loadable, withSources: boolean): unknown {
  const sources = layers.map(
    (layer, i) => [diffIds[i] ?? '', { mediaType: layer.mediaType, size: layer.size, digest: layer.digest }] as const,
  );
  return {
    Config: blobPath(config.digest),
    RepoTags: tags.size === 0 ? null : [...tags].toSorted(),
    Layers: layers.map(({ digest }) => blobPath(digest)),
    ...(withSources && sources.length > 0
      ? { LayerSources: Object.fromEntries(sources.toSorted(([a], [b]) => (a < b ? -1 : 1))) }
      : {}),
  };
}

function repositories(images: readonly Loadable[]): Uint8Array | undefined {
  const found = new Map<string, Map<string, string>>();
  for (const { tags, layers } of images) {
    const top = layers.at(-1);
    if (top === undefined) continue;
    for (const name of tags) {
      const colon = name.lastIndexOf(':');
      const repository = name.slice(0, colon);
      const known = found.get(repository) ?? new Map<string, string>();
      found.set(repository, known.set(name.slice(colon + 1), splitDigest(top.digest).encoded));
    }
  }
  if (found.size === 0) return undefined;
  const sorted = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return toJsonBytes(
    Object.fromEntries(
      sorted.map(([name, tags]) => [name, Object.fromEntries([...tags].toSorted(([a], [b]) => (a < b ? -1 : 1)))]),
    ),
  );
}
