import { buildArtifact } from '../../artifact/build.ts';
import { Reads } from '../../artifact/reads.ts';
import { ANNOTATION, plainDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode } from '../../core/errors.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { type Sink, type Source } from '../../core/store.ts';
import { type Copier } from '../../copy/copier.ts';

/** A document that is to travel with an image. */
export interface ResultDocument {
  readonly bytes: Uint8Array;
  /** Its type as an artifact and as a layer. */
  readonly artifactType: string;
  /** The file name under which it is taken out again. */
  readonly title: string;
  /** When it was made; milliseconds since the epoch. Without it the artifact says nothing of time. */
  readonly created: number | undefined;
}

export interface AttachedResult {
  readonly digest: Digest;
  /** `current`: the very same document was there. */
  readonly outcome: 'attached' | 'current';
}

/**
 * Adds a document as a referrer of an image (image-spec manifest.md, `subject`): where the image lies, so that it travels along. The same
 * document always gives the same artifact.
 * @param to where the subject is
 * @throws the sink's failures
 */
export async function attachResult(
  subject: Descriptor,
  document: ResultDocument,
  { to, copier }: { readonly to: Sink; readonly copier: Copier },
): Promise<AttachedResult> {
  const { bytes, artifactType, title, created } = document;
  const time = created === undefined ? undefined : new Date(created).toISOString().replace('.000Z', 'Z');
  const { store, root } = buildArtifact({
    artifactType,
    layers: [{ mediaType: artifactType, bytes, title }],
    subject: plainDescriptor(subject),
    annotations: time === undefined ? {} : { [ANNOTATION.created]: time },
  });
  if (await to.has(root)) return { digest: root.digest, outcome: 'current' };
  await copier.copy({ from: store, to, root, name: {}, image: title });
  await to.commit();
  return { digest: root.digest, outcome: 'attached' };
}

/** The digests by which a scanner may call an image: of its index, of manifests of platforms, and of their configs. */
export async function digestsOf(source: Source, root: Descriptor): Promise<ReadonlySet<string>> {
  const found = new Set<string>([root.digest]);
  const reads = new Reads(source);
  const ahead = [root];
  for (let next = ahead.pop(); next !== undefined && found.size < MOST; next = ahead.pop()) {
    if (!isDocumentType(next.mediaType)) continue;
    try {
      const document = await reads.document(next);
      const parts =
        document.kind === 'index' ? document.manifests : document.config === undefined ? [] : [document.config];
      for (const part of parts) {
        if (!found.has(part.digest)) ahead.push(part);
        found.add(part.digest);
      }
    } catch (error) {
      // A platform that was not copied.
      if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
    }
  }
  return found;
}

const MOST = 10_000;
