import { selectEntries, type Select } from '../../copy/select.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType, isIndexType } from '../../core/mediaTypes.ts';

/** What of an image a copy has to pull. */
export interface PullSubject {
  readonly image: string;
  readonly root: Descriptor;
  /** What the target's name points at now. */
  readonly before: Descriptor | undefined;
  readonly select: Select;
  /** Only the root is read. */
  readonly alone?: boolean | undefined;
  /** Whether the run has read this document already. */
  readonly hasRead: (digest: Digest) => boolean;
}

/** The root, where it has to be pulled. A target that has it hands it out. */
export function rootToPull({ root, before, select, hasRead }: PullSubject): readonly Descriptor[] {
  const isThere = before?.digest === root.digest && select.force !== true;
  return isThere || hasRead(root.digest) ? [] : [root];
}

/** Whether more than the root may have to be pulled, so that the root has to be read to know how much. */
export function hasMoreToPull({ root, before, select, alone }: PullSubject): boolean {
  return alone !== true && isIndexType(root.mediaType) && (before?.digest !== root.digest || select.force === true);
}

/** The manifests below an index that have to be pulled, each once; what is below an index in it is found out on the way. */
export function childrenToPull(subject: PullSubject, document: ManifestDocument): readonly Descriptor[] {
  if (document.kind !== 'index') return [];
  const { select, image, hasRead } = subject;
  const platforms = select.platforms ?? [];
  const entries = platforms.length === 0 ? document.manifests : selectEntries(document, platforms, image);
  const wanted = entries.filter(({ digest, mediaType }) => isDocumentType(mediaType) && !hasRead(digest));
  return [...new Map(wanted.map((entry) => [entry.digest, entry])).values()];
}
