import { Cron } from 'croner';
import { parseDuration } from '../../core/duration.ts';
import { everyOf, readCronText } from './cronText.ts';
import { instantsOf, wallClock } from './wallClock.ts';

/** When a step runs. Times are milliseconds since the epoch. */
export interface Schedule {
  /** The first time after a moment; undefined: never again. */
  next(after: number): number | undefined;
}

/** Hours that a clock may be put forward or back. */
const LEAP = 3 * 3_600_000;
/** Matches of the wall clock that are looked at for one time: those that a clock put forward leaves out, with some to spare. */
const MAX_TRIES = 1000;

/**
 * The schedule of a step. A time of day that a clock put forward leaves out does not come that day; one that a clock put back has twice
 * comes twice, as in regsync (spec/regsync.md 1.12).
 * @param schedule cron text; when it is empty, `interval` counts
 * @param interval milliseconds
 * @throws ScheduleError
 */
export function readSchedule(schedule: string, interval: number): Schedule | undefined {
  if (schedule.trim() === '') return interval > 0 ? every(everyOf(interval)) : undefined;
  const text = readCronText(schedule, parseDuration);
  return text.kind === 'every' ? every(text.ms) : new CronSchedule(text.fields, text.zone);
}

function every(ms: number): Schedule {
  return { next: (after) => after + ms };
}

class CronSchedule implements Schedule {
  readonly #zone: string | undefined;
  /** Knows no zones: its times are those that a clock on the wall shows, read as UTC. */
  readonly #cron: Cron;

  constructor(fields: string, zone: string | undefined) {
    this.#zone = zone;
    this.#cron = new Cron(fields, { mode: '5-part', utcOffset: 0, paused: true });
  }

  next(after: number): number | undefined {
    let best: number | undefined;
    // croner counts from the second after.
    let wall: Date | null = new Date(wallClock(after, this.#zone) - LEAP);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      wall = this.#cron.nextRun(wall);
      if (wall === null || (best !== undefined && wall.getTime() > wallClock(best, this.#zone) + LEAP)) return best;
      for (const instant of instantsOf(wall.getTime(), this.#zone)) {
        if (instant > after && (best === undefined || instant < best)) best = instant;
      }
    }
    return best;
  }
}
