import { type Clock } from '../../core/clock.ts';
import { header, type HttpResponse } from '../../io/httpMessages.ts';
import { retryAfter } from '../../io/retry.ts';
import { parseRateLimit, type RateLimit } from './rateLimit.ts';

/** Milliseconds that a number is believed when nothing says how long its window lasts. */
const UNTOLD_WINDOW = 60 * 60_000;
/** Milliseconds; who asks for more silence than that is mistaken. */
const LONGEST_SILENCE = 7 * 86_400_000;

/** The account of one host's limits, kept over its answers: most of them tell nothing, which changes nothing. */
export class RateLimits {
  readonly #clock: Clock;
  #told: RateLimit | undefined;
  /** A host that answered 429 wants silence until then. Its other limits go on below that. */
  #silence: { readonly seenAt: number; readonly until: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reads an answer of the host itself. */
  observe({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>): void {
    const now = this.#clock.now();
    const told = parseRateLimit(headers, now);
    if (told !== undefined && !isOvertaken(told, this.#told, now)) this.#told = told;
    if (status !== 429) return;
    const pause = retryAfter(header(headers, 'retry-after') ?? header(headers, 'x-retry-after'), now);
    if (pause !== undefined && pause <= LONGEST_SILENCE) this.#silence = { seenAt: now, until: now + pause };
  }

  /** What holds now; undefined: unknown, be it that nothing was told or that its window is over. */
  get current(): RateLimit | undefined {
    const now = this.#clock.now();
    const told = this.#told !== undefined && now < expiry(this.#told) ? this.#told : undefined;
    const silence = this.#silence;
    if (silence === undefined || silence.until <= now) return told;
    return {
      limit: told?.limit,
      remaining: 0,
      window: told?.window,
      resetAt: Math.max(silence.until, told?.remaining === 0 ? (told.resetAt ?? 0) : 0),
      source: told?.source,
      seenAt: silence.seenAt,
    };
  }
}

/** Milliseconds: ends of windows are told in whole seconds. */
const SAME_END = 1500;

/** Of answers under way at once the earlier one may come later: until a window ends, what is left in it grows less alone. */
function isOvertaken(told: RateLimit, before: RateLimit | undefined, now: number): boolean {
  if (before?.resetAt === undefined || told.resetAt === undefined || now >= before.resetAt) return false;
  const sameWindow = Math.abs(told.resetAt - before.resetAt) <= SAME_END;
  return (
    sameWindow && told.limit === before.limit && told.source === before.source && told.remaining > before.remaining
  );
}

function expiry({ resetAt, window, seenAt }: RateLimit): number {
  return resetAt ?? seenAt + (window === undefined ? UNTOLD_WINDOW : window * 1000);
}
