import { type Descriptor } from './descriptor.ts';
import { type ManifestDocument } from './manifest.ts';
import { isForeignLayerType, isImageConfigType, MEDIA, normalMediaType } from './mediaTypes.ts';

export type Role = 'manifest' | 'config' | 'layer';

export interface Child {
  readonly role: Role;
  readonly descriptor: Descriptor;
}

/** What a document is made of, in its own order. The subject is no child: it may live elsewhere, or nowhere. */
export function children(document: ManifestDocument): readonly Child[] {
  if (document.kind === 'index') return document.manifests.map((descriptor) => ({ role: 'manifest', descriptor }));
  const layers = document.layers.map((descriptor): Child => ({ role: 'layer', descriptor }));
  return document.config === undefined ? layers : [{ role: 'config', descriptor: document.config }, ...layers];
}

/** A layer whose bytes live at `urls` and may be missing in a registry or layout. */
export function isForeign(child: Child): boolean {
  return child.role === 'layer' && isForeignLayerType(child.descriptor.mediaType);
}

/** The effective type of a document: its artifactType, else the type of its config (image-spec manifest.md). */
export function artifactTypeOf(document: ManifestDocument): string | undefined {
  if (document.artifactType !== undefined && document.artifactType !== '') return document.artifactType;
  if (document.kind === 'index') return undefined;
  return document.config?.mediaType;
}

/** Whether a manifest is a container image that runs, going by its config alone. */
export function isImage(document: ManifestDocument): boolean {
  return (
    document.kind === 'manifest' &&
    document.artifactType === undefined &&
    document.config !== undefined &&
    isImageConfigType(document.config.mediaType)
  );
}

/** BuildKit lists attestations in an index as platform unknown/unknown: they travel along, and are no platform. */
export function isAttestationEntry(descriptor: Descriptor): boolean {
  if (descriptor.annotations?.['vnd.docker.reference.type'] !== undefined) return true;
  return descriptor.platform?.os === 'unknown' && descriptor.platform.architecture === 'unknown';
}

export function isEmptyConfig(descriptor: Descriptor): boolean {
  return normalMediaType(descriptor.mediaType) === MEDIA.ociEmpty;
}

/**
 * The descriptor under which a referrer is listed (distribution-spec, "Listing Referrers"):
 * its effective type and its own annotations.
 */
export function referrerDescriptor(descriptor: Descriptor, document: ManifestDocument): Descriptor {
  const artifactType = artifactTypeOf(document);
  return {
    mediaType: document.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
  };
}
