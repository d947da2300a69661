import { OclError } from '../../core/errors.ts';

export interface AgeLimit {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds; any age when it is not said. */
  readonly maxAge?: number | undefined;
}

/**
 * @param made milliseconds since the epoch; undefined when nothing tells it
 * @throws OCL_STALE for what is too old, and for what does not tell its age
 */
export function refuseStale(name: string, made: number | undefined, { now, maxAge }: AgeLimit): void {
  if (maxAge === undefined) return;
  if (made === undefined)
    throw new OclError('OCL_STALE', `Cannot call ${name} new enough: it does not tell when it was made`);
  if (now - made <= maxAge) return;
  throw new OclError(
    'OCL_STALE',
    `Cannot call ${name} new enough: it was made ${ageText(now - made)} ago, and ${ageText(maxAge)} are allowed`,
    { hint: 'mirror it anew on the side that has a network, and carry it over' },
  );
}

/** `47 min`, `36 h`, `12 days`. */
export function ageText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
