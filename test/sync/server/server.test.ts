import { describe, expect, it } from 'vitest';
import { OclError } from '../../../src/core/errors.ts';
import { isAlive, isReady } from '../../../src/sync/server/view.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { image, TestClock, World } from '../world.ts';
import { startServer, until, type Bench, type BenchOptions } from './world.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

function steps(...all: string[]): string {
  return `defaults: {parallel: 2}\nsync:\n${all.map((one) => `  - {type: repository, ${one}}\n`).join('')}`;
}

function step(name: string, when = 'interval: 1h'): string {
  return `source: s.test/${name}, target: t.test/${name}, ${when}`;
}

async function worldWith(...names: string[]): Promise<World> {
  const world = new World();
  for (const name of names) await world.put(`s.test/${name}`, '1', image(name));
  return world;
}

/** A door that opens when it is told to; who waits goes when the signal comes. */
class Gate {
  readonly #ways = new Set<() => void>();
  #isOpen = false;
  isEntered = false;

  open(): void {
    this.#isOpen = true;
    for (const go of this.#ways) go();
  }

  async pass(signal?: AbortSignal): Promise<void> {
    this.isEntered = true;
    if (this.#isOpen) return;
    await new Promise<void>((resolve, reject) => {
      this.#ways.add(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }
}

async function serve(text: string, options: Partial<BenchOptions> = {}): Promise<Bench> {
  const bench = startServer(text, { clock: new TestClock(), world: options.world ?? new World(), ...options });
  await until(() => bench.server.view.phase !== 'starting');
  return bench;
}

describe('a server', () => {
  it('brings what is missing first and what has changed when its time comes', async () => {
    const clock = new TestClock();
    const world = await worldWith('a');
    await world.put('s.test/a', '2', image('new'));
    await world.put('t.test/a', '2', image('old'));
    const bench = await serve(steps(step('a')), { clock, world });
    await until(() => bench.events.some(({ type }) => type === 'server.done'));
    expect(bench.runs.map(({ how }) => how.missing)).toEqual([true]);
    expect(await world.tag('t.test/a', '1')).toBeDefined();
    expect((await world.tag('t.test/a', '2'))?.digest).not.toBe((await world.tag('s.test/a', '2'))?.digest);

    for (let minutes = 0; minutes < 60; minutes++) await clock.advance(MINUTE);
    await until(() => bench.events.filter(({ type }) => type === 'server.done').length === 2);
    expect(bench.runs.map(({ how, at }) => [how.missing, at])).toEqual([
      [true, 0],
      [false, HOUR],
    ]);
    expect((await world.tag('t.test/a', '2'))?.digest).toBe((await world.tag('s.test/a', '2'))?.digest);
    expect(bench.server.view.states[0]).toMatchObject({
      running: undefined,
      lastSuccess: HOUR,
      totals: { runs: { ok: 2, failed: 0 }, images: { copied: 2, current: 2 } },
    });
    expect(await bench.stop()).toBe(true);
    expect(bench.closed).toEqual(['one.yaml']);
  });

  it('asks once for a source that several steps share which are due together', async () => {
    const world = await worldWith('a');
    const to = (name: string): string => `source: s.test/a, target: t.test/${name}, interval: 1h`;
    const bench = await serve(steps(to('x'), to('y'), to('z')), { world });
    await until(() => bench.events.some(({ type }) => type === 'server.done'));
    expect(bench.runs.map(({ sources }) => sources.length)).toEqual([3]);
    expect(world.callsOf('tags')).toEqual([]);
    expect(world.callsOf('source').filter((name) => name === 's.test/a')).toHaveLength(1);
    expect(world.callsOf('resolve').filter((name) => name.startsWith('s.test/a'))).toHaveLength(1);
    await bench.stop();
  });

  it('runs at the times of its schedules over days, also where clocks change', async () => {
    const clock = fakeClock(Date.parse('2026-10-23T00:00:00Z'));
    const ends = Date.parse('2026-10-27T06:00:00Z');
    const done = new Gate();
    const bench = await serve(
      steps(
        step('night', "schedule: 'TZ=Europe/Berlin 30 2 * * *'"),
        step('six', 'interval: 6h'),
        step('weekly', "schedule: 'TZ=UTC 15 12 * * sun'"),
      ),
      {
        clock,
        run: ({ at }) => {
          if (at >= ends) done.open();
          return Promise.resolve();
        },
      },
    );
    await done.pass();
    await bench.stop();
    const times = (name: string): readonly string[] =>
      bench.runs
        .filter(({ sources, how, at }) => !how.missing && at < ends && sources.includes(`s.test/${name}`))
        .map(({ at }) => new Date(at).toISOString().slice(8, 16));
    // Until the 25th of October Berlin is two hours ahead of UTC, and on that day half past two comes twice.
    expect(times('night')).toEqual('23T00:30 24T00:30 25T00:30 25T01:30 26T01:30 27T01:30'.split(' '));
    expect(times('weekly')).toEqual(['25T12:15']);
    expect(times('six')).toHaveLength(16);
    expect(bench.server.view.states.map(({ totals }) => totals.missed + totals.overlaps)).toEqual([0, 0, 0]);
  });

  it('does not wait for a step that takes long with the next run of another', async () => {
    const clock = new TestClock();
    const world = await worldWith('slow', 'quick');
    const gate = new Gate();
    world.hooks.set('open s.test/slow', () => gate.pass());
    const bench = await serve(steps(step('slow'), step('quick')), { clock, world });
    await until(() => gate.isEntered && bench.server.view.states[1]?.running === undefined);
    expect(bench.server.view.states[0]?.running).toBe('first');
    await world.put('s.test/quick', '2', image('later'));
    for (let minutes = 0; minutes < 61; minutes++) await clock.advance(MINUTE);
    await until(() => bench.server.view.states[1]?.totals.runs.ok === 2);
    expect(await world.tag('t.test/quick', '2')).toBeDefined();
    expect(bench.runs.map(({ sources }) => sources)).toEqual([['s.test/slow', 's.test/quick'], ['s.test/quick']]);

    // Its own time has come meanwhile: it runs as soon as it can.
    gate.open();
    await until(() => bench.server.view.states[0]?.totals.runs.ok === 2);
    expect(bench.runs.at(-1)).toMatchObject({ sources: ['s.test/slow'], how: { missing: false } });
    await bench.stop();
  });

  it('holds all its runs together to `parallel` images', async () => {
    const clock = new TestClock();
    const world = await worldWith('a', 'b', 'c');
    const gates = ['a', 'b', 'c'].map((name) => {
      const gate = new Gate();
      world.hooks.set(`open s.test/${name}`, () => gate.pass());
      return gate;
    });
    // parallel is 2; the third starts by itself, a minute later.
    const bench = await serve(steps(step('a'), step('b')), { clock, world });
    await until(() => gates.slice(0, 2).every(({ isEntered }) => isEntered));
    bench.file = { name: 'two.yaml', text: steps(step('a'), step('b'), step('c')) };
    await bench.server.reload();
    await until(() => bench.runs.length === 2);
    for (let turn = 0; turn < 50; turn++) await clock.advance(0);
    expect(gates[2]?.isEntered).toBe(false);
    gates[0]?.open();
    await until(() => gates[2]?.isEntered === true);
    for (const gate of gates) gate.open();
    await until(() => bench.events.filter(({ type }) => type === 'server.done').length === 2);
    await bench.stop();
  });

  it('goes on after failures, and tells them by step', async () => {
    const world = await worldWith('good');
    world.faults.set('source s.test/bad', () => new OclError('OCL_UNREACHABLE', 'Cannot reach s.test: it is down'));
    const bench = await serve(steps(step('bad'), step('good')), { world });
    await until(() => bench.events.some(({ type }) => type === 'server.done'));
    expect(bench.server.view.states[0]).toMatchObject({
      lastSuccess: undefined,
      totals: { runs: { failed: 1 }, images: { failed: 1 } },
      last: { result: 'failed', failures: [{ image: 's.test/bad', code: 'OCL_UNREACHABLE' }] },
    });
    expect(bench.server.view.states[1]).toMatchObject({ last: { result: 'ok', copied: 1 } });
    expect(await bench.stop()).toBe(true);
  });

  it('counts a run that breaks as a failure of its steps', async () => {
    const bench = await serve(steps(step('a')), {
      run: () => Promise.reject(new OclError('OCL_IO', 'Cannot read the disk')),
    });
    await until(() => bench.events.some(({ type }) => type === 'server.done'));
    expect(bench.events.at(-1)).toMatchObject({ type: 'server.done', error: { code: 'OCL_IO' } });
    expect(bench.server.view.states[0]?.last).toMatchObject({
      result: 'failed',
      failures: [{ image: 'one.yaml:3', code: 'OCL_IO', message: 'Cannot read the disk' }],
    });
    await bench.stop();
  });

  it('ends after the first failure when it is told to', async () => {
    const world = await worldWith('good');
    world.faults.set('source s.test/bad', () => new OclError('OCL_UNREACHABLE', 'Cannot reach s.test: it is down'));
    const bench = await serve(steps(step('bad'), step('good')), { world, abortOnError: true });
    expect(await bench.ended).toBe(false);
  });

  it('refuses a file of which nothing ever runs', async () => {
    const bench = startServer(steps(step('a', 'fastCheck: true')), { clock: new TestClock(), world: new World() });
    await expect(bench.ended).rejects.toMatchObject({
      code: 'OCL_CONFIG_INVALID',
      message: expect.stringContaining('that of line 3: it has neither schedule nor interval') as string,
    });
    expect(bench.closed).toEqual(['one.yaml']);
  });

  it('names steps without a time, and runs the others', async () => {
    const bench = await serve(steps(step('a', 'fastCheck: true'), step('b')), { world: await worldWith('b') });
    expect(bench.events[0]).toMatchObject({ type: 'server.ignored', ignored: { step: { source: 's.test/a' } } });
    expect(bench.server.view.states).toHaveLength(1);
    await bench.stop();
  });

  it('is alive as long as it looks at the clock', async () => {
    const clock = new TestClock();
    const bench = startServer(steps(step('a', 'interval: 100h')), {
      clock,
      world: new World(),
      run: () => Promise.resolve(),
    });
    expect(isReady(bench.server.view, clock.now())).toBe(false);
    expect(isAlive(bench.server.view, clock.now())).toBe(true);
    await until(() => bench.server.view.phase === 'running');
    for (let minutes = 0; minutes < 10; minutes++) await clock.advance(MINUTE / 2);
    const { view } = bench.server;
    expect(isAlive(view, clock.now())).toBe(true);
    expect(isReady(view, clock.now())).toBe(true);
    expect(isAlive(view, view.beatAt + MINUTE)).toBe(false);
    await bench.stop();
    expect(isReady(view, clock.now())).toBe(false);
  });
});

describe('a server that reads its file anew', () => {
  it('lets what is under way go on with the old file, and closes that after it', async () => {
    const gate = new Gate();
    const bench = await serve(steps(step('a')), {
      run: async ({ file }) => await (file === 'one.yaml' ? gate.pass() : Promise.resolve()),
    });
    await until(() => gate.isEntered);
    bench.file = { name: 'two.yaml', text: steps(step('a'), step('b')) };
    await bench.server.reload();
    await until(() => bench.runs.length === 2);
    expect(bench.runs[1]).toMatchObject({ file: 'two.yaml', sources: ['s.test/b'], how: { missing: true } });
    expect(bench.closed).toEqual([]);
    gate.open();
    await until(() => bench.closed.length === 1);
    expect(bench.closed).toEqual(['one.yaml']);
    expect(bench.server.view).toMatchObject({ file: 'two.yaml', reload: { error: undefined }, reloads: { ok: 1 } });
    await bench.stop();
    expect(bench.closed).toEqual(['one.yaml', 'two.yaml']);
  });

  it.each([
    ['is no YAML', 'sync: [', 'OCL_CONFIG_INVALID'],
    ['would run nothing', 'sync: []', 'OCL_CONFIG_INVALID'],
  ])('keeps the old one when the new one %s, and says so', async (_, text, code) => {
    const clock = new TestClock();
    const bench = await serve(steps(step('a')), { clock, run: () => Promise.resolve() });
    bench.file = { name: 'two.yaml', text };
    await bench.server.reload();
    expect(bench.server.view).toMatchObject({ file: 'one.yaml', reload: { error: { code } }, reloads: { failed: 1 } });
    expect(bench.events.at(-1)).toMatchObject({ type: 'server.reload', error: { code } });
    for (let minutes = 0; minutes < 61; minutes++) await clock.advance(MINUTE);
    expect(bench.runs.map(({ file }) => file)).toEqual(['one.yaml', 'one.yaml']);
    expect(isReady(bench.server.view, clock.now())).toBe(true);
    await bench.stop();
  });
});

describe('a server that is stopped', () => {
  it('lets the images under way finish, and begins no others', async () => {
    const world = await worldWith('a');
    for (const tag of ['2', '3', '4', '5', '6']) await world.put('s.test/a', tag, image(tag));
    const gate = new Gate();
    world.hooks.set('open s.test/a', () => gate.pass());
    const bench = await serve(steps(step('a')), { world });
    await until(() => gate.isEntered);
    const stopped = bench.stop();
    expect(bench.server.view.phase).toBe('stopping');
    gate.open();
    expect(await stopped).toBe(true);
    // Two at a time are under way, and they are there in the end.
    expect(await world.tags('t.test/a')).toEqual(['1', '2']);
    expect(bench.events.map(({ type }) => type)).toEqual(['server.run', 'server.stopping', 'server.done']);
    expect(bench.events.at(-1)).toMatchObject({ copied: 2, untried: 4, failed: 0 });
    expect(bench.server.view.states[0]?.last).toMatchObject({ result: 'stopped', copied: 2 });
  });

  it('ends what does not finish within the grace', async () => {
    const clock = new TestClock();
    const gate = new Gate();
    const bench = await serve(steps(step('a')), {
      clock,
      graceMs: 5000,
      run: async ({ how }) => await gate.pass(how.signal),
    });
    await until(() => gate.isEntered);
    const stopped = bench.stop();
    await until(() => bench.events.at(-1)?.type === 'server.stopping');
    await clock.advance(4999);
    expect(bench.events.at(-1)).toMatchObject({ type: 'server.stopping', runs: 1, graceMs: 5000 });
    await clock.advance(1);
    expect(await stopped).toBe(true);
    expect(bench.events.slice(-2)).toMatchObject([
      { type: 'server.aborting' },
      { type: 'server.done', error: { code: 'OCL_CANCELLED' } },
    ]);
    expect(bench.server.view).toMatchObject({ phase: 'stopped', states: [{ last: { result: 'stopped', failed: 0 } }] });
  });

  it('does not wait while there are but lists to be lost', async () => {
    const world = await worldWith('a');
    const gate = new Gate();
    world.hooks.set('tags s.test/a', () => gate.pass());
    world.hooks.set('source s.test/a', () => gate.pass());
    const bench = await serve(steps(step('a')), { world });
    await until(() => gate.isEntered);
    const stopped = bench.stop();
    await until(() => bench.events.at(-1)?.type === 'server.aborting');
    gate.open();
    expect(await stopped).toBe(true);
    expect(await world.tags('t.test/a')).toEqual([]);
  });

  it('starts nothing when it was stopped before it began', async () => {
    const bench = startServer(steps(step('a')), { clock: new TestClock(), world: new World() });
    expect(await bench.stop()).toBe(true);
    expect(bench.runs).toEqual([]);
  });
});
