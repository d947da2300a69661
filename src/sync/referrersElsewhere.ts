import { type Copier } from '../copy/copier.ts';
import { matchesFilter } from '../copy/select.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { parseManifest } from '../core/manifest.ts';
import { documentLimit, isIndexType } from '../core/mediaTypes.ts';
import { parseReference } from '../core/reference.ts';
import { type Source } from '../core/store.ts';
import { readVerified } from '../io/verify.ts';
import { type SyncJob } from './list.ts';
import { type OpenRepositories } from './openStores.ts';
import { bareRepository } from './references.ts';

/** Whether a step keeps, or wants, referrers in another repository than the image. */
export function referrersAreElsewhere({ step }: SyncJob): boolean {
  return step.referrers && (step.referrerSource !== '' || step.referrerTarget !== '');
}

/**
 * Copies what refers to an image, or to an image of its index, from `referrerSource` to `referrerTarget` (spec/regsync.md 1.4).
 * @returns bytes that flowed
 */
export async function copyReferrersElsewhere(
  job: SyncJob,
  root: Descriptor,
  open: OpenRepositories,
  copier: Copier,
): Promise<number> {
  const { step } = job;
  const source = step.referrerSource === '' ? job.from : bareRepository(parseReference(step.referrerSource));
  const target = step.referrerTarget === '' ? job.to : bareRepository(parseReference(step.referrerTarget));
  const [images, from, to] = await Promise.all([open.source(job.from), open.source(source), open.sink(target)]);
  const filters = step.referrerFilters.length === 0 || step.referrerFilters;
  let streamed = 0;
  for (const subject of await subjectsOf(root, images)) {
    for await (const referrer of from.referrers(subject)) {
      if (!matchesFilter(referrer, filters)) continue;
      const image = `${job.image} (${referrer.artifactType ?? 'referrer'})`;
      const result = await copier.copy({
        from,
        to,
        root: referrer,
        name: {},
        image,
        select: { referrers: filters },
      });
      streamed += result.streamed;
    }
  }
  await to.commit();
  return streamed;
}

/** The image, and what its index names. */
async function subjectsOf(root: Descriptor, source: Source): Promise<readonly Descriptor[]> {
  if (!isIndexType(root.mediaType)) return [root];
  const bytes = await readVerified(await source.open(root), root, documentLimit(root.mediaType));
  const document = parseManifest(bytes, root.mediaType, `${source.name}@${root.digest}`);
  return [root, ...(document.kind === 'index' ? document.manifests : [])];
}
