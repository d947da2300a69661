import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type OclEvent } from '../../../src/core/events.ts';
import { ConnectionError } from '../../../src/io/connectionError.ts';
import { type HttpResponse } from '../../../src/io/httpMessages.ts';
import { RETRY, retrying } from '../../../src/io/retry.ts';
import { Turns, type TurnsOptions } from '../../../src/stores/registry/turns.ts';
import { fakeClock, type FakeClock } from '../../support/fakeClock.ts';
import { reply, type Handler } from '../../support/scriptedServer.ts';
import { cleanUp, connectTo, listAll, repository, scripted, serve } from './harness.ts';

afterEach(cleanUp);

const START = Date.UTC(2026, 0, 1, 12, 0, 0);

interface Host {
  readonly turns: Turns;
  readonly clock: FakeClock;
  readonly events: OclEvent[];
  /** One request with all its tries; each outcome is a status, a status with Retry-After, or a broken connection. */
  readonly ask: (...outcomes: readonly (number | readonly [number, string] | 'broken')[]) => Promise<number>;
}

function host(more: Partial<TurnsOptions> = {}): Host {
  const clock = fakeClock(START);
  const events: OclEvent[] = [];
  const options = { host: 'h.example', clock, retry: RETRY, emit: (event: OclEvent) => void events.push(event) };
  const turns = new Turns({ ...options, requestsPerSecond: 0, random: () => 0, ...more });
  return {
    turns,
    clock,
    events,
    async ask(...outcomes) {
      const turn = turns.turn();
      let at = 0;
      const attempt = (): Promise<HttpResponse> =>
        turn.run('ask', async () => answer(outcomes[Math.min(at++, outcomes.length - 1)] ?? 200), undefined);
      return (await retrying(attempt, { clock, pauses: turn })).status;
    },
  };
}

function answer(outcome: number | readonly [number, string] | 'broken'): HttpResponse {
  if (outcome === 'broken')
    throw new ConnectionError('Cannot reach h.example: closed', {
      cause: undefined,
      temporary: true,
      unanswered: true,
    });
  const [status, after] = typeof outcome === 'number' ? [outcome, undefined] : outcome;
  const headers = new Map(after === undefined ? [] : [['retry-after', [after]]]);
  return { status, headers, body: Readable.from([]) };
}

describe('requests to one host', () => {
  it('pause by themselves, when one alone fails', async () => {
    const { ask, clock, turns } = host();
    expect(await ask('broken', 503, 200)).toBe(200);
    expect(clock.sleeps).toEqual([100, 200]);
    expect(turns.steps).toBe(0);
    expect(await ask(200)).toBe(200);
    expect(clock.sleeps).toHaveLength(2);
  });

  it.each(['broken', 500, 502, 503, 504] as const)('slow down together, when several meet %s', async (fault) => {
    const { ask, clock, turns } = host();
    const before = clock.now();
    await Promise.all([ask(fault, 200), ask(fault, 200), ask(fault, 200)]);
    // The first failure is its own, the second makes a step, and the third tells what is known.
    expect(turns.steps).toBe(1);
    await ask(503, 200);
    expect(turns.steps).toBe(2);
    expect(clock.now() - before).toBeGreaterThanOrEqual(200);
  });

  it('slow down at the first 429, for limits are for all of them', async () => {
    const { ask, turns } = host();
    await ask(429, 200);
    expect(turns.steps).toBe(1);
  });

  it.each([408, 425, 404, 401])('do not slow down for %i', async (status) => {
    const { ask, turns } = host();
    await ask(status, 200);
    await ask(status, 200);
    expect(turns.steps).toBe(0);
  });

  it('double the pause with each step, and are faster again after six successes each', async () => {
    const { ask, clock } = host();
    for (let i = 0; i < 4; i++) await ask(429, 200);
    expect(clock.sleeps).toEqual([100, 200, 400, 800]);
    for (let i = 0; i < 12 - 1; i++) await ask(200);
    await ask(429, 200);
    // Four steps, two of them taken back by twelve successes, and a new one.
    expect(clock.sleeps.slice(4)).toEqual([400]);
  });

  it('never pause longer than the longest pause', async () => {
    const { ask, clock } = host({ random: () => 1 });
    for (let i = 0; i < 15; i++) await ask(429, 200);
    expect(Math.max(...clock.sleeps)).toBe(RETRY.longestPause);
  });

  it('are spread, when they have waited for the same moment', async () => {
    let next = 0;
    const { ask, clock } = host({ random: () => (next = (next + 0.37) % 1) });
    await Promise.all(Array.from({ length: 20 }, () => ask([429, '8'], 200)));
    const pauses = clock.sleeps.slice(0, 20);
    expect(Math.min(...pauses)).toBe(8000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(12_000);
    expect(new Set(pauses).size).toBeGreaterThan(10);
  });
});

describe('a host that asks for silence', () => {
  it.each([
    ['seconds', '7'],
    ['a date', new Date(START + 7000).toUTCString()],
  ])('gets it from all requests, in %s', async (_name, after) => {
    const { ask, clock } = host();
    await Promise.all([ask([429, after], 200), ask(200)]);
    expect(clock.sleeps[0]).toBe(7000);
    const other = host();
    const { turns, clock: time } = other;
    const turn = turns.turn();
    await turn.run('ask', async () => answer([503, after]), undefined);
    expect(await other.ask(200)).toBe(200);
    expect(time.sleeps).toEqual([7000]);
  });

  it('is told of once, when it is longer than a moment', async () => {
    const { ask, events } = host();
    await Promise.all([ask([429, '60'], 200), ask([429, '60'], 200), ask([429, '60'], 200)]);
    expect(events).toEqual([
      { type: 'notice', level: 'warning', message: expect.stringContaining('2026-01-01T12:01:00Z') },
    ]);
    events.length = 0;
    await ask([429, '3'], 200);
    expect(events).toEqual([]);
  });

  it.each([
    [429, 'OCL_RATE_LIMITED'],
    [503, 'OCL_UNREACHABLE'],
  ])('for longer than anybody waits ends the request (%i)', async (status, code) => {
    const { ask, clock } = host();
    await expect(ask([status, '3600'])).rejects.toMatchObject({
      code,
      message: expect.stringContaining('2026-01-01T13:00:00Z'),
      hint: expect.stringContaining('2026-01-01T13:00:00Z'),
    });
    expect(clock.sleeps).toEqual([]);
    // Others do not ask for what was just said, until a moment has passed.
    await expect(ask(200)).rejects.toMatchObject({ code });
    clock.advance(30_000);
    expect(await ask(200)).toBe(200);
  });
});

it('requests that wait hear of a longer silence that is asked for meanwhile', async () => {
  const waits: { readonly ms: number; readonly end: () => void }[] = [];
  let now = START;
  const clock = {
    now: () => now,
    sleep: (ms: number) => new Promise<void>((resolve) => void waits.push({ ms, end: resolve })),
  };
  const { turns } = host({ clock });
  let tell: (response: HttpResponse) => void = () => {};
  const slow = new Promise<HttpResponse>((resolve) => (tell = resolve));
  const underway = turns.turn().run('ask', () => slow, undefined);
  await turns.turn().run('ask', async () => answer([429, '2']), undefined);
  let asked = 0;
  const waiting = turns.turn().run('ask', async () => (asked++, answer(200)), undefined);
  tell(answer([429, '60']));
  await underway;
  now += 2000;
  waits[0]?.end();
  await vi.waitFor(() => expect(waits).toHaveLength(2));
  expect([waits.map(({ ms }) => ms), asked]).toEqual([[2000, 58_000], 0]);
  now += 58_000;
  waits[1]?.end();
  expect((await waiting).status).toBe(200);
});

describe('a host that is down', () => {
  it('is not one that failed once, and was left alone since', async () => {
    const { ask, clock } = host();
    await expect(ask('broken')).rejects.toMatchObject({ code: 'OCL_UNREACHABLE' });
    clock.advance(3_600_000);
    expect(await ask('broken', 'broken', 200)).toBe(200);
  });

  it('is asked a bounded number of times, however much there is to do', async () => {
    let asked = 0;
    const { turns, clock } = host();
    for (let i = 0; i < 1000; i++) {
      const turn = turns.turn();
      const attempt = (): Promise<HttpResponse> => turn.run('ask', async () => (asked++, answer('broken')), undefined);
      await expect(retrying(attempt, { clock, pauses: turn })).rejects.toMatchObject({ code: 'OCL_UNREACHABLE' });
    }
    expect(asked).toBeLessThan(60);
    expect(clock.now() - START).toBeLessThan(5 * 60_000);
  });

  it('is asked once by each request that comes after its rest', async () => {
    const { turns, clock } = host();
    let asked = 0;
    const request = (): Promise<HttpResponse> => {
      const turn = turns.turn();
      const attempt = (): Promise<HttpResponse> => turn.run('ask', async () => (asked++, answer('broken')), undefined);
      return retrying(attempt, { clock, pauses: turn });
    };
    while (clock.now() < START + 121_000) await request().catch(() => clock.advance(1000));
    clock.advance(30_000);
    asked = 0;
    await expect(request()).rejects.toMatchObject({ code: 'OCL_UNREACHABLE' });
    expect(asked).toBe(1);
  });

  it('is asked again a moment later, and all is well when it answers', async () => {
    const { ask, clock } = host();
    while (clock.now() < START + 121_000) await ask('broken').catch(() => clock.advance(1000));
    await expect(ask(200)).rejects.toMatchObject({ message: expect.stringContaining('h.example fails since') });
    clock.advance(30_000);
    expect(await ask(200)).toBe(200);
    expect(await ask('broken', 'broken', 200)).toBe(200);
  });
});

it('requests begin at the distance that the settings ask for', async () => {
  const { ask, clock } = host({ requestsPerSecond: 4 });
  for (let i = 0; i < 9; i++) await ask(200);
  expect(clock.now() - START).toBe(2000);
});

it('a host that fails does not hold up another one', async () => {
  const sick: Handler = reply(503);
  const [one, two] = await Promise.all([
    serve({ 'GET /v2/app/tags/list': sick }),
    serve({ 'GET /v2/app/tags/list': reply(200, {}, '{"tags":["a"]}') }),
  ]);
  const side = connectTo();
  const failed = Promise.allSettled([
    listAll(repository(side, one.host).tags()),
    listAll(repository(side, one.host, 'app').tags()),
  ]);
  expect(await listAll(repository(side, two.host).tags())).toEqual(['a']);
  expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

it('a request that is too much for a registry is told with the time to come again', async () => {
  const { app, server } = await scripted({ 'GET /v2/app/tags/list': reply(429, { 'retry-after': '7200' }) });
  await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_RATE_LIMITED' });
  await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_RATE_LIMITED' });
  expect(server.seen).toHaveLength(1);
});
