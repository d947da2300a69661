import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readSchedule } from '../../src/sync/schedule/schedule.ts';
import { ScheduleError } from '../../src/sync/schedule/cronText.ts';

type Row =
  | { readonly spec: string; readonly bad: true }
  | {
      readonly spec: string;
      readonly bad?: undefined;
      readonly zone: string;
      readonly from: string;
      readonly next: readonly string[];
    };

/** Written by a Go program with robfig/cron, which regsync uses: the six runs after a moment, near the days on which clocks change. */
const ROWS = JSON.parse(
  readFileSync(new URL('../../testdata/sync/schedules.json', import.meta.url), 'utf8'),
) as readonly Row[];

/** The runs after a moment, as many as the row has and one more where the row ends early. */
function runs(spec: string, from: string, count: number): readonly string[] {
  const schedule = readSchedule(spec, 0);
  const found: string[] = [];
  for (let at = Date.parse(from); found.length < count;) {
    const next = schedule?.next(at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().replace('.000', ''));
    at = next;
  }
  return found;
}

describe('schedules run when robfig/cron would', () => {
  const good = ROWS.filter((row) => row.bad === undefined);
  const specs = [...new Set(good.map(({ spec }) => spec))];
  it.each(specs)('%j', (spec) => {
    for (const { zone, from, next } of good.filter((row) => row.spec === spec)) {
      const zoned = /TZ=/.test(spec) ? spec : `TZ=${zone} ${spec}`;
      expect(runs(zoned, from, 6), `${zoned} after ${from}`).toEqual(next);
    }
  });
});

describe('what it refuses is refused', () => {
  it.each(ROWS.filter(({ bad, spec }) => bad === true && spec !== '').map(({ spec }) => spec))('%j', (spec) => {
    expect(() => readSchedule(spec, 0)).toThrow(ScheduleError);
  });
});

it('an interval counts when there is no schedule', () => {
  expect(readSchedule(' ', 90_500)?.next(1000)).toBe(91_000);
  expect(readSchedule('', 10)?.next(0)).toBe(1000);
  expect(readSchedule('', 0)).toBeUndefined();
});

it('without a zone the clock of this machine counts', () => {
  const before = process.env['TZ'];
  process.env['TZ'] = 'Asia/Kolkata';
  try {
    expect(runs('0 9 * * *', '2026-06-01T00:00:00Z', 1)).toEqual(['2026-06-01T03:30:00Z']);
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
});
