import { OclError } from '../../core/errors.ts';

export interface AgeLimit {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds; any age when it is not said. */
  readonly maxAge?: number | undefined;
}

/**
 * @param made milliseconds since the epoch; undefined when nothing tells it
 * @throws OCL_STALE for what is too old, for what does not tell its age, and for what is dated a day or more ahead
 */
export function refuseStale(name: string, made: number | undefined, { now, maxAge }: AgeLimit): void {
  if (maxAge === undefined) return;
  if (made === undefined)
    throw new OclError('OCL_STALE', `Cannot call ${name} new enough: it does not tell when it was made`);
  if (made - now > CLOCKS_DIFFER)
    throw new OclError(
      'OCL_STALE',
      `Cannot call ${name} new enough: it says that it was made at ${new Date(made).toISOString()}, which is still to come`,
      { hint: 'see whether the clock of this machine is right:  date -u' },
    );
  if (now - made <= maxAge) return;
  throw new OclError(
    'OCL_STALE',
    `Cannot call ${name} new enough: it was made ${ageText(now - made)} ago, and ${ageText(maxAge)} are allowed`,
    { hint: 'mirror it anew on the side that has a network, and carry it over' },
  );
}

/** Milliseconds by which clocks on both sides of a gap may differ. */
const CLOCKS_DIFFER = 86_400_000;

/** `12 days ago`. */
export function agoText(ms: number): string {
  return -ms > CLOCKS_DIFFER ? `in ${ageText(-ms)}, by its date` : `${ageText(ms)} ago`;
}

/** `47 min`, `36 h`, `12 days`; `-12 days` for what is still to come. */
export function ageText(ms: number): string {
  if (-ms > CLOCKS_DIFFER) return `-${ageText(-ms)}`;
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
