import { redact } from '../../core/redact.ts';
import { type StepState } from './state.ts';
import { type ServerView } from './view.ts';

/** The state of a server as /status tells it. Times are ISO 8601; what is not known is null. */
export interface Status {
  readonly phase: ServerView['phase'];
  readonly now: string;
  readonly startedAt: string;
  readonly config: {
    readonly file: string;
    readonly loadedAt: string;
    /** The last attempt to read the file anew; null: none was made. */
    readonly reload: { readonly at: string; readonly ok: boolean; readonly error: StatusError | null } | null;
  };
  readonly steps: readonly StepStatus[];
  readonly ignored: readonly { readonly line: number; readonly source: string; readonly why: string }[];
  readonly rateLimits: readonly {
    readonly host: string;
    readonly remaining: number;
    readonly limit: number | null;
    readonly resetAt: string | null;
  }[];
}

export interface StatusError {
  readonly code: string;
  readonly message: string;
}

export interface StepStatus {
  readonly line: number;
  readonly type: string;
  readonly source: string;
  readonly targets: readonly string[];
  /** As it stands in the file; an interval in milliseconds when that is empty. */
  readonly schedule: string;
  readonly interval: number;
  readonly running: string | null;
  readonly next: string | null;
  readonly lastSuccess: string | null;
  /** Since the server started: runs by their result, images by theirs, bytes that flowed, times that were left out. */
  readonly runs: StepState['totals']['runs'];
  readonly images: StepState['totals']['images'];
  readonly bytes: number;
  readonly overlaps: number;
  readonly missed: number;
  readonly last: {
    readonly pass: string;
    readonly result: string;
    readonly startedAt: string;
    readonly ms: number;
    readonly copied: number;
    readonly current: number;
    readonly skipped: number;
    readonly failed: number;
    readonly bytes: number;
    /** The first few. */
    readonly failures: readonly (StatusError & { readonly image: string })[];
  } | null;
}

/** @param now milliseconds since the epoch */
export function statusOf(view: ServerView, now: number): Status {
  const { phase, startedAt, file, loadedAt, reload, states, ignored, limits } = view;
  return {
    phase,
    now: iso(now),
    startedAt: iso(startedAt),
    config: {
      file,
      loadedAt: iso(loadedAt),
      reload:
        reload === undefined
          ? null
          : {
              at: iso(reload.at),
              ok: reload.error === undefined,
              error: reload.error === undefined ? null : { code: reload.error.code, message: reload.error.message },
            },
    },
    steps: states.map(stepStatus),
    ignored: ignored.map(({ step, why }) => ({ line: step.place.line, source: redact(step.source), why })),
    rateLimits: limits().map(({ host, remaining, limit, resetAt }) => ({
      host,
      remaining,
      limit: limit ?? null,
      resetAt: iso(resetAt),
    })),
  };
}

function stepStatus({ step, next, running, last, lastSuccess, totals }: StepState): StepStatus {
  return {
    line: step.place.line,
    type: step.type,
    source: redact(step.source === '' ? step.feed : step.source),
    targets: step.targets.map(redact),
    schedule: step.schedule,
    interval: step.interval,
    running: running ?? null,
    next: iso(next),
    lastSuccess: iso(lastSuccess),
    runs: { ...totals.runs },
    images: { ...totals.images },
    bytes: totals.bytes,
    overlaps: totals.overlaps,
    missed: totals.missed,
    last:
      last === undefined
        ? null
        : {
            pass: last.pass,
            result: last.result,
            startedAt: iso(last.startedAt),
            ms: last.endedAt - last.startedAt,
            copied: last.copied,
            current: last.current,
            skipped: last.skipped,
            failed: last.failed,
            bytes: last.bytes,
            failures: last.failures,
          },
  };
}

function iso(time: number): string;
function iso(time: number | undefined): string | null;
function iso(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
