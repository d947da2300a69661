import { type Copier, type CopyRequest } from '../copy/copier.ts';
import { type Loaded } from '../copy/documents.ts';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { formatReference } from '../core/reference.ts';
import { type Source } from '../core/store.ts';
import { backUp } from './backup.ts';
import { type RunHook } from './hooks.ts';
import { type Places } from './limit.ts';
import { type SyncJob } from './list.ts';
import { NearSource } from './nearSource.ts';
import { type OpenRepositories } from './openStores.ts';
import { type ImageOutcome, type SyncObserver } from './outcome.ts';
import { copyRequest } from './plan.ts';
import { withinLimits, type MayPull, type Pull, type PullTurn } from './pulls/budget.ts';
import { type Tellings } from './pulls/tellings.ts';
import { copyReferrersElsewhere, referrersAreElsewhere } from './referrersElsewhere.ts';
import { resolveJob, type ResolvedJob } from './resolve.ts';
import { type HookName } from './settings.ts';
import { staleness } from './staleness.ts';
import { type Surroundings } from './template/template.ts';

export interface ImageRunOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** For the templates of backups. */
  readonly surroundings: Surroundings;
  /** Without it no hooks are run. */
  readonly runHook?: RunHook | undefined;
  /** Waits until the source's limits allow a copy. */
  readonly mayPull?: MayPull | undefined;
  readonly observer?: SyncObserver | undefined;
}

/** What the images of a run share. */
export interface Together {
  readonly copier: Copier;
  readonly tellings: Tellings;
  readonly places: Places;
  /** No image is to begin any more: those that still wait have not begun, which is no failure of theirs. */
  readonly stop: AbortSignal;
  /** That, or the run's own. */
  readonly signal: AbortSignal;
}

type Ends = Pick<CopyRequest, 'from' | 'to'>;
type Copyable = Exclude<ResolvedJob, { readonly action: 'failed' }>;

/** Does what there is to do about one image, and tells how it ended. Never throws. */
export class ImageRun {
  readonly #options: ImageRunOptions;
  readonly #together: Together;
  readonly #open: OpenRepositories;

  constructor(options: ImageRunOptions, together: Together, open: OpenRepositories) {
    this.#options = options;
    this.#together = together;
    this.#open = open;
  }

  /** @param near a target that has the same image already */
  async run(job: SyncJob, near: SyncJob | undefined): Promise<ImageOutcome> {
    const { clock, emit } = this.#options;
    const started = clock.now();
    const resolved = await resolveJob(job, this.#open, async (index, ends) => await this.#readIndex(job, index, ends));
    const ended = await this.#settle(job, resolved, near);
    if (resolved.action === 'failed' && ended.error !== undefined && ended.error !== this.#together.stop.reason)
      emit({ type: 'image.failed', image: job.image, error: ended.error });
    return {
      job,
      reason: resolved.reason,
      digest: resolved.action === 'failed' ? undefined : resolved.root.digest,
      before: resolved.action === 'failed' ? undefined : resolved.before?.digest,
      ms: clock.now() - started,
      ...ended,
    };
  }

  async #settle(job: SyncJob, resolved: ResolvedJob, near: SyncJob | undefined): Promise<Ended> {
    const { emit } = this.#options;
    switch (resolved.action) {
      case 'failed':
        return { outcome: 'failed', bytes: 0, error: resolved.error };
      case 'skip':
        emit({ type: 'notice', level: 'info', message: `${job.image} is skipped: ${resolved.reason}` });
        return { outcome: 'skipped', bytes: 0 };
      case 'current':
        if (!(await vouches(job, this.#open))) return await this.#copy(job, resolved, near);
        await this.#tellCurrent(job, resolved);
        await this.#hook('unchanged', job, resolved);
        return await this.#checkAge(job, resolved, { outcome: 'current', bytes: 0 });
      case 'copy':
        return await this.#copy(job, resolved, near);
    }
  }

  async #copy(job: SyncJob, resolved: Copyable, near: SyncJob | undefined): Promise<Ended> {
    const { copier, tellings, stop } = this.#together;
    let turn: PullTurn | undefined;
    try {
      const request = await copyRequest(job, resolved, this.#open);
      // Where another target has received the image, the source has nothing more to give.
      if (near === undefined) turn = await this.#mayPull(job, resolved, request);
      await this.#prepare(job, resolved);
      const from = await this.#sourceFor(job, request.from, near);
      const result = await withinLimits(turn, async () => await copier.copy({ ...request, from }));
      const beside = referrersAreElsewhere(job)
        ? await copyReferrersElsewhere(job, resolved.root, this.#open, copier)
        : 0;
      await this.#hook(result.outcome === 'copied' ? 'post' : 'unchanged', job, resolved);
      // An index that is written anew has another digest than the source's.
      const ended = { outcome: result.outcome, bytes: result.streamed + beside, digest: result.root.digest };
      return await this.#checkAge(job, resolved, ended);
    } catch (error) {
      const known = toOclError(error);
      if (known !== stop.reason) {
        tellings.failed(job.image, known);
        await this.#hook('failed', job, resolved, known);
      }
      return { outcome: 'failed', bytes: 0, error: known };
    } finally {
      turn?.end();
    }
  }

  /** What has to be read to know what there is to do. */
  async #readIndex(job: SyncJob, root: Descriptor, ends: Ends): Promise<Loaded> {
    const turn = await this.#mayPull(job, { root, before: undefined, select: {}, alone: true }, ends);
    try {
      return await withinLimits(turn, async () => await this.#together.copier.read(root, ends));
    } finally {
      turn?.end();
    }
  }

  async #mayPull(
    job: SyncJob,
    { root, before, select, alone }: Pick<Pull, 'root' | 'before' | 'select' | 'alone'>,
    ends: Ends,
  ): Promise<PullTurn | undefined> {
    const { copier, places, signal } = this.#together;
    return await this.#options.mayPull?.({
      image: job.image,
      from: job.from,
      rateLimit: job.step.rateLimit,
      root,
      before,
      select,
      alone,
      source: ends.from,
      sink: ends.to,
      hasRead: (digest) => copier.hasRead(digest),
      read: async (descriptor) => (await copier.read(descriptor, ends)).document,
      aside: async (wait) => await places.aside(wait),
      signal,
    });
  }

  async #prepare(job: SyncJob, resolved: Copyable): Promise<void> {
    const { emit, surroundings, observer } = this.#options;
    const { root, before } = resolved;
    await this.#hook('pre', job, resolved);
    if (job.step.backup !== '' && before !== undefined && before.digest !== root.digest)
      await backUp(job, before, { open: this.#open, copier: this.#together.copier, emit, surroundings });
    if (before?.digest !== root.digest) observer?.starting?.(job, root.digest);
  }

  /** A source on disk is near enough by itself, and a target that cannot be read is not near. */
  async #sourceFor(job: SyncJob, source: Source, near: SyncJob | undefined): Promise<Source> {
    if (near === undefined || job.from.kind !== 'registry') return source;
    try {
      return new NearSource(source, await this.#open.source(near.to));
    } catch {
      return source;
    }
  }

  /** A feed that is too old is a failure where its step says so; what is there is the newest all the same. */
  async #checkAge(job: SyncJob, { root }: Copyable, ended: Ended): Promise<Ended> {
    const { clock, emit } = this.#options;
    const ends = { source: await this.#open.source(job.from), sink: await this.#open.sink(job.to) };
    const stale = await staleness(job, root, ends, clock.now());
    if (stale === undefined) return ended;
    if (job.step.onStale === 'warn') {
      emit({ type: 'notice', level: 'warning', message: stale.message });
      return ended;
    }
    emit({ type: 'image.failed', image: job.image, error: stale });
    return { ...ended, outcome: 'failed', error: stale };
  }

  /** @throws what the hook threw, for `pre` alone: what comes after cannot be undone by it */
  async #hook(name: HookName, job: SyncJob, { root, before, reason }: Copyable, error?: OclError): Promise<void> {
    const hook = job.step.hooks[name];
    const { runHook, clock, emit } = this.#options;
    if (hook === undefined || runHook === undefined) return;
    try {
      await runHook(hook, {
        hook: name,
        image: job.image,
        target: formatReference(job.to),
        digest: root.digest,
        before: before?.digest,
        reason,
        ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
        time: new Date(clock.now()).toISOString(),
      });
    } catch (failure) {
      if (name === 'pre') throw failure;
      emit({ type: 'notice', level: 'warning', message: toOclError(failure).message });
    }
  }

  async #tellCurrent(job: SyncJob, { root }: Copyable): Promise<void> {
    const { emit } = this.#options;
    const [from, to] = await Promise.all([this.#open.source(job.from), this.#open.sink(job.to)]);
    emit({ type: 'image.start', image: job.image, from: from.name, to: to.name, root });
    emit({
      type: 'image.done',
      image: job.image,
      root,
      outcome: 'current',
      totals: { nodes: 0, bytes: 0, streamed: 0 },
      ms: 0,
    });
  }
}

interface Ended {
  readonly outcome: ImageOutcome['outcome'];
  readonly bytes: number;
  /** Where it is not the one that was resolved. */
  readonly digest?: Digest;
  readonly error?: OclError | undefined;
}

/** Whether an equal digest is proof enough: a registry vouches for the whole image; files are looked at, unless the step wants it fast. */
async function vouches(job: SyncJob, open: OpenRepositories): Promise<boolean> {
  return job.step.fastCheck || (await open.sink(job.to)).presence === 'graph';
}
