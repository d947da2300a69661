/** What a registry last told about the pulls that it allows. */
export interface PullLimit {
  /** Pulls that a window allows. */
  readonly limit: number | undefined;
  readonly remaining: number;
  /** Seconds that a window lasts. */
  readonly window: number | undefined;
  /** When the window begins anew, in milliseconds since the epoch. */
  readonly resetAt: number | undefined;
  /** When this was told, in milliseconds since the epoch. */
  readonly seenAt: number;
}

/** Whether both are one and the same telling. */
export function isSameTelling(a: PullLimit | undefined, b: PullLimit | undefined): boolean {
  return a?.seenAt === b?.seenAt && a?.remaining === b?.remaining;
}

/** Whether what was told can still hold. What names no end is not carried from run to run. */
export function stillHolds({ resetAt, window, seenAt }: PullLimit, now: number): boolean {
  return now < (resetAt ?? (window === undefined ? 0 : seenAt + window * 1000));
}

/**
 * Pulls that must be left before a copy may begin. With a reserve for others that is the reserve and all that the copy costs; where the
 * window is smaller than that, a full window. Without one a single pull is enough: what is refused on the way goes on later.
 *
 * @param min the reserve; 0 is none
 */
export function pullsNeeded(cost: number, min: number, limit: number | undefined): number {
  if (cost === 0) return 0;
  return min === 0 ? 1 : Math.min(min + cost, limit ?? Number.POSITIVE_INFINITY);
}

/**
 * When it is worth while to ask again, in milliseconds since the epoch: when the window begins anew; else when the share of the window has
 * gone by that brings back what is missing, for windows that slide (as Docker Hub's); else after `retry`.
 *
 * @param missing pulls
 * @param retry milliseconds
 */
export function asksAgainAt(told: PullLimit, missing: number, now: number, retry: number): number {
  const { limit, window, resetAt, seenAt } = told;
  if (resetAt !== undefined && resetAt > now) return resetAt;
  if (window === undefined || limit === undefined || limit === 0) return now + retry;
  const share = Math.min(1, missing / limit);
  return Math.max(now, seenAt + Math.ceil(share * window * 1000));
}
