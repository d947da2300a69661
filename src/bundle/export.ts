import { OclError } from '../core/errors.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type Sink, type Source } from '../core/store.ts';
import { type Copier, type CopyResult, type Surveyed } from '../copy/copier.ts';
import { inOrder, type Graph } from '../copy/walk.ts';
import { type Delta } from './delta.ts';
import { type BundleImage } from './sources.ts';
import { type Waivers } from './waivers.ts';

export interface ExportOptions {
  readonly copier: Copier;
  /** What may be missing. */
  readonly waivers?: Waivers | undefined;
  /** Is told of all images before anything is written, and which of them bring something, and may refuse it by throwing. */
  readonly before?: ((surveyed: readonly Surveyed[], carried: readonly Surveyed[]) => Promise<void>) | undefined;
  /** What the far side has; the sink was made with the same. */
  readonly delta?: Delta | undefined;
}

/**
 * Writes images of any source into one bundle: one flat layout whose entries carry full names.
 * Nothing is written unless everything that was named can be.
 *
 * @param sink an archive: a sink that is told beforehand what will come
 * @throws the first failure; the sink is not committed then
 */
export async function exportImages(
  images: readonly BundleImage[],
  sink: Sink,
  { copier, waivers, before, delta }: ExportOptions,
): Promise<readonly CopyResult[]> {
  const surveyed = await surveyImages(images, sink, { copier, waivers });
  const carried = delta?.settle(surveyed) ?? surveyed;
  await before?.(surveyed, carried);
  const results = await copier.fill(carried, sink);
  await sink.commit();
  const left = new Set(carried);
  return [...results, ...copier.leave(surveyed.filter((image) => !left.has(image)))];
}

/**
 * What the images come to: their documents are read, and nothing else of them.
 * @throws OCL_AMBIGUOUS when two contents have one name, OCL_NOT_FOUND when nothing is left; what the sources throw, unless it is waived
 */
export async function surveyImages(
  images: readonly BundleImage[],
  to: Sink,
  { copier, waivers }: Pick<ExportOptions, 'copier' | 'waivers'>,
): Promise<readonly Surveyed[]> {
  refuseSharedNames(images);
  const surveyed = await copier.survey(
    images.map((image) => ({ ...image, to })),
    async ({ request, graph, error }) => {
      if (waivers?.allows(request.image) !== true) return false;
      const failure = error ?? (graph === undefined ? undefined : await firstMissing(graph, request.from));
      return failure !== undefined && waivers.spare(request.image, failure);
    },
  );
  if (surveyed.length > 0) return surveyed;
  throw new OclError('OCL_NOT_FOUND', 'Cannot export: nothing is left of what was asked for');
}

/** A content that cannot be had would break an archive that is half written: what may be missing is looked for beforehand. */
async function firstMissing(graph: Graph, from: Source): Promise<unknown> {
  for (const { descriptor } of inOrder(graph)) {
    if (isDocumentType(descriptor.mediaType) || descriptor.size === 0 || descriptor.data !== undefined) continue;
    try {
      (await from.open(descriptor, { start: 0, end: 0 })).destroy();
    } catch (error) {
      return error;
    }
  }
  return undefined;
}

/** One name cannot mean two contents. */
function refuseSharedNames(images: readonly BundleImage[]): void {
  const byName = new Map<string, BundleImage>();
  for (const image of images) {
    const name = image.name.imageName;
    if (name === undefined) continue;
    const other = byName.get(name);
    if (other !== undefined && other.root.digest !== image.root.digest) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot export ${name}: ${other.from.name} and ${image.from.name} have different contents of that name`,
        { hint: 'export them into two files' },
      );
    }
    byName.set(name, image);
  }
}
