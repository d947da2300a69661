import fc from 'fast-check';
import { type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Clock } from '../../src/core/clock.ts';
import { createHttp, type HttpOptions } from '../../src/io/http.ts';
import { type Http } from '../../src/io/httpMessages.ts';
import { PaceGuard } from '../../src/io/pace.ts';
import { createThrottle, throttled } from '../../src/io/throttle.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { reply, startScriptedServer, type Handler, type ScriptedServer } from '../support/scriptedServer.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Readonly<Record<string, Handler>>): Promise<ScriptedServer> {
  const started = await startScriptedServer(script);
  cleanups.push(() => started.close());
  return started;
}

function client(options: Partial<HttpOptions>): Http {
  const http = createHttp({ userAgent: 'ocl-test', ...options });
  cleanups.push(() => http.close());
  return http;
}

/** Time that passes for all sleepers together, in the order in which they wake. */
function sharedClock(): Clock {
  const sleepers: { at: number; wake: () => void }[] = [];
  let now = 0;
  let moving = false;
  const move = (): void => {
    sleepers.sort((a, b) => a.at - b.at);
    const next = sleepers.shift();
    if (next === undefined) return void (moving = false);
    now = Math.max(now, next.at);
    next.wake();
    setImmediate(move);
  };
  return {
    now: () => now,
    async sleep(ms) {
      await new Promise<void>((wake) => {
        sleepers.push({ at: now + ms, wake });
        if (!moving) setImmediate(move);
        moving = true;
      });
    },
  };
}

async function bytesOf(stream: Readable, seen?: (bytes: number) => void): Promise<number> {
  let bytes = 0;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    seen?.(piece.length);
  }
  return bytes;
}

describe('a limited rate', () => {
  it('holds for all who share it, in each second', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 20_000, max: 2_000_000 }),
        fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 }),
        async (rate, sizes) => {
          const clock = sharedClock();
          const throttle = createThrottle(rate, clock);
          const flown: { at: number; bytes: number }[] = [];
          await Promise.all(
            sizes.map((size) =>
              bytesOf(
                throttled(Readable.from([Buffer.alloc(size)], { objectMode: false }), throttle),
                (bytes) => void flown.push({ at: clock.now(), bytes }),
              ),
            ),
          );
          const total = sizes.reduce((sum, size) => sum + size, 0);
          expect(flown.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(total);
          for (const { at } of flown) {
            const within = flown.filter((each) => each.at >= at && each.at < at + 1000);
            const bytes = within.reduce((sum, each) => sum + each.bytes, 0);
            expect(bytes).toBeLessThanOrEqual(rate * 1.1 + throttle.slice * sizes.length);
          }
          expect(clock.now()).toBeGreaterThanOrEqual((total * 1000) / rate - 101);
          expect(clock.now()).toBeLessThanOrEqual((total * 1000) / rate + 1);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is not saved up while nothing flows', async () => {
    const clock = fakeClock();
    const throttle = createThrottle(1000, clock);
    clock.advance(3_600_000);
    await throttle.take(1000);
    await throttle.take(1000);
    expect(clock.sleeps).toEqual([900, 1000]);
  });

  it('lets go of what was given up', async () => {
    const stream = Readable.from([Buffer.alloc(1000)], { objectMode: false });
    const slow = throttled(stream, createThrottle(1, fakeClock()), AbortSignal.abort(new Error('enough')));
    await expect(bytesOf(slow)).rejects.toThrow('enough');
    expect(stream.destroyed).toBe(true);
  });
});

describe('the bodies of one client', () => {
  const content = Buffer.alloc(3_000_000, 7);

  it('share a rate in both directions', async () => {
    const { url } = await server({
      'GET /down': reply(200, {}, content),
      'PUT /up': reply(201),
      'POST /small': reply(201),
    });
    const clock = sharedClock();
    const http = client({ throttle: createThrottle(1_000_000, clock) });
    const get = async (): Promise<number> =>
      bytesOf((await http.request({ method: 'GET', url: new URL(`${url}/down`), content: true })).body);
    const put = async (): Promise<number> => {
      const body = { size: content.length, open: () => Readable.from([content], { objectMode: false }) };
      return (await http.request({ method: 'PUT', url: new URL(`${url}/up`), body, content: true })).status;
    };
    const post = async (): Promise<number> =>
      (await http.request({ method: 'POST', url: new URL(`${url}/small`), body: content })).status;
    expect(await Promise.all([get(), put(), post()])).toEqual([content.length, 201, 201]);
    expect(clock.now()).toBeGreaterThan(8_890);
    expect(clock.now()).toBeLessThan(9_010);
  });

  it('flow freely without one', async () => {
    const { url } = await server({ 'GET /down': reply(200, {}, content) });
    const answer = await client({}).request({ method: 'GET', url: new URL(`${url}/down`) });
    expect(await bytesOf(answer.body)).toBe(content.length);
  });
});

describe('an answer that is too slow', () => {
  const dripping =
    (every: number, bytes = 1) =>
    (response: ServerResponse): void => {
      response.writeHead(200, { 'content-length': '10000000' });
      const timer = setInterval(() => response.write(Buffer.alloc(bytes)), every);
      response.once('close', () => clearInterval(timer));
    };

  it('is given up, though it never stops: a small one after a time', async () => {
    const { url } = await server({ 'GET /drip': dripping(10) });
    const http = client({ pace: { total: 300, window: 60_000 } });
    const { body } = await http.request({ method: 'GET', url: new URL(`${url}/drip`) });
    await expect(bytesOf(body)).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
      temporary: true,
      message: expect.stringContaining('not complete within 0.3 s'),
    });
  });

  it('is given up before its header, too', async () => {
    const { url } = await server({ 'GET /silence': () => {} });
    const http = client({ pace: { total: 200, window: 60_000 } });
    await expect(http.request({ method: 'GET', url: new URL(`${url}/silence`) })).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
    });
  });

  it('is given up: a content that brings next to nothing', async () => {
    const { url } = await server({ 'GET /drip': dripping(10) });
    const http = client({ pace: { total: 60_000, window: 300 } });
    const { body } = await http.request({ method: 'GET', url: new URL(`${url}/drip`), content: true });
    await expect(bytesOf(body)).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
      temporary: true,
      message: expect.stringContaining('bytes came within'),
    });
  });

  it('is waited for when it keeps a pace, however long it takes', async () => {
    const { url } = await server({
      'GET /steady': (response) => {
        response.writeHead(200, { 'content-length': String(40 * 2000) });
        let left = 40;
        const timer = setInterval(() => {
          response.write(Buffer.alloc(2000));
          if (--left === 0) clearInterval(timer);
        }, 20);
      },
    });
    const http = client({ pace: { total: 100, window: 200 } });
    const { body } = await http.request({ method: 'GET', url: new URL(`${url}/steady`), content: true });
    expect(await bytesOf(body)).toBe(80_000);
  });

  it('is measured by the time in which it was wanted', () => {
    vi.useFakeTimers();
    try {
      const slow: string[] = [];
      const guard = new PaceGuard(1000, (why) => slow.push(why));
      // Six tenths of each window belong to the reader: the rest shows nothing.
      for (let i = 0; i < 3; i++) {
        vi.advanceTimersByTime(100);
        guard.pause();
        vi.advanceTimersByTime(600);
        guard.resume();
        vi.advanceTimersByTime(300);
      }
      expect(slow).toEqual([]);
      guard.received(1023);
      vi.advanceTimersByTime(1000);
      expect(slow).toEqual(['only 1023 bytes came within 1 s']);
      guard.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it('is not blamed for a reader that takes its time', async () => {
    const size = 12_000_000;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { url } = await server({ 'GET /large': reply(200, {}, Buffer.alloc(size)) });
    const http = client({ pace: { total: 100, window: 100 } });
    const { body } = await http.request({ method: 'GET', url: new URL(`${url}/large`), content: true });
    let bytes = 0;
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      bytes += piece.length;
      // Longer than two windows, once.
      if (bytes === piece.length) await vi.advanceTimersByTimeAsync(250);
    }
    expect(bytes).toBe(size);
  });
});
