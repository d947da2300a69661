import { loadDocument } from '../copy/documents.ts';
import { type Select } from '../copy/select.ts';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { isIndexType, normalMediaType } from '../core/mediaTypes.ts';
import { type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { eachLimited } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { OpenStores, type OpenRepositories } from './openStores.ts';
import { choosePlatform, readPlatform } from './platformChoice.ts';
import { BudgetedSources } from './pulls/budgetedSource.ts';
import { imageKey, readsTargetOf, stepName } from './references.ts';
import { selectOf } from './resolve.ts';
import { type SyncConfig, type SyncStep } from './settings.ts';

/** One image that a file mirrors, as its source has it now. */
export interface MirroredImage {
  /** The source's full name. */
  readonly image: string;
  readonly from: Reference;
  /** What the reference points at, or the one platform that the step wants of it. */
  readonly root: Descriptor;
  readonly select: Select;
  /** What of its registry's limit its step leaves to others. */
  readonly rateLimit: SyncStep['rateLimit'];
}

export interface MirroredOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly catalog?: Catalog | undefined;
  /** Reads documents within the limits of their registries. */
  readonly budgeted?: BudgetedSources | undefined;
}

export interface Mirrored {
  readonly images: readonly MirroredImage[];
  readonly failed: readonly { readonly image: string; readonly error: OclError }[];
}

/**
 * What a file mirrors, found at its sources alone: no target is asked for anything, and nothing is written.
 * A step that reads what an earlier step writes adds nothing, since the earlier one has it from further up.
 *
 * @throws OCL_CANCELLED when the signal came
 */
export async function listMirrored(config: SyncConfig, stores: Stores, options: MirroredOptions): Promise<Mirrored> {
  const { clock, emit, signal, catalog, budgeted = new BudgetedSources(undefined) } = options;
  const isFirst = (step: SyncStep, at: number): boolean => !readsTargetOf(step, config.steps.slice(0, at));
  const steps = config.steps.filter(isFirst);
  for (const step of config.steps.filter((each, at) => !isFirst(each, at)))
    emit({
      type: 'notice',
      level: 'info',
      message: `${stepName(step)} reads what an earlier step mirrors, which is carried already: it adds nothing`,
    });
  const open = new OpenStores(stores, { clock, emit });
  try {
    const { jobs, failed } = await listJobs(steps, {
      clock,
      stores,
      open,
      emit,
      signal,
      catalog,
      read: budgeted.read,
      parallel: config.parallel,
    });
    const failures = failed.map(({ image, error }) => ({ image, error }));
    const found: (MirroredImage | undefined)[] = [];
    await eachLimited(oncePerSource(jobs).entries(), config.parallel, signal, async ([index, job]) => {
      try {
        found[index] = await lookUp(job, open, { emit, budgeted });
      } catch (error) {
        failures.push({ image: job.image, error: toOclError(error) });
      }
    });
    if (signal?.aborted === true) throw toOclError(signal.reason);
    return { images: found.filter((each) => each !== undefined), failed: failures };
  } finally {
    await open.close();
  }
}

/** Several targets of one step get the same. */
function oncePerSource(jobs: readonly SyncJob[]): readonly SyncJob[] {
  const known = new Map<string, SyncJob>();
  for (const job of jobs) {
    const key = `${imageKey(job.from)} ${job.step.place.line}`;
    if (!known.has(key)) known.set(key, job);
  }
  return [...known.values()];
}

async function lookUp(
  job: SyncJob,
  open: OpenRepositories,
  { emit, budgeted }: { readonly emit: Emit; readonly budgeted: BudgetedSources },
): Promise<MirroredImage | undefined> {
  const { step, from, image } = job;
  const { rateLimit } = step;
  const root = await open.resolve(from);
  if (!step.mediaTypes.some((type) => normalMediaType(type) === normalMediaType(root.mediaType))) {
    const message = `${image} is skipped: its type ${root.mediaType} is not among mediaTypes`;
    emit({ type: 'notice', level: 'info', message });
    return undefined;
  }
  const select = selectOf(step);
  if (step.platform === '' || !isIndexType(root.mediaType)) return { image, from, root, select, rateLimit };
  const { document } = await loadDocument(root, budgeted.of(await open.source(from), { image, from, rateLimit }));
  const entries = document.kind === 'index' ? document.manifests : [];
  return { image, from, root: choosePlatform(entries, readPlatform(step.platform), image), select, rateLimit };
}
