import { isCode, onSide, type OclError } from '../core/errors.ts';
import { type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { eachLimited } from './limit.ts';
import { type SyncJob } from './list.ts';
import { type ImageOutcome } from './outcome.ts';
import { bareRepository, repositoryKey } from './references.ts';
import { tagsIn } from './tagNames.ts';

export interface Missing {
  /** What is not there, or goes by a digest, in the order given. */
  readonly left: readonly SyncJob[];
  /** What is there, and what belongs to a target that could not be listed. */
  readonly settled: readonly ImageOutcome[];
}

/**
 * The images whose target tag does not exist (spec/regsync.md 1.8, step 4). Each target repository is listed once, instead of one question an
 * image. Only a repository that is not there is empty: one that cannot be listed fails its images.
 */
export async function leaveExisting(
  jobs: readonly SyncJob[],
  stores: Stores,
  parallel: number,
  signal: AbortSignal | undefined,
): Promise<Missing> {
  const repositories = new Map(jobs.map(({ to }) => [repositoryKey(to), to]));
  const known = new Map<string, ReadonlySet<string> | OclError>();
  await eachLimited(repositories, parallel, signal, async ([key, to]) => {
    known.set(key, await tagsOf(to, stores));
  });
  const left: SyncJob[] = [];
  const settled: ImageOutcome[] = [];
  for (const job of jobs) {
    const tags = known.get(repositoryKey(job.to));
    const { tag } = job.to;
    if (tags === undefined || tag === undefined) left.push(job);
    else if (tags instanceof Error) settled.push(ended(job, tags.message, tags));
    else if (tags.has(tag)) settled.push(ended(job, 'its tag is there already'));
    else left.push(job);
  }
  return { left, settled };
}

/** Opened by itself: who copies into a layout that is not there yet must not meet the store that did not find it. */
async function tagsOf(target: Reference, stores: Stores): Promise<ReadonlySet<string> | OclError> {
  const tags = new Set<string>();
  try {
    const source = await stores.source(bareRepository(target));
    try {
      for await (const tag of tagsIn(source)) tags.add(tag);
    } finally {
      await source.close();
    }
    return tags;
  } catch (error) {
    return isCode(error, 'OCL_NOT_FOUND') ? tags : onSide(error, 'target');
  }
}

function ended(job: SyncJob, reason: string, error?: OclError): ImageOutcome {
  return {
    job,
    outcome: error === undefined ? 'current' : 'failed',
    reason,
    digest: undefined,
    before: undefined,
    bytes: 0,
    ms: 0,
    error,
  };
}
