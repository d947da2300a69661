import { Copier, type CopyResult } from '../copy/copier.ts';
import { type Clock } from '../core/clock.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { silent, type Emit } from '../core/events.ts';
import { type Stores } from '../core/store.ts';
import { eachLimited } from './limit.ts';
import { listJobs, type Catalog, type SyncJob } from './list.ts';
import { OpenStores, type UncommittedImage } from './openStores.ts';
import { copyRequest } from './plan.ts';
import { inWaves } from './references.ts';
import { resolveJob, type ResolvedJob } from './resolve.ts';
import { type SyncConfig, type SyncStep } from './settings.ts';

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
        stores: this.#stores,
        open,
        emit: this.#emit,
        parallel,
        signal,
        catalog,
      });
      for (const { image, error } of failed) this.#fail(image, error);
      open.expect(jobs);
      await eachLimited(jobs, parallel, signal, async (job) => await this.#job(job, open));
    } finally {
      this.#takeBack(await open.close());
    }
  }

  async #job(job: SyncJob, open: OpenStores): Promise<void> {
    if (this.#stop.signal.aborted) {
      this.#untried++;
      return;
    }
    try {
      await this.#settle(job, await resolveJob(job, open), open);
    } catch (error) {
      // The engine has told it already.
      this.#note(job.image, toOclError(error));
    }
    this.#takeBack(await open.release(job));
  }

  async #settle(job: SyncJob, resolved: ResolvedJob, open: OpenStores): Promise<void> {
    switch (resolved.action) {
      case 'failed':
        this.#fail(job.image, resolved.error);
        return;
      case 'skip':
        this.#skipped++;
        this.#emit({ type: 'notice', level: 'info', message: `${job.image} is skipped: ${resolved.reason}` });
        return;
      case 'current':
        if (await vouches(job, open)) await this.#tellCurrent(job, resolved, open);
        else this.#count(job, await this.#copier.copy(await copyRequest(job, resolved, open)), open);
        return;
      case 'copy':
        this.#count(job, await this.#copier.copy(await copyRequest(job, resolved, open)), open);
    }
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

/** Whether an equal digest is proof enough: a registry vouches for the whole image; files are looked at, unless the step wants it fast. */
async function vouches(job: SyncJob, open: OpenStores): Promise<boolean> {
  return job.step.fastCheck || (await open.sink(job.to)).presence === 'graph';
}
