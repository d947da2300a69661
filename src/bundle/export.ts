import { OclError } from '../core/errors.ts';
import { type Sink } from '../core/store.ts';
import { type Copier, type CopyResult, type Surveyed } from '../copy/copier.ts';
import { type BundleImage } from './sources.ts';

export interface ExportOptions {
  readonly copier: Copier;
  /** Is told what will be written before anything is, and may refuse it by throwing. */
  readonly before?: ((surveyed: readonly Surveyed[]) => Promise<void>) | undefined;
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
  { copier, before }: ExportOptions,
): Promise<readonly CopyResult[]> {
  refuseSharedNames(images);
  const surveyed = await copier.survey(images.map((image) => ({ ...image, to: sink })));
  await before?.(surveyed);
  const results = await copier.fill(surveyed, sink);
  await sink.commit();
  return results;
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
