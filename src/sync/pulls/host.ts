import { type Clock } from '../../core/clock.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { asksAgainAt, isSameTelling, pullsNeeded, stillHolds, type PullLimit } from './limit.ts';

/** Milliseconds that one copy waits at most; a registry that still refuses then, refuses for good. */
const PATIENCE = 24 * 3_600_000;
/** Milliseconds. The first wait is as short as the registry says; who waits again and again waits longer. */
const SHORTEST_WAIT = 1000;
const LONGEST_FLOOR = 5 * 60_000;

export interface HostPullsOptions {
  readonly host: string;
  readonly clock: Clock;
  readonly emit: Emit;
  /** What the registry last told; undefined: unknown. */
  readonly told: () => PullLimit | undefined;
  /** What it told an earlier run: another login may have other limits, so it is believed for one short wait. */
  readonly remembered?: PullLimit | undefined;
  /** Something was learned that a later run should know. */
  readonly learned?: ((limit: PullLimit) => void) | undefined;
}

export interface Admission {
  readonly image: string;
  /** Pulls that are kept for others; 0 is none. */
  readonly min: number;
  /** Milliseconds between two questions, when nothing else says how long to wait. */
  readonly retry: number;
  /** Asks the registry for what is left, in a way that costs nothing. */
  readonly ask: () => Promise<unknown>;
  readonly signal?: AbortSignal | undefined;
}

/** Pulls that are set aside for a copy under way, until it ends. */
export interface Hold {
  release(): void;
}

/**
 * The account of one registry, shared by all copies from it: what was told, less what copies under way will take. Copies with the same
 * reserve go one after the other, in their order; those with a smaller reserve may pass those with a larger one.
 */
export class HostPulls {
  readonly #options: HostPullsOptions;
  readonly #lanes = new Map<number, { length: number; last: Promise<unknown> }>();
  readonly #released = new Set<() => void>();
  #reserved = 0;
  /** Pulls that were made since the registry told anything. */
  #untold = 0;
  #base: PullLimit | undefined;
  /** Told before a wait, and not repeated after it. */
  #outdated: PullLimit | undefined;
  #refusedUntil = 0;

  constructor(options: HostPullsOptions) {
    this.#options = options;
  }

  /** What is believed of the registry's limits now; undefined: unknown. */
  get limit(): PullLimit | undefined {
    const told = this.#told();
    if (!isSameTelling(told, this.#base)) {
      this.#base = told;
      this.#untold = 0;
    }
    return isSameTelling(told, this.#outdated) ? undefined : told;
  }

  #told(): PullLimit | undefined {
    const { told, remembered, clock } = this.#options;
    return told() ?? (remembered !== undefined && stillHolds(remembered, clock.now()) ? remembered : undefined);
  }

  /** Sets pulls aside when that needs no wait. */
  tryReserve(cost: number, { min }: Admission): Hold | undefined {
    if (cost > 0 && (this.#lanes.get(min)?.length ?? 0) > 0) return undefined;
    return this.#missing(cost, min) > 0 ? undefined : this.#hold(cost);
  }

  /** Waits until so many pulls can be set aside. @throws OCL_RATE_LIMITED after a day; the signal's reason */
  async reserve(cost: number, admission: Admission): Promise<Hold> {
    const lane = this.#lanes.get(admission.min) ?? { length: 0, last: Promise.resolve() };
    this.#lanes.set(admission.min, lane);
    lane.length++;
    const turn = lane.last.then(() => this.#reserveFirst(cost, admission));
    lane.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      lane.length--;
    }
  }

  /** The registry refused a pull although nothing said that it would. */
  refused(retry: number): void {
    const { clock } = this.#options;
    if (this.#missing(1, 0) === 0) this.#refusedUntil = clock.now() + retry;
  }

  async #reserveFirst(cost: number, admission: Admission): Promise<Hold> {
    const { clock, emit, host } = this.#options;
    const { image, min, retry, signal } = admission;
    const started = clock.now();
    let waits = 0;
    for (;;) {
      signal?.throwIfAborted();
      const missing = this.#missing(cost, min);
      if (missing === 0) break;
      const told = this.limit;
      // Enough is left once the copies under way have taken less than was set aside for them, or have ended.
      if (this.#refusedUntil <= clock.now() && missing <= this.#reserved) {
        await this.#release();
        continue;
      }
      const floor = Math.min(LONGEST_FLOOR, SHORTEST_WAIT * 2 ** waits);
      const until = Math.max(this.#asksAgainAt(told, missing, retry), clock.now() + floor);
      if (until - started > PATIENCE) throw this.#refusal(image, until, min);
      waits++;
      if (told !== undefined) this.#options.learned?.(told);
      emit({ type: 'wait', host, until, remaining: told?.remaining, limit: told?.limit, min });
      await clock.sleep(until - clock.now(), signal);
      await this.#ask(admission, told);
    }
    const hold = this.#hold(cost);
    if (waits > 0) emit({ type: 'wait.over', host, min });
    return hold;
  }

  /** Pulls that are wanting; 0: it may begin. */
  #missing(cost: number, min: number): number {
    if (cost === 0) return 0;
    if (this.#refusedUntil > this.#options.clock.now()) return 1;
    const told = this.limit;
    if (told === undefined) return 0;
    const left = told.remaining - this.#untold - this.#reserved;
    return Math.max(0, pullsNeeded(cost, min, told.limit) - left);
  }

  #asksAgainAt(told: PullLimit | undefined, missing: number, retry: number): number {
    const now = this.#options.clock.now();
    if (this.#refusedUntil > now) return this.#refusedUntil;
    if (told === undefined) return now + retry;
    // Copies under way have ended by then, and most of what is set aside for them may be counted already.
    const at = asksAgainAt(told, missing - this.#reserved, now, retry);
    return told === this.#options.remembered ? Math.min(at, now + retry) : at;
  }

  /** A registry that cannot be asked is found out by the copy itself. */
  async #ask({ ask, signal }: Admission, before: PullLimit | undefined): Promise<void> {
    try {
      await ask();
    } catch (error) {
      if (isCode(error, 'OCL_CANCELLED') || signal?.aborted === true) throw error;
    }
    // Nobody waits twice for what the registry does not repeat.
    if (isSameTelling(this.#told(), before)) this.#outdated = before;
  }

  #hold(cost: number): Hold {
    const before = this.limit;
    this.#reserved += cost;
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#reserved -= cost;
        const told = this.limit;
        if (told !== undefined && isSameTelling(told, before)) this.#untold += cost;
        if (told !== undefined) this.#options.learned?.(told);
        for (const wake of this.#released) wake();
        this.#released.clear();
      },
    };
  }

  #release(): Promise<void> {
    return new Promise((resolve) => void this.#released.add(resolve));
  }

  #refusal(image: string, until: number, min: number): OclError {
    const { host } = this.#options;
    const when = `${new Date(until).toISOString().slice(0, 19)}Z`;
    return new OclError(
      'OCL_RATE_LIMITED',
      `Cannot copy ${image}: ${host} allows no more pulls${min > 0 ? ` beyond the ${min} that are kept for others` : ''} before ${when}`,
      { hint: `ocl ratelimit ${host}`, side: 'source' },
    );
  }
}
