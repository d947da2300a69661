import { type Descriptor } from '../core/descriptor.ts';
import { artifactTypeOf, isAttestationEntry, isImage } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType, isIndexType, normalMediaType } from '../core/mediaTypes.ts';

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
