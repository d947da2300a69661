import { Copier } from '../copy/copier.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { silent, type Emit } from '../core/events.ts';
import { type Stores } from '../core/store.ts';
import { ImageRun, type ImageRunOptions, type Together } from './imageRun.ts';
import { eachLimited, Places } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { leaveExisting } from './missing.ts';
import { OpenStores, type Uncommitted } from './openStores.ts';
import { type ImageOutcome } from './outcome.ts';
import { BudgetedSources } from './pulls/budgetedSource.ts';
import { Tellings } from './pulls/tellings.ts';
import { imageKey, inWaves } from './references.ts';
import { type SyncConfig, type SyncStep } from './settings.ts';

export interface SyncOptions extends Omit<ImageRunOptions, 'emit'> {
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Needed for steps of type registry. */
  readonly catalog?: Catalog | undefined;
  /** Contents under way at once, over all images. */
  readonly concurrency?: number | undefined;
  /** After the first failure no other image is started; those under way are finished. */
  readonly abortOnError?: boolean | undefined;
  /** When it comes no other image is started; those under way are finished. */
  readonly stop?: AbortSignal | undefined;
  /** Images at a time, where several runs share them; otherwise as many as the file says. */
  readonly places?: Places | undefined;
  /** Images whose tag is at the target already are left alone, whatever it points at. */
  readonly missing?: boolean | undefined;
  /** Only these images; without it all. */
  readonly only?: ((job: SyncJob) => boolean) | undefined;
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
  /** Images that were not tried: after the first failure with `abortOnError`, or after `stop`. */
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

class Run {
  readonly #config: SyncConfig;
  readonly #stores: Stores;
  readonly #options: SyncOptions;
  readonly #emit: Emit;
  readonly #together: Together;
  readonly #budgeted: BudgetedSources;
  readonly #stop = new AbortController();
  readonly #failed: FailedImage[] = [];
  readonly #counts = { copied: 0, current: 0, skipped: 0 };
  #untried = 0;
  #bytes = 0;

  constructor(config: SyncConfig, stores: Stores, options: SyncOptions) {
    this.#config = config;
    this.#stores = stores;
    this.#options = options;
    this.#emit = options.emit ?? silent;
    const { clock, concurrency, signal } = options;
    const tellings = new Tellings(this.#emit);
    this.#budgeted = new BudgetedSources(options.mayPull, signal);
    this.#together = {
      copier: new Copier({ clock, emit: tellings.pass, concurrency, signal }),
      tellings,
      places: options.places ?? new Places(config.parallel),
      stop: this.#stop.signal,
      signal: signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]),
    };
  }

  async run(): Promise<SyncReport> {
    const { clock, stop } = this.#options;
    const started = clock.now();
    const halt = (): void => this.#stop.abort(stop?.reason);
    stop?.addEventListener('abort', halt, { once: true });
    try {
      if (stop?.aborted === true) halt();
      await this.#waves();
    } finally {
      stop?.removeEventListener('abort', halt);
    }
    return {
      ...this.#counts,
      failed: this.#failed,
      untried: this.#untried,
      bytes: this.#bytes,
      ms: clock.now() - started,
    };
  }

  async #waves(): Promise<void> {
    const { signal } = this.#options;
    for (const steps of inWaves(this.#config.steps)) {
      if (this.#stop.signal.aborted) break;
      await this.#wave(steps);
      if (signal?.aborted === true) throw toOclError(signal.reason);
    }
  }

  async #wave(steps: readonly SyncStep[]): Promise<void> {
    const { clock, signal, catalog, observer, only } = this.#options;
    const { parallel } = this.#config;
    const emit = this.#emit;
    const open = new OpenStores<ImageOutcome>(this.#stores, {
      clock,
      emit,
      committed: (outcome) => this.#end(outcome),
    });
    try {
      const { copier } = this.#together;
      const all = await listJobs(steps, {
        clock,
        stores: this.#stores,
        open,
        emit,
        parallel,
        signal,
        catalog,
        // What a date is read from is not pulled again when it is copied.
        read: async (document, source, of) =>
          (await copier.read(document, { from: this.#budgeted.of(source, of) })).bytes,
      });
      const listed = only === undefined ? all : { ...all, jobs: all.jobs.filter(only) };
      observer?.listed?.(listed);
      for (const { image, error } of listed.failed) {
        if (signal?.aborted !== true) emit({ type: 'image.failed', image, error });
        this.#fail(image, error);
      }
      const jobs = await this.#missing(listed.jobs);
      open.expect(jobs);
      const images = new ImageRun({ ...this.#options, emit }, this.#together, open);
      await eachLimited(
        bySource(jobs),
        this.#together.places,
        signal,
        async (group) => await this.#group(group, images, open),
      );
    } finally {
      this.#takeBack(await open.close());
    }
  }

  async #missing(jobs: readonly SyncJob[]): Promise<readonly SyncJob[]> {
    if (this.#options.missing !== true) return jobs;
    const { left, settled } = await leaveExisting(jobs, this.#stores, this.#config.parallel, this.#options.signal);
    for (const ended of settled) {
      if (ended.error !== undefined && this.#options.signal?.aborted !== true)
        this.#emit({ type: 'image.failed', image: ended.job.image, error: ended.error });
      this.#end(ended);
    }
    return left;
  }

  /** Images of one source, one after the other: what the first target has received, the next ones take from there. */
  async #group(jobs: readonly SyncJob[], images: ImageRun, open: OpenStores<ImageOutcome>): Promise<void> {
    let near: SyncJob | undefined;
    for (const job of jobs) {
      if (this.#options.signal?.aborted === true) return;
      if (this.#stop.signal.aborted) {
        this.#untried++;
        continue;
      }
      const ended = await images.run(job, near);
      if (ended.error !== undefined && ended.error === this.#stop.signal.reason) {
        this.#untried++;
        continue;
      }
      this.#bytes += ended.bytes;
      if (ended.outcome === 'copied') open.copied(job.to, ended);
      else this.#end(ended);
      if (ended.outcome === 'copied' || ended.outcome === 'current') near = job;
      this.#takeBack(await open.release(job));
    }
  }

  #end(ended: ImageOutcome): void {
    if (ended.outcome === 'failed') {
      if (this.#options.signal?.aborted === true) return;
      if (ended.error !== undefined) this.#fail(ended.job.image, ended.error);
    } else this.#counts[ended.outcome]++;
    this.#options.observer?.settled?.(ended);
  }

  /** Copied, and then not made visible: that is no copy. */
  #takeBack(uncommitted: readonly Uncommitted<ImageOutcome>[]): void {
    for (const { item, error } of uncommitted) {
      if (this.#options.signal?.aborted !== true) this.#emit({ type: 'image.failed', image: item.job.image, error });
      this.#end({ ...item, outcome: 'failed', error });
    }
  }

  #fail(image: string, error: OclError): void {
    if (this.#options.signal?.aborted === true) return;
    this.#failed.push({ image, error });
    if (this.#options.abortOnError === true)
      this.#stop.abort(new OclError('OCL_CANCELLED', 'Stopped after the first failure'));
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
