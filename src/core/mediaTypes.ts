import { LIMITS } from './limits.ts';

/** Media types that `ocl` itself has to tell apart; all others are carried as they are. */
export const MEDIA = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  ociArtifactManifest: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestV1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerManifestV1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

/** Lower case, without parameters: `A/B; version=0.3` and `a/b` are one type. */
export function normalMediaType(mediaType: string): string {
  const semicolon = mediaType.indexOf(';');
  return (semicolon < 0 ? mediaType : mediaType.slice(0, semicolon)).trim().toLowerCase();
}

const INDEX_TYPES: ReadonlySet<string> = new Set([MEDIA.ociIndex, MEDIA.dockerIndex]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  MEDIA.ociManifest,
  MEDIA.dockerManifest,
  MEDIA.ociArtifactManifest,
]);
const SCHEMA1_TYPES: ReadonlySet<string> = new Set([MEDIA.dockerManifestV1, MEDIA.dockerManifestV1Signed]);
const CONFIG_TYPES: ReadonlySet<string> = new Set([MEDIA.ociConfig, MEDIA.dockerConfig]);

export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.has(normalMediaType(mediaType));
}

export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.has(normalMediaType(mediaType));
}

/** Docker image manifest schema 1, which registries no longer take. */
export function isSchema1Type(mediaType: string): boolean {
  return SCHEMA1_TYPES.has(normalMediaType(mediaType));
}

/** Types that a registry keeps as manifests rather than as blobs. */
export function isDocumentType(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType) || isSchema1Type(mediaType);
}

export function isImageConfigType(mediaType: string): boolean {
  return CONFIG_TYPES.has(normalMediaType(mediaType));
}

/** Layers that their makers forbid to redistribute: left out of copies unless asked for (image-spec layer.md). */
export function isForeignLayerType(mediaType: string): boolean {
  const type = normalMediaType(mediaType);
  return type.includes('.layer.nondistributable.') || type.includes('.rootfs.foreign.');
}

/** Bytes of a manifest or index that are accepted, by its type. */
export function documentLimit(mediaType: string | undefined): number {
  return mediaType === undefined || isIndexType(mediaType) ? LIMITS.indexBytes : LIMITS.manifestBytes;
}

/** What is named in `Accept` when a manifest is asked for: some registries answer 404 when their type is not listed. */
export const MANIFEST_ACCEPT: string = [
  MEDIA.ociIndex,
  MEDIA.dockerIndex,
  MEDIA.ociManifest,
  MEDIA.dockerManifest,
  MEDIA.ociArtifactManifest,
].join(', ');
