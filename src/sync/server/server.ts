import { setMaxListeners } from 'node:events';
import { type Clock } from '../../core/clock.ts';
import { OclError, toOclError } from '../../core/errors.ts';
import { Places } from '../limit.ts';
import { type ServerEvent } from './events.ts';
import { type Generation, type RunReport } from './generation.ts';
import { endRun, type Pass, type RunResult, type StepState } from './state.ts';
import { StepProgress, type StepEnd } from './stepProgress.ts';
import { checkServable, Timetable, type Batch } from './timetable.ts';
import { newView, type ServerView } from './view.ts';
import { within } from './within.ts';

export interface ServerOptions {
  readonly clock: Clock;
  /** Reads the file. The signal ends all that its runs do. @throws OCL_CONFIG_INVALID and what else reading it may meet */
  readonly load: (signal: AbortSignal) => Promise<Generation>;
  /** Begins the end: nothing new is started, and images under way have `graceMs` to finish. */
  readonly stop: AbortSignal;
  /** Milliseconds. */
  readonly graceMs: number;
  /** Times that went by unused are made up for. */
  readonly catchUp: boolean;
  /** The first failure ends the server. */
  readonly abortOnError: boolean;
  readonly tell: (event: ServerEvent) => void;
}

/** Milliseconds between two looks at the clock: timers do not run while a machine sleeps. */
const BEAT = 5000;
/** Milliseconds that what was aborted gets to clean up. */
const CLEANUP = 10_000;

interface Running {
  readonly controller: AbortController;
  readonly progress: StepProgress;
}

interface Tenure {
  readonly generation: Generation;
  runs: number;
}

/** Runs each step of a file when its time comes, until it is stopped. */
export class SyncServer {
  readonly #options: ServerOptions;
  readonly #timetable: Timetable;
  readonly #stop = new AbortController();
  /** Ends the network's part of all runs at once; the runs themselves each have one of their own. */
  readonly #abort = new AbortController();
  readonly #runs = new Map<Promise<void>, Running>();
  readonly #view: { -readonly [K in keyof ServerView]: ServerView[K] };
  #tenure: Tenure | undefined;
  #reloading: Promise<void> | undefined;
  #places: { readonly count: number; readonly places: Places } | undefined;
  #nap = new AbortController();
  #failed = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#timetable = new Timetable(options);
    // Each run listens.
    setMaxListeners(0, this.#stop.signal);
    this.#view = newView(options.clock.now(), () => this.#tenure?.generation.limits() ?? []);
  }

  /** What is to be seen from outside; it changes while the server runs. */
  get view(): ServerView {
    return this.#view;
  }

  /**
   * Returns when it was stopped and all that was under way has ended.
   * @returns false when a failure ended it (`abortOnError`)
   * @throws OCL_CONFIG_INVALID and others when the file cannot be used at the start
   */
  async run(): Promise<boolean> {
    const { stop } = this.#options;
    const end = (): void => this.#end();
    stop.addEventListener('abort', end, { once: true });
    try {
      if (stop.aborted) end();
      this.#take(await this.#load());
      if (!this.#stop.signal.aborted) this.#view.phase = 'running';
      await this.#loop();
      await this.#finish();
      return !this.#failed;
    } finally {
      stop.removeEventListener('abort', end);
      await this.#reloading;
      await this.#tenure?.generation.close();
      this.#view.phase = 'stopped';
    }
  }

  /** Reads the file anew. What is under way goes on; a file that cannot be used changes nothing. Never throws. */
  async reload(): Promise<void> {
    const before = this.#reloading;
    const reloading = (async (): Promise<void> => {
      await before;
      if (this.#stop.signal.aborted || this.#tenure === undefined) return;
      await this.#reload();
    })();
    this.#reloading = reloading;
    await reloading;
  }

  async #reload(): Promise<void> {
    const { clock, tell } = this.#options;
    const view = this.#view;
    let error: OclError | undefined;
    try {
      this.#take(await this.#load());
      view.reloads = { ...view.reloads, ok: view.reloads.ok + 1 };
    } catch (failure) {
      error = toOclError(failure);
      view.reloads = { ...view.reloads, failed: view.reloads.failed + 1 };
    }
    view.reload = { at: clock.now(), error };
    tell({ type: 'server.reload', steps: view.states.length, error });
    this.#wake();
  }

  /** @throws OCL_CONFIG_INVALID when nothing would ever run */
  async #load(): Promise<Generation> {
    const generation = await this.#options.load(this.#abort.signal);
    try {
      checkServable(generation.config, this.#options.clock.now());
    } catch (error) {
      await generation.close();
      throw error;
    }
    return generation;
  }

  #take(generation: Generation): void {
    const { clock, tell } = this.#options;
    const { config } = generation;
    const before = this.#tenure;
    this.#tenure = { generation, runs: 0 };
    if (this.#places?.count !== config.parallel)
      this.#places = { count: config.parallel, places: new Places(config.parallel) };
    this.#timetable.take(config, clock.now(), (step) => generation.lastRun?.(step));
    Object.assign(this.#view, {
      file: config.file,
      loadedAt: clock.now(),
      states: this.#timetable.states,
      ignored: this.#timetable.ignored,
    });
    for (const ignored of this.#timetable.ignored) tell({ type: 'server.ignored', ignored });
    if (before?.runs === 0) void before.generation.close().catch(() => {});
  }

  async #loop(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#nap = new AbortController();
      const now = clock.now();
      this.#view.beatAt = now;
      for (const batch of this.#timetable.due(now)) this.#start(batch);
      const next = this.#timetable.next();
      const wait = next === undefined ? BEAT : Math.min(BEAT, next - now);
      try {
        await clock.sleep(Math.max(1, wait), this.#nap.signal);
      } catch (error) {
        if (!this.#nap.signal.aborted) throw error;
      }
    }
  }

  #wake(): void {
    this.#nap.abort();
  }

  #end(): void {
    if (this.#stop.signal.aborted) return;
    this.#view.phase = 'stopping';
    this.#stop.abort(new OclError('OCL_CANCELLED', 'Stopped: the server ends'));
    this.#wake();
  }

  /** Waits for the runs under way, and ends them when they take too long. */
  async #finish(): Promise<void> {
    const { clock, graceMs, tell } = this.#options;
    const runs = this.#runs.size;
    if (runs === 0) return;
    const all = Promise.all(this.#runs.keys());
    // Where nothing but lists of tags is under way nothing is lost.
    if ([...this.#runs.values()].some(({ progress }) => progress.hasBegun)) {
      tell({ type: 'server.stopping', runs, graceMs });
      if (await within(all, graceMs, clock)) return;
    }
    tell({ type: 'server.aborting', runs: this.#runs.size });
    const reason = new OclError('OCL_CANCELLED', 'Stopped: the server ends');
    for (const { controller } of this.#runs.values()) controller.abort(reason);
    this.#abort.abort(reason);
    await within(all, CLEANUP, clock);
  }

  #start(batch: Batch): void {
    const { pass, states } = batch;
    const startedAt = this.#options.clock.now();
    const controller = new AbortController();
    // So does each request.
    setMaxListeners(0, controller.signal);
    const byStep = new Map(states.map((state) => [state.step, state]));
    const progress = new StepProgress([...byStep.keys()], (step, end) => {
      const state = byStep.get(step);
      if (state !== undefined) this.#endStep(state, { pass, startedAt }, end);
    });
    for (const state of states) state.running = pass;
    const run = this.#run(batch, { controller, progress }).finally(() => this.#runs.delete(run));
    this.#runs.set(run, { controller, progress });
  }

  async #run({ pass, states }: Batch, { controller, progress }: Running): Promise<void> {
    const { clock, tell, abortOnError } = this.#options;
    const tenure = this.#tenure;
    const places = this.#places?.places;
    if (tenure === undefined || places === undefined) return;
    const startedAt = clock.now();
    let report: RunReport | undefined;
    let error: OclError | undefined;
    tell({ type: 'server.run', pass, steps: states.length });
    tenure.runs++;
    try {
      report = await tenure.generation.run(
        states.map(({ step }) => step),
        {
          missing: pass === 'first',
          abortOnError,
          observer: progress,
          places,
          stop: this.#stop.signal,
          signal: controller.signal,
        },
      );
    } catch (failure) {
      error = toOclError(failure);
    }
    progress.finish(error);
    const { copied = 0, current = 0, skipped = 0, failed = [], untried = 0, pruned = 0, bytes = 0 } = report ?? {};
    tell({
      type: 'server.done',
      pass,
      steps: states.length,
      copied,
      current,
      skipped,
      failed: failed.length,
      untried,
      pruned,
      bytes,
      ms: clock.now() - startedAt,
      error,
      next: this.#stop.signal.aborted ? undefined : this.#timetable.next(),
    });
    if (--tenure.runs === 0 && tenure !== this.#tenure) await tenure.generation.close().catch(() => {});
    if (!abortOnError || (failed.length === 0 && (error === undefined || error.code === 'OCL_CANCELLED'))) return;
    this.#failed = true;
    this.#end();
  }

  #endStep(state: StepState, begun: { readonly pass: Pass; readonly startedAt: number }, end: StepEnd): void {
    const { ended, ...counts } = end;
    const result: RunResult = counts.failed > 0 ? 'failed' : ended ? 'ok' : 'stopped';
    endRun(state, { ...begun, ...counts, endedAt: this.#options.clock.now(), result });
    if (state.owed !== undefined) this.#wake();
  }
}
