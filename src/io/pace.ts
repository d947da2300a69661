import { LIMITS } from '../core/limits.ts';

/** How long an answer may take. */
export interface Pace {
  /** Milliseconds from the request to the last byte of a small answer. */
  readonly total: number;
  /** Milliseconds over which the rate of a content is measured. */
  readonly window: number;
}

export const PACE: Pace = { total: LIMITS.smallAnswer, window: 60_000 };

/**
 * Watches that a body comes at LIMITS.slowestRate at least, window by window: a byte now and then is no progress, though it keeps a
 * connection from being idle. Time in which nothing was wanted does not count.
 */
export class PaceGuard {
  readonly #window: number;
  readonly #tooSlow: (why: string) => void;
  #timer: NodeJS.Timeout;
  #bytes = 0;
  #begun = performance.now();
  #pausedAt: number | undefined;
  #paused = 0;

  /** @param tooSlow is told why, once */
  constructor(window: number, tooSlow: (why: string) => void) {
    this.#window = window;
    this.#tooSlow = tooSlow;
    this.#timer = setTimeout(() => this.#measure(), window);
  }

  received(bytes: number): void {
    this.#bytes += bytes;
  }

  pause(): void {
    this.#pausedAt ??= performance.now();
  }

  resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#paused += performance.now() - this.#pausedAt;
    this.#pausedAt = undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #measure(): void {
    const now = performance.now();
    if (this.#pausedAt !== undefined) {
      this.#paused += now - this.#pausedAt;
      this.#pausedAt = now;
    }
    const active = now - this.#begun - this.#paused;
    // Who waited for this side most of the time has shown nothing of its own pace.
    if (active > this.#window / 2 && this.#bytes < (active / 1000) * LIMITS.slowestRate) {
      this.#tooSlow(`only ${this.#bytes} bytes came within ${Math.round(active / 1000)} s`);
      return;
    }
    this.#begun = now;
    this.#paused = 0;
    this.#bytes = 0;
    this.#timer = setTimeout(() => this.#measure(), this.#window);
  }
}
