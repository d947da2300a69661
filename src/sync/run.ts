import { Copier, type CopyResult } from '../copy/copier.ts';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { silent, type Emit } from '../core/events.ts';
import { formatReference } from '../core/reference.ts';
import { type Source, type Stores } from '../core/store.ts';
import { backUp } from './backup.ts';
import { type RunHook } from './hooks.ts';
import { eachLimited } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { NearSource } from './nearSource.ts';
import { OpenStores, type UncommittedImage } from './openStores.ts';
import { copyRequest } from './plan.ts';
import { imageKey, inWaves } from './references.ts';
import { copyReferrersElsewhere, referrersAreElsewhere } from './referrersElsewhere.ts';
import { resolveJob, type ResolvedJob } from './resolve.ts';
import { type HookName, type SyncConfig, type SyncStep } from './settings.ts';
import { staleness } from './staleness.ts';
import { type Surroundings } from './template/template.ts';

export interface SyncOptions {
  readonly clock: Clock;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Needed for steps of type registry. */
  readonly catalog?: Catalog | undefined;
  /** Contents under way at once, over all images. */
  readonly concurrency?: number | undefined;
  /** After the first failure no other image is started; those under way are finished. */
  readonly abortOnError?: boolean | undefined;
  /** For the templates of backups. */
  readonly surroundings: Surroundings;
  /** Without it no hooks are run. */
  readonly runHook?: RunHook | undefined;
}

export interface FailedImage {
  readonly image: string;
  readonly error: OclError;
}

/** What a run came to; the first three are counts of images. */
export interface SyncReport {
  readonly copied: number;
  readonly current: number;
  readonly skipped: number;
  readonly failed: readonly FailedImage[];
  /** Images that were not tried, after the first failure with `abortOnError`. */
  readonly untried: number;
  /** Bytes that flowed. */
  readonly bytes: number;
  readonly ms: number;
}

/**
 * Runs every step once. One image that fails does not stop the others; with any in `failed` the run is OCL_INCOMPLETE.
 *
 * @throws OCL_CANCELLED when the signal came; what was finished by then is committed
 */
export async function runSync(config: SyncConfig, stores: Stores, options: SyncOptions): Promise<SyncReport> {
  return await new Run(config, stores, options).run();
}

type Copyable = Exclude<ResolvedJob, { readonly action: 'failed' }>;

class Run {
  readonly #config: SyncConfig;
  readonly #stores: Stores;
  readonly #options: SyncOptions;
  readonly #emit: Emit;
  readonly #copier: Copier;
  readonly #stop = new AbortController();
  readonly #failed: FailedImage[] = [];
  #copied = 0;
  #current = 0;
  #skipped = 0;
  #untried = 0;
  #bytes = 0;

  constructor(config: SyncConfig, stores: Stores, options: SyncOptions) {
    this.#config = config;
    this.#stores = stores;
    this.#options = options;
    this.#emit = options.emit ?? silent;
    const { clock, concurrency, signal } = options;
    this.#copier = new Copier({ clock, emit: this.#emit, concurrency, signal });
  }

  async run(): Promise<SyncReport> {
    const { clock, signal } = this.#options;
    const started = clock.now();
    for (const steps of inWaves(this.#config.steps)) {
      if (this.#stop.signal.aborted) break;
      await this.#wave(steps);
      if (signal?.aborted === true) throw toOclError(signal.reason);
    }
    return {
      copied: this.#copied,
      current: this.#current,
      skipped: this.#skipped,
      failed: this.#failed,
      untried: this.#untried,
      bytes: this.#bytes,
      ms: clock.now() - started,
    };
  }

  async #wave(steps: readonly SyncStep[]): Promise<void> {
    const { clock, signal, catalog } = this.#options;
    const { parallel } = this.#config;
    const open = new OpenStores(this.#stores, { clock, emit: this.#emit });
    try {
      const { jobs, failed } = await listJobs(steps, {
        clock,
        stores: this.#stores,
        open,
        emit: this.#emit,
        parallel,
        signal,
        catalog,
      });
      for (const { image, error } of failed) this.#fail(image, error);
      open.expect(jobs);
      await eachLimited(bySource(jobs), parallel, signal, async (group) => await this.#group(group, open));
    } finally {
      this.#takeBack(await open.close());
    }
  }

  /** Images of one source, one after the other: what the first target has received, the next ones take from there. */
  async #group(jobs: readonly SyncJob[], open: OpenStores): Promise<void> {
    let near: SyncJob | undefined;
    for (const job of jobs) {
      if (this.#options.signal?.aborted === true) return;
      if (this.#stop.signal.aborted) this.#untried++;
      else if (await this.#job(job, open, near)) near = job;
    }
  }

  /** Whether the target has the image now. */
  async #job(job: SyncJob, open: OpenStores, near: SyncJob | undefined): Promise<boolean> {
    const there = await this.#settle(job, await resolveJob(job, open), open, near);
    this.#takeBack(await open.release(job));
    return there;
  }

  async #settle(job: SyncJob, resolved: ResolvedJob, open: OpenStores, near: SyncJob | undefined): Promise<boolean> {
    switch (resolved.action) {
      case 'failed':
        this.#fail(job.image, resolved.error);
        return false;
      case 'skip':
        this.#skipped++;
        this.#emit({ type: 'notice', level: 'info', message: `${job.image} is skipped: ${resolved.reason}` });
        return false;
      case 'current':
        if (!(await vouches(job, open))) return await this.#copy(job, resolved, open, near);
        await this.#tellCurrent(job, resolved, open);
        await this.#hook('unchanged', job, resolved);
        return await this.#isYoung(job, resolved.root, open);
      case 'copy':
        return (await this.#copy(job, resolved, open, near)) && (await this.#isYoung(job, resolved.root, open));
    }
  }

  async #isYoung(job: SyncJob, root: Descriptor, open: OpenStores): Promise<boolean> {
    const ends = { source: await open.source(job.from), sink: await open.sink(job.to) };
    const stale = await staleness(job, root, ends, this.#options.clock.now());
    if (stale === undefined) return true;
    if (job.step.onStale === 'fail') this.#fail(job.image, stale);
    else this.#emit({ type: 'notice', level: 'warning', message: stale.message });
    return job.step.onStale === 'warn';
  }

  /** @throws what the hook threw, for `pre` alone: what comes after cannot be undone by it */
  async #hook(name: HookName, job: SyncJob, { root, before, reason }: Copyable, error?: OclError): Promise<void> {
    const hook = job.step.hooks[name];
    const { runHook, clock } = this.#options;
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
      this.#emit({ type: 'notice', level: 'warning', message: toOclError(failure).message });
    }
  }

  async #copy(job: SyncJob, resolved: Copyable, open: OpenStores, near: SyncJob | undefined): Promise<boolean> {
    const { before, root } = resolved;
    try {
      await this.#hook('pre', job, resolved);
      if (job.step.backup !== '' && before !== undefined && before.digest !== root.digest)
        await backUp(job, before, {
          open,
          copier: this.#copier,
          emit: this.#emit,
          surroundings: this.#options.surroundings,
        });
    } catch (error) {
      const known = toOclError(error);
      this.#fail(job.image, known);
      await this.#hook('failed', job, resolved, known);
      return false;
    }
    try {
      const request = await copyRequest(job, resolved, open);
      const from = await this.#sourceFor(job, request.from, near, open);
      const result = await this.#copier.copy({ ...request, from });
      this.#count(job, result, open);
      if (referrersAreElsewhere(job)) this.#bytes += await copyReferrersElsewhere(job, root, open, this.#copier);
      await this.#hook(result.outcome === 'copied' ? 'post' : 'unchanged', job, resolved);
      return true;
    } catch (error) {
      // The engine has told it already.
      const known = toOclError(error);
      this.#note(job.image, known);
      await this.#hook('failed', job, resolved, known);
      return false;
    }
  }

  /** A source on disk is near enough by itself. */
  async #sourceFor(job: SyncJob, source: Source, near: SyncJob | undefined, open: OpenStores): Promise<Source> {
    if (near === undefined || job.from.kind !== 'registry') return source;
    return new NearSource(source, await open.source(near.to));
  }

  #count(job: SyncJob, result: CopyResult, open: OpenStores): void {
    this.#bytes += result.streamed;
    if (result.outcome === 'current') {
      this.#current++;
      return;
    }
    this.#copied++;
    open.copied(job.to, job.image);
  }

  async #tellCurrent(job: SyncJob, { root }: Copyable, open: OpenStores): Promise<void> {
    const { from, to } = await copyRequest(
      job,
      { action: 'current', reason: '', root, before: root, select: {} },
      open,
    );
    this.#current++;
    this.#emit({ type: 'image.start', image: job.image, from: from.name, to: to.name, root });
    this.#emit({
      type: 'image.done',
      image: job.image,
      root,
      outcome: 'current',
      totals: { nodes: 0, bytes: 0, streamed: 0 },
      ms: 0,
    });
  }

  /** Copied, and then not made visible: that is no copy. */
  #takeBack(uncommitted: readonly UncommittedImage[]): void {
    for (const { image, error } of uncommitted) {
      this.#copied--;
      this.#fail(image, error);
    }
  }

  #fail(image: string, error: OclError): void {
    if (this.#options.signal?.aborted === true) return;
    this.#emit({ type: 'image.failed', image, error });
    this.#note(image, error);
  }

  #note(image: string, error: OclError): void {
    if (this.#options.signal?.aborted === true) return;
    this.#failed.push({ image, error });
    if (this.#options.abortOnError === true) this.#stop.abort();
  }
}

/** Images by their source, in the order in which the first of each comes. */
function bySource(jobs: readonly SyncJob[]): Iterable<readonly SyncJob[]> {
  const groups = new Map<string, SyncJob[]>();
  for (const job of jobs) {
    const key = imageKey(job.from);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [job]);
    else group.push(job);
  }
  return groups.values();
}

/** Whether an equal digest is proof enough: a registry vouches for the whole image; files are looked at, unless the step wants it fast. */
async function vouches(job: SyncJob, open: OpenStores): Promise<boolean> {
  return job.step.fastCheck || (await open.sink(job.to)).presence === 'graph';
}
