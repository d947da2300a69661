import { join } from 'node:path';
import { isCode } from '../core/errors.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { canLink } from '../io/link.ts';
import { hasSpace, nearestExisting, requireSpace, type SpaceNeed } from '../io/space.ts';
import { type Copier } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { type BundlePlan } from './importPlan.ts';
import { type TargetSinks } from './target.ts';

/** Bytes that a file takes on a disk beyond its own, at most as a rule. */
const FILE_SLACK = 4096;

/** A content that is going to be written for one repository. */
interface Need extends SpaceNeed {
  /** The same for contents of which there will be one file, however many images have them. */
  readonly key: string;
  /** The same where the repositories' files can be linked to one another. */
  readonly sharedKey: string;
}

/**
 * Asks the target's disks for room for all that the target lacks. What several repositories share is one file only where links can be made, which is tried
 * when it decides.
 * @throws OCL_NO_SPACE
 */
export async function requireRoom(
  plans: readonly BundlePlan[],
  sinks: TargetSinks,
  options: { readonly measure: Copier | undefined; readonly select: Select },
): Promise<void> {
  const { directory } = sinks.target;
  if (directory === undefined || options.measure === undefined) return;
  const needs = await needsOf(plans, sinks, { ...options, measure: options.measure, directory });
  // The directory itself comes first, so that it is the one that is named.
  const summed = (keyOf: (need: Need) => string): readonly SpaceNeed[] => [
    { path: directory, bytes: 0 },
    ...sumByPath(new Map(needs.map((need) => [keyOf(need), need])).values()),
  ];
  const apart = summed(({ key }) => key);
  if (await hasSpace(apart)) return;
  const linked = await linkedPlaces(needs, directory);
  await requireSpace(summed(({ key, sharedKey, path }) => (linked.has(path) ? sharedKey : key)));
}

async function needsOf(
  plans: readonly BundlePlan[],
  sinks: TargetSinks,
  { measure, select, directory }: { readonly measure: Copier; readonly select: Select; readonly directory: string },
): Promise<readonly Need[]> {
  const needs = new Map<string, Need>();
  for (const { source, images, delta, volumes } of plans) {
    // Layouts of a library share the contents of a plain bundle.
    const isPlain = delta === undefined && volumes === undefined;
    // What lies in files of its own is linked.
    if (images.some(({ root }) => source.place(root).kind === 'file')) continue;
    for (const planned of images) {
      const { root, repository, name, image } = planned;
      try {
        const to = await sinks.open(repository);
        const { part } = volumes ?? {};
        const request = { from: source, to, root, name, image, select, part, ...(await delta?.request(planned)) };
        const { nodes } = await measure.plan(request);
        const place = sinks.keyOf(repository);
        for (const { descriptor, present } of nodes) {
          const { digest, size, mediaType } = descriptor;
          if (present) continue;
          if (volumes?.isElsewhere(digest) === true) {
            const key = `kept ${digest}`;
            const path = sinks.target.state ?? directory;
            needs.set(key, { key, sharedKey: key, path, bytes: volumes.keepable(digest) });
          } else if (request.from.place(descriptor).kind !== 'file') {
            const key = `in ${place} ${digest}`;
            const sharedKey = isPlain && !isDocumentType(mediaType) ? `once ${digest}` : key;
            needs.set(key, { key, sharedKey, path: join(directory, place), bytes: size + FILE_SLACK });
          }
        }
      } catch (error) {
        // What is wrong with an image is told when it is copied.
        if (isCode(error, 'OCL_CANCELLED')) throw error;
      }
    }
  }
  return [...needs.values()];
}

function sumByPath(needs: Iterable<SpaceNeed>): readonly SpaceNeed[] {
  const sums = new Map<string, number>();
  for (const { path, bytes } of needs) sums.set(path, (sums.get(path) ?? 0) + bytes);
  return [...sums].map(([path, bytes]) => ({ path, bytes }));
}

/** Of the places of needs, those whose files can be links to what lies elsewhere below the directory. */
async function linkedPlaces(needs: readonly Need[], directory: string): Promise<ReadonlySet<string>> {
  const own = await nearestExisting(directory);
  const tried = new Map<string, boolean>();
  const linked = new Set<string>();
  for (const path of new Set(needs.map((need) => need.path))) {
    const there = await nearestExisting(path);
    const goes = tried.get(there) ?? (await canLink(own, there));
    tried.set(there, goes);
    if (goes) linked.add(path);
  }
  return linked;
}
