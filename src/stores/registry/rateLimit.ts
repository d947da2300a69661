import { header, type HttpHeaders } from '../../io/httpMessages.ts';

/** What a registry last told about its limits. */
export interface RateLimit {
  /** Requests (pulls, at Docker Hub) that a window allows. */
  readonly limit: number | undefined;
  /** Requests that are left. */
  readonly remaining: number;
  /** Seconds that a window lasts. */
  readonly window: number | undefined;
  /** When the window begins anew, in milliseconds since the epoch. */
  readonly resetAt: number | undefined;
  /** When this was told, in milliseconds since the epoch. */
  readonly seenAt: number;
}

/** `RateLimit-Limit: 100;w=21600`, `RateLimit-Remaining`, `RateLimit-Reset` (seconds); undefined when nothing is said about what remains. */
export function parseRateLimit(headers: HttpHeaders, now: number): RateLimit | undefined {
  const remaining = read(headers, 'remaining');
  if (remaining === undefined) return undefined;
  const limit = read(headers, 'limit');
  const reset = read(headers, 'reset');
  return {
    limit: limit?.count,
    remaining: remaining.count,
    window: remaining.window ?? limit?.window,
    resetAt: reset && resetTime(reset.count, now),
    seenAt: now,
  };
}

interface Quota {
  readonly count: number;
  readonly window: number | undefined;
}

function read(headers: HttpHeaders, name: string): Quota | undefined {
  const value = header(headers, `ratelimit-${name}`) ?? header(headers, `x-ratelimit-${name}`);
  const match = /^\s*(\d{1,15})\s*(?:[;,]\s*(?:.*?;\s*)?w=(\d{1,9}))?/.exec(value ?? '');
  if (match === null) return undefined;
  return { count: Number(match[1]), window: match[2] === undefined ? undefined : Number(match[2]) };
}

/** Seconds from now as the IETF draft has it; what is too large for that is a date in seconds, as GitHub writes it. */
function resetTime(seconds: number, now: number): number {
  return seconds > 1_000_000_000 ? seconds * 1000 : now + seconds * 1000;
}
