import { type Clock } from '../core/clock.ts';
import { type Copier, type CopyRequest } from '../copy/copier.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { silent, type Emit } from '../core/events.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { originName } from '../core/names.ts';
import { formatReference } from '../core/reference.ts';
import { type RootName, type Stores } from '../core/store.ts';
import { mapInOrder } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { OpenStores } from './openStores.ts';
import { inWaves } from './references.ts';
import { resolveJob, type ResolvedJob } from './resolve.ts';
import { type SyncConfig } from './settings.ts';

export interface PlanOptions {
  readonly clock: Clock;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Needed for steps of type registry. */
  readonly catalog?: Catalog | undefined;
  /**
   * When given, each copy is measured in bytes. That reads manifests at the source, which public registries count as pulls;
   * everything else of a plan is one HEAD at each end.
   */
  readonly measure?: Copier | undefined;
}

/** One line of a dry run. */
export interface PlannedJob {
  readonly image: string;
  /** Full name of the target. */
  readonly target: string;
  readonly line: number;
  readonly action: 'copy' | 'current' | 'skip' | 'failed';
  /** Why, in words. */
  readonly reason: string;
  /** What would be at the target; undefined when it could not be found out. */
  readonly sourceDigest: Digest | undefined;
  /** What is at the target now. */
  readonly targetDigest: Digest | undefined;
  /** That the target does not have yet; only when it was measured. */
  readonly bytes: number | undefined;
  /** Why it failed. */
  readonly error: OclError | undefined;
}

/**
 * The dry run: what `runSync` would do now, image by image, in the order of the file. Nothing is written.
 * A step that reads what an earlier step has yet to copy is planned against what is there now.
 *
 * @throws only when the signal comes; all else is a job that failed
 */
export async function* planSync(config: SyncConfig, stores: Stores, options: PlanOptions): AsyncGenerator<PlannedJob> {
  const { clock, emit = silent, signal, catalog, measure } = options;
  for (const steps of inWaves(config.steps)) {
    const open = new OpenStores(stores, { clock, emit });
    try {
      const { jobs, failed } = await listJobs(steps, {
        stores,
        open,
        emit,
        parallel: config.parallel,
        signal,
        catalog,
      });
      for (const { image, error, step } of failed) {
        yield {
          image,
          target: step.target,
          line: step.place.line,
          action: 'failed',
          reason: error.message,
          sourceDigest: undefined,
          targetDigest: undefined,
          bytes: undefined,
          error,
        };
      }
      const lines = mapInOrder(jobs, config.parallel, async (job) => {
        const resolved = await resolveJob(job, open);
        return planned(job, resolved, await measured(job, resolved, open, measure));
      });
      for await (const line of lines) {
        if (signal?.aborted === true) throw toOclError(signal.reason);
        yield line;
      }
    } finally {
      await open.close();
    }
  }
}

function planned(job: SyncJob, resolved: ResolvedJob, bytes: number | undefined): PlannedJob {
  const failed = resolved.action === 'failed';
  return {
    image: job.image,
    target: formatReference(job.to),
    line: job.step.place.line,
    action: resolved.action,
    reason: resolved.reason,
    sourceDigest: failed ? undefined : resolved.root.digest,
    targetDigest: failed ? undefined : resolved.before?.digest,
    bytes,
    error: failed ? resolved.error : undefined,
  };
}

/** A dry run does not fail for want of a number. */
async function measured(
  job: SyncJob,
  resolved: ResolvedJob,
  open: OpenStores,
  copier: Copier | undefined,
): Promise<number | undefined> {
  if (copier === undefined || resolved.action !== 'copy') return undefined;
  try {
    const { nodes } = await copier.plan(await copyRequest(job, resolved, open));
    const missing = new Map<Digest, Descriptor>(
      nodes.filter(({ present }) => !present).map(({ descriptor }) => [descriptor.digest, descriptor]),
    );
    return [...missing.values()].reduce((sum, { size }) => sum + size, 0);
  } catch {
    return undefined;
  }
}

/** A layout also learns where its content came from. */
function targetName({ from, to }: SyncJob, root: Descriptor): RootName {
  if (to.tag === undefined) return {};
  const imageName = to.kind === 'registry' ? undefined : originName(from, root, to.tag);
  return { tag: to.tag, ...(imageName === undefined ? {} : { imageName }) };
}

/** What the engine is asked for. */
export async function copyRequest(
  job: SyncJob,
  resolved: Exclude<ResolvedJob, { readonly action: 'failed' }>,
  open: OpenStores,
): Promise<CopyRequest> {
  const [from, to] = await Promise.all([open.source(job.from), open.sink(job.to)]);
  return {
    from,
    to,
    root: resolved.root,
    name: targetName(job, resolved.root),
    image: job.image,
    select: resolved.select,
  };
}
