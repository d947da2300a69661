import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/sync/config.ts';
import { type StepState } from '../../../src/sync/server/state.ts';
import { Timetable, type Batch } from '../../../src/sync/server/timetable.ts';
import { type SyncConfig, type SyncStep } from '../../../src/sync/settings.ts';
import { surroundings } from '../../support/surroundings.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

function config(...steps: string[]): SyncConfig {
  const text = `sync:\n${steps.map((one) => `  - {type: repository, target: t.test/x, ${one}}\n`).join('')}`;
  return loadConfig(text, 'sync.yaml', surroundings()).config;
}

function timetable(file: SyncConfig, options: { catchUp?: boolean; now?: number; lastRun?: number } = {}): Timetable {
  const table = new Timetable({ catchUp: options.catchUp ?? false });
  const { lastRun } = options;
  table.take(file, options.now ?? START, lastRun === undefined ? undefined : () => lastRun);
  return table;
}

/** What is due, as `pass: sources`; what is started ends at once. */
function due(table: Timetable, now: number): readonly string[] {
  return table.due(now).map(({ pass, states }) => `${pass}: ${states.map(({ step }) => step.source).join(' ')}`);
}

function start(batches: readonly Batch[]): void {
  for (const { pass, states } of batches) for (const state of states) state.running = pass;
}

function only(table: Timetable): StepState {
  const [state] = table.states;
  if (state === undefined) throw new Error('there is no step');
  return state;
}

describe('a timetable', () => {
  it('owes each step that has a time a first pass, and names the others', () => {
    const table = timetable(
      config('source: a.test/a, interval: 1h', 'source: a.test/b', "source: a.test/c, schedule: '61 * * * *'"),
    );
    expect(due(table, START)).toEqual(['first: a.test/a']);
    expect(table.ignored.map(({ step, why }) => `${step.source}: ${why}`)).toEqual([
      'a.test/b: it has neither schedule nor interval',
      expect.stringContaining('a.test/c: its schedule "61 * * * *" cannot be used: '),
    ]);
    expect(due(table, START + 1)).toEqual([]);
  });

  it('puts what is due at one moment into one batch', () => {
    const table = timetable(
      config(
        'source: a.test/a, interval: 1h',
        "source: a.test/b, schedule: '0 * * * *'",
        'source: a.test/c, interval: 2h',
      ),
    );
    table.due(START);
    expect(table.next()).toBe(START + HOUR);
    expect(due(table, START + HOUR)).toEqual(['scheduled: a.test/a a.test/b']);
    expect(due(table, START + 2 * HOUR)).toEqual(['scheduled: a.test/a a.test/b a.test/c']);
  });

  it('keeps intervals where they began, however late it is asked', () => {
    const table = timetable(config('source: a.test/a, interval: 1m'));
    table.due(START);
    table.due(START + 60_700);
    expect(only(table).next).toBe(START + 120_000);
  });

  it('leaves out a time that comes while the step runs, and counts it', () => {
    const table = timetable(config('source: a.test/a, interval: 1h'));
    table.due(START);
    start(table.due(START + HOUR));
    expect(due(table, START + 2 * HOUR)).toEqual([]);
    expect(only(table)).toMatchObject({ next: START + 3 * HOUR, totals: { overlaps: 1 } });
    only(table).running = undefined;
    expect(due(table, START + 2 * HOUR + 1)).toEqual([]);
    expect(due(table, START + 3 * HOUR)).toEqual(['scheduled: a.test/a']);
  });

  it('runs a step whose time came during its first pass as soon as that ends', () => {
    const table = timetable(config('source: a.test/a, interval: 1h'));
    start(table.due(START));
    expect(due(table, START + HOUR)).toEqual([]);
    only(table).running = undefined;
    expect(due(table, START + HOUR + 5)).toEqual(['scheduled: a.test/a']);
    expect(only(table).totals.overlaps).toBe(0);
  });

  it.each([
    ['without catch-up leaves it out and counts it', false, [], 1],
    ['with catch-up runs it once', true, ['catch-up: a.test/a'], 0],
  ])('after a machine has slept over a time: %s', (_, catchUp, batches, missed) => {
    const table = timetable(config('source: a.test/a, interval: 1h'), { catchUp });
    table.due(START);
    expect(due(table, START + 5.5 * HOUR)).toEqual(batches);
    expect(only(table)).toMatchObject({ next: START + 6.5 * HOUR, totals: { missed } });
    expect(due(table, START + 5.5 * HOUR)).toEqual([]);
  });

  it.each([
    ['a time that went by since the last run is made up for', 'catch-up: a.test/a', 26, START + 3 * HOUR],
    ['none went by, and the next is counted from the last run', 'first: a.test/a', 2, START + 3 * HOUR],
  ])('after a start with catch-up: %s', (_, batch, ago, next) => {
    const table = timetable(config("source: a.test/a, schedule: 'TZ=UTC 0 3 * * *'"), {
      catchUp: true,
      lastRun: START - ago * HOUR,
    });
    expect(due(table, START)).toEqual([batch]);
    expect(only(table).next).toBe(next);
  });

  it('counts an interval over a restart, where it may catch up', () => {
    const table = timetable(config('source: a.test/a, interval: 6h'), { catchUp: true, lastRun: START - 4 * HOUR });
    expect(due(table, START)).toEqual(['first: a.test/a']);
    expect(only(table).next).toBe(START + 2 * HOUR);
  });

  it('looks anew when the clock was put back', () => {
    const table = timetable(config('source: a.test/a, interval: 1h'));
    table.due(START);
    table.due(START - 24 * HOUR);
    expect(only(table).next).toBe(START - 23 * HOUR);
  });

  /** Every moment at which a step is due, as the hands of a clock over two days of change. */
  it.each([
    ['forward: a time that does not exist is left out', '30 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-30T00:30']],
    [
      'back: a time that comes twice runs twice',
      '30 2 * * *',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-26T01:30'],
    ],
    [
      'forward: every six hours',
      '0 */6 * * *',
      '2026-03-28T22:00:00Z',
      'T23:00 T04:00 T10:00 T16:00 T22:00'.split(' '),
    ],
  ])('when clocks go %s', (_, schedule, from, times) => {
    const begin = Date.parse(from);
    const table = timetable(config(`source: a.test/a, schedule: 'TZ=Europe/Berlin ${schedule}'`), { now: begin });
    table.due(begin);
    const ran: string[] = [];
    for (let now = begin; ran.length < times.length; now = table.next() ?? Number.NaN)
      if (table.due(now).length > 0) ran.push(new Date(now).toISOString());
    expect(ran).toEqual(times.map((time) => expect.stringContaining(time)));
  });
});

describe('a timetable that takes another file', () => {
  const one = 'source: a.test/a, interval: 1h';

  it('keeps what it knows of a step that stays, whatever line it moves to', () => {
    const table = timetable(config(one));
    table.due(START);
    const state = only(table);
    state.totals.bytes = 7;
    table.take(config('source: a.test/new, interval: 1h', one), START + 60_000);
    expect(table.states.at(1)).toBe(state);
    expect(state).toMatchObject({ next: START + HOUR, totals: { bytes: 7 } });
    expect(state.step.place.line).toBe(3);
    expect(due(table, START + 60_000)).toEqual(['first: a.test/new']);
  });

  it.each([
    ['another interval is counted from now, without a pass', 'source: a.test/a, interval: 2h', [], 2],
    [
      'another filter is owed a pass',
      'source: a.test/a, interval: 1h, tags: {allow: [v1]}',
      ['first: a.test/a'],
      1 - 1 / 60,
    ],
  ])('%s', (_, changed, batches, hours) => {
    const table = timetable(config(one));
    table.due(START);
    const now = START + 60_000;
    table.take(config(changed), now);
    expect(due(table, now)).toEqual(batches);
    expect(only(table).next).toBe(now + hours * HOUR);
  });

  it('does not run a step beside itself that was taken away and came back', () => {
    const table = timetable(config(one));
    start(table.due(START));
    const state = only(table);
    table.take(config('source: a.test/other, interval: 1h'), START + 1);
    table.take(config(one), START + 2);
    expect(only(table)).toBe(state);
    expect(due(table, START + 3)).toEqual([]);
  });

  it('works out a schedule that thousands share once', () => {
    const steps = Array.from({ length: 3000 }, (_, i): string => `source: a.test/s${i}, schedule: '0 3 * * *'`);
    const file = config(...steps);
    const table = timetable(file);
    expect(new Set(table.states.map(({ schedule }) => schedule)).size).toBe(1);
    const [batch] = table.due(START);
    expect(new Set(batch?.states.map(({ step }: { step: SyncStep }) => step)).size).toBe(3000);
  });
});
