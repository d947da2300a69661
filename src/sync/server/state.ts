import { type Schedule } from '../schedule/schedule.ts';
import { type SyncStep } from '../settings.ts';

/** Why a step runs: at the start for what is missing alone; because its time has come; because a time went by unused. */
export type Pass = 'first' | 'scheduled' | 'catch-up';

/** What one run of one step came to. Times are milliseconds since the epoch. */
export interface StepRun extends ImageCounts {
  readonly pass: Pass;
  readonly startedAt: number;
  readonly endedAt: number;
  /** `stopped`: the server ended before the step did. */
  readonly result: RunResult;
  /** The first few. */
  readonly failures: readonly StepFailure[];
}

export type RunResult = 'ok' | 'failed' | 'stopped';

export interface ImageCounts {
  readonly copied: number;
  readonly current: number;
  readonly skipped: number;
  readonly failed: number;
  /** That flowed. */
  readonly bytes: number;
}

export interface StepFailure {
  readonly image: string;
  readonly code: string;
  readonly message: string;
}

/** Sums since the server started. */
export interface Totals {
  readonly runs: Record<RunResult, number>;
  readonly images: Record<'copied' | 'current' | 'skipped' | 'failed', number>;
  bytes: number;
  /** Times that came while the step was still running. */
  overlaps: number;
  /** Times that went by while nothing could run, as on a machine asleep. */
  missed: number;
}

/** One step, when it runs, and what came of it. Lives as long as the file has the step, over all reloads. */
export interface StepState {
  step: SyncStep;
  schedule: Schedule;
  /** Milliseconds since the epoch; undefined: never. */
  next: number | undefined;
  running: Pass | undefined;
  /** It is to run as soon as it can. */
  owed: Pass | undefined;
  last: StepRun | undefined;
  /** When the last run without a failure ended, in milliseconds since the epoch. */
  lastSuccess: number | undefined;
  readonly totals: Totals;
}

export function newState(step: SyncStep, schedule: Schedule): StepState {
  return {
    step,
    schedule,
    next: undefined,
    running: undefined,
    owed: undefined,
    last: undefined,
    lastSuccess: undefined,
    totals: {
      runs: { ok: 0, failed: 0, stopped: 0 },
      images: { copied: 0, current: 0, skipped: 0, failed: 0 },
      bytes: 0,
      overlaps: 0,
      missed: 0,
    },
  };
}

/** Takes the end of a run into the state. */
export function endRun(state: StepState, run: StepRun): void {
  const { totals } = state;
  state.running = undefined;
  state.last = run;
  if (run.result === 'ok') state.lastSuccess = run.endedAt;
  totals.runs[run.result]++;
  totals.bytes += run.bytes;
  for (const outcome of ['copied', 'current', 'skipped', 'failed'] as const) totals.images[outcome] += run[outcome];
}
