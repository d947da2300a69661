import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ConnectionError } from '../../src/io/connectionError.ts';
import { type HttpResponse } from '../../src/io/httpMessages.ts';
import { backoff, RETRY, retryAfter, retrying } from '../../src/io/retry.ts';
import { fakeClock } from '../support/fakeClock.ts';

function answer(status: number, headers: Record<string, string> = {}): HttpResponse {
  return {
    status,
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    body: Readable.from([]),
  };
}

function outcomes(...list: (HttpResponse | Error)[]): { attempt: () => Promise<HttpResponse>; count: () => number } {
  let at = 0;
  return {
    attempt: async () => {
      const outcome = list[Math.min(at++, list.length - 1)];
      if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('no outcome');
      return outcome;
    },
    count: () => at,
  };
}

const broken = (temporary: boolean): ConnectionError =>
  new ConnectionError('Cannot reach x: y', { cause: undefined, temporary, unanswered: false });

describe('trying again', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('after %i', async (status) => {
    const { attempt, count } = outcomes(answer(status), answer(200));
    expect((await retrying(attempt, { clock: fakeClock() })).status).toBe(200);
    expect(count()).toBe(2);
  });

  it.each([200, 201, 301, 400, 401, 403, 404, 405, 413, 416, 501])('not after %i', async (status) => {
    const { attempt, count } = outcomes(answer(status));
    expect((await retrying(attempt, { clock: fakeClock() })).status).toBe(status);
    expect(count()).toBe(1);
  });

  it('after passing failures of the connection, with growing pauses', async () => {
    const clock = fakeClock();
    const { attempt } = outcomes(broken(true), broken(true), broken(true), answer(200));
    await retrying(attempt, { clock, random: () => 1 });
    expect(clock.sleeps).toEqual([200, 400, 800]);
  });

  it('not after lasting ones', async () => {
    const { attempt, count } = outcomes(broken(false), answer(200));
    await expect(retrying(attempt, { clock: fakeClock() })).rejects.toThrow(ConnectionError);
    expect(count()).toBe(1);
  });

  it('gives the last answer when the tries are used up', async () => {
    const { attempt, count } = outcomes(answer(503));
    expect((await retrying(attempt, { clock: fakeClock() })).status).toBe(503);
    expect(count()).toBe(RETRY.tries);
  });

  it('waits as long as the server asks', async () => {
    const clock = fakeClock();
    const { attempt } = outcomes(answer(429, { 'retry-after': '7' }), answer(200));
    await retrying(attempt, { clock });
    expect(clock.sleeps).toEqual([7000]);
  });

  it('does not wait longer than its patience, in one piece or in several', async () => {
    const clock = fakeClock();
    const long = outcomes(answer(429, { 'retry-after': '21600' }), answer(200));
    expect((await retrying(long.attempt, { clock })).status).toBe(429);
    expect(clock.sleeps).toEqual([]);
    const often = outcomes(answer(429, { 'retry-after': '400' }));
    expect((await retrying(often.attempt, { clock })).status).toBe(429);
    expect(clock.sleeps).toEqual([400_000, 400_000]);
  });

  it('ends when it is stopped', async () => {
    const reason = new Error('stop');
    const { attempt, count } = outcomes(answer(503));
    await expect(retrying(attempt, { clock: fakeClock(), signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(count()).toBe(1);
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5000],
    ['1.5', 1500],
    ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
    ['-5', undefined],
    ['soon', undefined],
    ['99999999999999999999', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (text, ms) => expect(retryAfter(text, now)).toBe(ms));
});

it('spreads pauses over the upper half, up to the longest', () => {
  expect(backoff(1, RETRY, () => 0)).toBe(100);
  expect(backoff(1, RETRY, () => 1)).toBe(200);
  expect(backoff(50, RETRY, () => 1)).toBe(RETRY.longestPause);
});
