import { type Clock } from '../core/clock.ts';
import { type Copier, type CopyPlan, type CopyRequest } from '../copy/copier.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { silent, type Emit } from '../core/events.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { originName } from '../core/names.ts';
import { formatReference } from '../core/reference.ts';
import { type RootName, type Stores } from '../core/store.ts';
import { mapInOrder } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { OpenStores, type OpenRepositories } from './openStores.ts';
import { type SyncObserver } from './outcome.ts';
import { type Counted, type PlanTotals, type PullCount } from './planTotals.ts';
import { hasMoreToPull, rootToPull } from './pulls/cost.ts';
import { inWaves } from './references.ts';
import { resolveJob, type ResolvedJob } from './resolve.ts';
import { type SyncConfig } from './settings.ts';

export interface PlanOptions {
  readonly clock: Clock;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Needed for steps of type registry. */
  readonly catalog?: Catalog | undefined;
  /** Looks for what is missing beside an image that is there: referrers, digest tags, contents below the root. */
  readonly copier: Copier;
  /**
   * Whether each copy is measured in bytes. That reads manifests at the source, which public registries count as pulls;
   * without it a plan is one HEAD at each end, and a look at what is beside the image where a step asks for that.
   */
  readonly measure?: boolean | undefined;
  readonly observer?: Pick<SyncObserver, 'listed'> | undefined;
  /** Adds up what is yielded. */
  readonly totals?: PlanTotals | undefined;
}

type Copyable = Exclude<ResolvedJob, { readonly action: 'failed' }>;

/** One line of a dry run. */
export interface PlannedJob extends Counted {
  readonly image: string;
  /** Full name of the target. */
  readonly target: string;
  readonly line: number;
  /** Why, in words. */
  readonly reason: string;
  /** What is at the target now. */
  readonly targetDigest: Digest | undefined;
  /** That the target does not have yet; undefined when it was not measured. */
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
  const { clock, emit = silent, signal, catalog } = options;
  for (const steps of inWaves(config.steps)) {
    const open = new OpenStores(stores, { clock, emit });
    try {
      const listed = await listJobs(steps, {
        clock,
        stores,
        open,
        emit,
        parallel: config.parallel,
        signal,
        catalog,
        read: async (document, from) => (await options.copier.read(document, { from })).bytes,
      });
      options.observer?.listed?.(listed);
      for (const { image, error, step } of listed.failed) {
        yield {
          image,
          registry: undefined,
          target: step.targets.join(', '),
          line: step.place.line,
          action: 'failed',
          reason: error.message,
          sourceDigest: undefined,
          targetDigest: undefined,
          bytes: undefined,
          pulls: undefined,
          error,
        };
      }
      const lines = mapInOrder(listed.jobs, config.parallel, async (job) => {
        const looked: Descriptor[] = [];
        const resolved = await resolveJob(job, open, async (index, ends) => {
          if ((await ends.to.document?.(index)) === undefined) looked.push(index);
          return await options.copier.read(index, ends);
        });
        return { ...(await planJob(job, resolved, open, options)), looked };
      });
      for await (const line of lines) {
        if (signal?.aborted === true) throw toOclError(signal.reason);
        const planned = { ...line.planned, pulls: withLooked(line) };
        options.totals?.add(planned, line);
        yield planned;
      }
    } finally {
      await open.close();
    }
  }
}

/** What a run pulls to find out what there is to do, and then to do it. */
function withLooked({
  planned,
  missing,
  looked,
}: Line & { readonly looked: readonly Descriptor[] }): PlannedJob['pulls'] {
  if (planned.pulls === undefined || planned.registry === undefined) return planned.pulls;
  const more = looked.filter(({ digest }) => missing?.some((known) => known.digest === digest) !== true);
  return { ...planned.pulls, count: planned.pulls.count + more.length };
}

interface Line {
  readonly planned: PlannedJob;
  /** Undefined when it was not measured. */
  readonly missing: readonly Descriptor[] | undefined;
}

function lineOf(job: SyncJob, resolved: ResolvedJob, missing?: readonly Descriptor[]): Line {
  const failed = resolved.action === 'failed';
  const planned: PlannedJob = {
    image: job.image,
    registry: job.from.kind === 'registry' ? job.from.registry : undefined,
    target: formatReference(job.to),
    line: job.step.place.line,
    action: resolved.action,
    reason: resolved.reason,
    sourceDigest: failed ? undefined : resolved.root.digest,
    targetDigest: failed ? undefined : resolved.before?.digest,
    bytes: missing?.reduce((sum, { size }) => sum + size, 0),
    pulls: failed ? undefined : pullsOf(job, resolved, missing),
    error: failed ? resolved.error : undefined,
  };
  return { planned, missing };
}

function pullsOf(job: SyncJob, resolved: Copyable, missing: readonly Descriptor[] | undefined): PullCount {
  if (job.from.kind !== 'registry' || resolved.action !== 'copy') return { count: 0, exact: true };
  if (missing !== undefined)
    return { count: missing.filter(({ mediaType }) => isDocumentType(mediaType)).length, exact: true };
  const subject = { ...resolved, image: job.image, hasRead: () => false };
  const isIndex = hasMoreToPull(subject);
  return { count: rootToPull(subject).length + (isIndex ? 1 : 0), exact: !isIndex };
}

async function planJob(
  job: SyncJob,
  resolved: ResolvedJob,
  open: OpenRepositories,
  { copier, measure = false }: PlanOptions,
): Promise<Line> {
  if (resolved.action !== 'copy' || !(measure || resolved.again === true)) return lineOf(job, resolved);
  try {
    const plan = await copier.plan(await copyRequest(job, resolved, open));
    return lineOf(job, resolved.again === true ? lookedAgain(resolved, plan) : resolved, missingNodes(plan.nodes));
  } catch (error) {
    // A dry run does not fail for want of a number; where it cannot say whether anything is missing, a run would fail as well.
    if (resolved.again !== true) return lineOf(job, resolved);
    const known = toOclError(error);
    return lineOf(job, { action: 'failed', reason: known.message, error: known });
  }
}

/** The root is right: what counts is what else is missing. */
function lookedAgain(resolved: Copyable, { current, nodes, tags }: CopyPlan): Copyable {
  const missing = [
    count(current ? 0 : missingNodes(nodes).length, 'content'),
    count(tags.filter(({ present }) => !present).length, 'digest tag'),
  ].filter((text) => text !== undefined);
  return missing.length === 0
    ? { ...resolved, action: 'current', reason: 'same digest, and nothing is missing' }
    : { ...resolved, reason: `${missing.join(' and ')} missing` };
}

function count(of: number, what: string): string | undefined {
  return of === 0 ? undefined : `${of} ${what}${of === 1 ? '' : 's'}`;
}

function missingNodes(nodes: CopyPlan['nodes']): readonly Descriptor[] {
  const missing = nodes.filter(({ present }) => !present).map(({ descriptor }) => descriptor);
  return [...new Map(missing.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

/** A layout also learns where its content came from. */
function targetName({ from, to }: SyncJob, root: Descriptor): RootName {
  if (to.tag === undefined) return {};
  const imageName = to.kind === 'registry' ? undefined : originName(from, root, to.tag);
  return { tag: to.tag, ...(imageName === undefined ? {} : { imageName }) };
}

/** What the engine is asked for. */
export async function copyRequest(job: SyncJob, resolved: Copyable, open: OpenRepositories): Promise<CopyRequest> {
  const [from, to] = await Promise.all([open.source(job.from), open.sink(job.to)]);
  return {
    from,
    to,
    root: resolved.root,
    name: targetName(job, resolved.root),
    image: job.image,
    select: resolved.select,
    ...(job.to.tag === undefined ? {} : { found: { root: resolved.before } }),
  };
}
