import { type Clock } from '../../core/clock.ts';
import { OclError, type ErrorCode } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { discard, header, type HttpResponse } from '../../io/httpMessages.ts';
import { backoff, isTemporary, retryAfter, type Pauses, type RetryPolicy } from '../../io/retry.ts';

export interface TurnsOptions {
  /** As people know it. */
  readonly host: string;
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  readonly emit: Emit;
  /** At most so many requests begin in a second; 0: no bound. */
  readonly requestsPerSecond: number;
  /** From 0 up to 1. */
  readonly random?: (() => number) | undefined;
}

/** Answers that say that the host has too much to do, or is not well. */
const OVERLOADED: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
/** Successes in a row that take one step of the back-off back (spec regsync.md 6). */
const SUCCESSES = 6;
/** Milliseconds over which requests that waited for the same moment are spread at most. */
const SPREAD = 5000;
/** Milliseconds of nothing but failures after which a host counts as down: no request is tried twice then, and few at all. */
const DOWN = 2 * 60_000;
/** Milliseconds between two requests to a host that is down, or that asked for more silence than is waited for. */
const PROBE = 30_000;
/** Silences that a request waits for before it begins: during the first one others may hear of a longer one, and there has to be an end. */
const WAITS = 2;
/** Milliseconds that are waited for without telling. */
const QUIET = 5000;

/**
 * When requests to one host may begin: not while it asked for silence, not while it fails, and at the distance that its settings ask for.
 * What several requests meet is a matter of the host: all of them slow down together, and speed up as it answers again.
 */
export class Turns {
  readonly #options: TurnsOptions;
  /** Steps of the back-off: each doubles the pause. */
  #level = 0;
  /** Counts the steps ever made: what began before the last one has nothing new to tell. */
  #steps = 0;
  #successes = 0;
  #quietUntil = 0;
  #nextStart = 0;
  #failingSince: number | undefined;
  #lastFailure = 0;
  #lastFailed: Turn | undefined;
  #refusal: { readonly until: number; readonly code: ErrorCode; readonly again: number } | undefined;
  #toldUntil = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** For one request with all its tries. */
  turn(): Turn {
    return new Turn(this, this.#options);
  }

  get steps(): number {
    return this.#steps;
  }

  /** Waits until a request may begin. @throws OCL_UNREACHABLE, OCL_RATE_LIMITED where waiting is of no use; the signal's reason */
  async enter(action: string, signal: AbortSignal | undefined): Promise<void> {
    const { clock, requestsPerSecond: rate } = this.#options;
    for (let waits = 0; ; waits++) {
      const now = clock.now();
      this.#refuseDown(action, now);
      if (this.#quietUntil <= now || waits === WAITS) break;
      const rest = this.#quietUntil - now;
      await this.sleep(rest + this.#spread(rest), signal);
    }
    if (rate === 0) return;
    const now = clock.now();
    const start = Math.max(now, this.#nextStart);
    this.#nextStart = start + 1000 / rate;
    if (start > now) await this.sleep(start - now, signal);
  }

  #refuseDown(action: string, now: number): void {
    if (this.#refusal !== undefined && now < this.#refusal.until) throw this.#refused(action);
    if (!this.isDown(now) || now >= this.#quietUntil) return;
    const { host } = this.#options;
    throw new OclError(
      'OCL_UNREACHABLE',
      `Cannot ${action}: ${host} fails since ${timeOf(this.#failingSince ?? now)}`,
      { hint: `ocl ping ${host}` },
    );
  }

  /** Milliseconds that a request waits before its next try; undefined: no further try makes sense. */
  pause(tries: number, asked: number | undefined, leads: boolean): number | undefined {
    const { clock, retry, random } = this.#options;
    const now = clock.now();
    if (asked === undefined && this.isDown(now)) return undefined;
    const own = asked ?? backoff(tries, retry, random);
    const rest = this.#quietUntil - now;
    if (rest <= 0) return own;
    return Math.max(own, rest + (leads ? 0 : this.#spread(rest)));
  }

  async sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, emit, host } = this.#options;
    const end = clock.now() + ms;
    if (ms > QUIET && end > this.#toldUntil + QUIET && this.#quietUntil > clock.now()) {
      this.#toldUntil = end;
      emit({
        type: 'notice',
        level: 'warning',
        message: `${host} asks for a pause, or fails: it goes on at ${timeOf(end)}`,
      });
    }
    await clock.sleep(ms, signal);
  }

  succeeded(): void {
    this.#failingSince = undefined;
    this.#lastFailed = undefined;
    if (this.#level === 0 || ++this.#successes < SUCCESSES) return;
    this.#level--;
    this.#successes = 0;
  }

  /**
   * @param since the steps that had been made when the request began
   * @param status of the answer; undefined when none came
   * @param asked milliseconds of silence that the host wants
   * @returns whether this failure made a step
   */
  failed(turn: Turn, since: number, status: number | undefined, asked: number | undefined): boolean {
    const { clock, retry, random } = this.#options;
    const now = clock.now();
    this.#successes = 0;
    const news = since >= this.#steps;
    // A host that says how long it wants to be left alone is well, and its word goes before any guess.
    if (asked !== undefined) {
      if (news) this.#steps++;
      this.#lastFailed = turn;
      this.#quietUntil = Math.max(this.#quietUntil, now + asked);
      return news;
    }
    if (status !== 429) {
      // After a time in which nothing was asked nothing is known.
      if (now - this.#lastFailure >= DOWN) this.#failingSince = undefined;
      this.#failingSince ??= now;
      this.#lastFailure = now;
    }
    // What a single request meets may be its own: a broken image must not slow down those of a healthy host.
    const several = status === 429 || this.#level > 0 || (this.#lastFailed !== undefined && this.#lastFailed !== turn);
    this.#lastFailed = turn;
    if (this.isDown(now)) this.#quietUntil = Math.max(this.#quietUntil, now + PROBE);
    if (!several || !news) return false;
    this.#steps++;
    this.#level = Math.min(this.#level + 1, 20);
    this.#quietUntil = Math.max(this.#quietUntil, now + backoff(this.#level, retry, random));
    return true;
  }

  /** The host wants more silence than anybody waits for. Asking it again at once, with all that is still to do, would be no answer to that. */
  refuse(status: number, asked: number, action: string): OclError {
    const now = this.#options.clock.now();
    this.#refusal = {
      until: now + Math.min(asked, PROBE),
      code: status === 429 ? 'OCL_RATE_LIMITED' : 'OCL_UNREACHABLE',
      again: now + asked,
    };
    return this.#refused(action);
  }

  isDown(now: number): boolean {
    return this.#failingSince !== undefined && now - this.#failingSince >= DOWN;
  }

  #refused(action: string): OclError {
    const { code, again } = this.#refusal ?? { code: 'OCL_UNREACHABLE' as const, again: 0 };
    const when = timeOf(again);
    return new OclError(code, `Cannot ${action}: ${this.#options.host} asks for silence until ${when}`, {
      hint: `run the same command again after ${when}`,
    });
  }

  #spread(rest: number): number {
    return Math.round((this.#options.random ?? Math.random)() * Math.min(rest / 2, SPREAD));
  }
}

/** One request with all its tries, among others to the same host. */
export class Turn implements Pauses {
  readonly #turns: Turns;
  readonly #options: TurnsOptions;
  #since = 0;
  #leads = false;

  constructor(turns: Turns, options: TurnsOptions) {
    this.#turns = turns;
    this.#options = options;
  }

  /**
   * One try, when its time has come. What it meets is known to the other requests of the host.
   * @throws what the try threw; OCL_UNREACHABLE, OCL_RATE_LIMITED where the host wants more silence than is waited for
   */
  async run<T extends HttpResponse>(
    action: string,
    attempt: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    await this.#turns.enter(action, signal);
    this.#since = this.#turns.steps;
    let answer: T;
    try {
      answer = await attempt();
    } catch (error) {
      if (isTemporary(error)) this.broke();
      throw error;
    }
    if (!OVERLOADED.has(answer.status)) {
      this.#turns.succeeded();
      return answer;
    }
    const asked = retryAfter(
      header(answer.headers, 'retry-after') ?? header(answer.headers, 'x-retry-after'),
      this.#options.clock.now(),
    );
    if (asked !== undefined && asked > this.#options.retry.patience) {
      await discard(answer);
      throw this.#turns.refuse(answer.status, asked, action);
    }
    this.#leads = this.#turns.failed(this, this.#since, answer.status, asked);
    return answer;
  }

  /** The connection broke, before or in the middle of an answer. */
  broke(): void {
    this.#leads = this.#turns.failed(this, this.#since, undefined, undefined);
  }

  pause(tries: number, asked: number | undefined): number | undefined {
    return this.#turns.pause(tries, asked, this.#leads);
  }

  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return this.#turns.sleep(ms, signal);
  }
}

/** To the second, in the one time zone that all logs can be compared in. */
function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
