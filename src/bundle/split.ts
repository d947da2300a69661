import { type BundleRecord } from '../core/bundleRecord.ts';
import { type StoredBlob } from '../core/descriptor.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { requireAllVolumes } from './allVolumes.ts';
import { exportImages } from './export.ts';

/** All that a bundle holds. */
const EVERYTHING: Select = { referrers: true, digestTags: false, foreign: 'held' };

/**
 * Writes a bundle once more, as it would have been written into this sink in the first place. Every content is verified on its way.
 * @param sink an archive, whose delta is `deltaOf` the bundle's record
 * @throws OCL_INCOMPLETE for a set of which volumes are missing; OCL_NOT_FOUND for a bundle with nothing in it; what the ends throw
 */
export async function splitBundle(source: LocalSource, sink: Sink, copier: Copier): Promise<readonly CopyResult[]> {
  requireAllVolumes(source, 'split');
  const images = (await source.roots()).map((root) => {
    const name = entryName(root);
    return { from: source, root, name, image: name.imageName ?? name.tag ?? root.digest, select: EVERYTHING };
  });
  return await exportImages(images, sink, { copier });
}

/** What a bundle that is a delta leaves to the far side and says of its images, for writing it once more. */
export function deltaOf(record: BundleRecord | undefined):
  | {
      readonly basis: NonNullable<BundleRecord['basis']>;
      readonly has: (blob: StoredBlob) => boolean;
      readonly more: () => Pick<BundleRecord, 'unchanged' | 'names'>;
    }
  | undefined {
  const { basis, requires = [], unchanged, names } = record ?? {};
  if (basis === undefined) return undefined;
  const left = new Set(requires.map(({ digest }) => digest));
  return { basis, has: ({ digest }) => left.has(digest), more: () => ({ unchanged, names }) };
}
