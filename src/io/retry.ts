import { type Clock } from '../core/clock.ts';
import { ConnectionError } from './connectionError.ts';
import { discard, header, type HttpResponse } from './httpMessages.ts';

/** Milliseconds, where not said otherwise. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly tries: number;
  readonly firstPause: number;
  readonly longestPause: number;
  /** What all pauses of one request may add up to. A server that asks for more is not waited for. */
  readonly patience: number;
  readonly statuses: ReadonlySet<number>;
}

export const RETRY: RetryPolicy = {
  tries: 6,
  firstPause: 200,
  longestPause: 30_000,
  patience: 15 * 60_000,
  statuses: new Set([408, 425, 429, 500, 502, 503, 504]),
};

/** What requests to one host know together about when to try again. */
export interface Pauses {
  /**
   * Milliseconds before the next try; undefined: none makes sense.
   * @param tries made so far
   * @param asked milliseconds that the server asked for
   */
  pause(tries: number, asked: number | undefined): number | undefined;
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly policy?: RetryPolicy | undefined;
  /** From 0 up to 1. */
  readonly random?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Without it a request pauses by itself. */
  readonly pauses?: Pauses | undefined;
}

/**
 * Runs a request until it does not fail for a passing reason. The last answer is returned, whatever its status.
 * @param attempt must be repeatable: it is called anew for each try
 * @throws what the last try threw; the signal's reason
 */
export async function retrying(attempt: () => Promise<HttpResponse>, options: RetryOptions): Promise<HttpResponse> {
  const policy = options.policy ?? RETRY;
  const { pauses, clock, signal } = options;
  let waited = 0;
  for (let tries = 1; ; tries++) {
    let asked: number | undefined;
    let outcome: HttpResponse | ConnectionError;
    try {
      outcome = await attempt();
      if (!policy.statuses.has(outcome.status)) return outcome;
      asked = retryAfter(
        header(outcome.headers, 'retry-after') ?? header(outcome.headers, 'x-retry-after'),
        clock.now(),
      );
    } catch (error) {
      if (!isTemporary(error)) throw error;
      outcome = error;
    }
    const pause = pauses === undefined ? (asked ?? backoff(tries, policy, options.random)) : pauses.pause(tries, asked);
    if (pause === undefined || tries >= policy.tries || waited + pause > policy.patience) {
      if (outcome instanceof ConnectionError) throw outcome;
      return outcome;
    }
    if (!(outcome instanceof ConnectionError)) await discard(outcome);
    await (pauses === undefined ? clock.sleep(pause, signal) : pauses.wait(pause, signal));
    waited += pause;
  }
}

export function isTemporary(error: unknown): error is ConnectionError {
  return error instanceof ConnectionError && error.temporary;
}

/** Milliseconds before the try after `tries`: doubling, and spread over its upper half so that many clients do not come back at once. */
export function backoff(tries: number, policy: RetryPolicy = RETRY, random: () => number = Math.random): number {
  const full = Math.min(policy.longestPause, policy.firstPause * 2 ** (tries - 1));
  return Math.round(full * (0.5 + random() / 2));
}

/** `Retry-After` in milliseconds from now: seconds or a date (RFC 9110, 10.2.3). Undefined when it is absent or makes no sense. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,9}(?:\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
