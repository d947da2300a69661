import { type Clock } from '../../core/clock.ts';
import { header } from '../../io/httpMessages.ts';
import { retryAfter, type RetryPolicy } from '../../io/retry.ts';
import { type Answer } from './client.ts';

export interface TurnsOptions {
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  /** At most so many requests begin in a second; 0: no bound. */
  readonly requestsPerSecond: number;
}

/** When requests to one host may begin: not while it asked for silence, and at the distance that its settings ask for. */
export class Turns {
  readonly #options: TurnsOptions;
  #quietUntil = 0;
  #nextStart = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  async wait(signal: AbortSignal | undefined): Promise<void> {
    const { clock, requestsPerSecond: rate } = this.#options;
    const now = clock.now();
    const start = Math.max(now, this.#quietUntil, rate > 0 ? this.#nextStart : 0);
    if (rate > 0) this.#nextStart = start + 1000 / rate;
    if (start > now) await clock.sleep(start - now, signal);
  }

  observe(answer: Answer): void {
    if (answer.status !== 429) return;
    const now = this.#options.clock.now();
    const pause = retryAfter(header(answer.headers, 'retry-after'), now);
    if (pause !== undefined && pause <= this.#options.retry.patience)
      this.#quietUntil = Math.max(this.#quietUntil, now + pause);
  }
}
