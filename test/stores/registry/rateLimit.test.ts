import { afterEach, describe, expect, it } from 'vitest';
import { type HttpHeaders } from '../../../src/io/httpMessages.ts';
import { parseRateLimit } from '../../../src/stores/registry/rateLimit.ts';
import { RateLimits } from '../../../src/stores/registry/rateLimits.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { reply } from '../../support/scriptedServer.ts';
import { cleanUp, listAll, scripted } from './harness.ts';

const NOW = Date.UTC(2026, 0, 1);
const HUB = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' };

afterEach(cleanUp);

function headersOf(headers: Readonly<Record<string, string>>): HttpHeaders {
  return new Map(Object.entries(headers).map(([name, value]) => [name, [value]]));
}

describe('what an answer tells about limits', () => {
  it.each([
    [
      'Docker Hub',
      { ...HUB, 'docker-ratelimit-source': '192.0.2.7' },
      { limit: 100, remaining: 76, window: 21_600, source: '192.0.2.7' },
    ],
    [
      'seconds until the reset',
      { 'ratelimit-limit': '10', 'ratelimit-remaining': '0', 'ratelimit-reset': '30' },
      { limit: 10, remaining: 0, resetAt: NOW + 30_000 },
    ],
    [
      'a list of policies, of which one is in force',
      { 'ratelimit-limit': '50, 10;w=1, 50;w=60', 'ratelimit-remaining': '9' },
      { limit: 50, remaining: 9, window: 60 },
    ],
    [
      'GitHub, with a date in seconds',
      { 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '58', 'x-ratelimit-reset': String(NOW / 1000 + 90) },
      { limit: 60, remaining: 58, resetAt: NOW + 90_000 },
    ],
    [
      'all in one field',
      { ratelimit: 'limit=100, remaining=50, reset=5', 'ratelimit-policy': '100;w=10' },
      { limit: 100, remaining: 50, window: 10, resetAt: NOW + 5000 },
    ],
    ['a structured field', { ratelimit: '"default";r=50;t=30' }, { remaining: 50, resetAt: NOW + 30_000 }],
    [
      'structured fields with policies, of which the one with the least left counts',
      { ratelimit: '"burst";r=9;t=1, "day";r=4;t=60', 'ratelimit-policy': '"burst";q=10;w=1,"day";q=5;w=86400' },
      { limit: 5, remaining: 4, window: 86_400, resetAt: NOW + 60_000 },
    ],
    ['what remains alone', { 'ratelimit-remaining': '5' }, { remaining: 5 }],
    [
      'a reset that has passed',
      { ...HUB, 'ratelimit-reset': '1500000000' },
      { limit: 100, remaining: 76, window: 21_600 },
    ],
    ['a reset at once', { ...HUB, 'ratelimit-reset': '0' }, { limit: 100, remaining: 76, window: 21_600 }],
    [
      'a reset beyond all reason',
      { ...HUB, 'ratelimit-reset': '99999999999999' },
      { limit: 100, remaining: 76, window: 21_600 },
    ],
    [
      'windows that are none',
      { 'ratelimit-limit': '100;w=-1', 'ratelimit-remaining': '76;w=999999999999' },
      { limit: 100, remaining: 76 },
    ],
    ['a limit that is none', { 'ratelimit-limit': 'NaN', 'ratelimit-remaining': '1' }, { remaining: 1 }],
    [
      'a source without end',
      { ...HUB, 'docker-ratelimit-source': 'x'.repeat(9000) },
      {
        limit: 100,
        remaining: 76,
        window: 21_600,
        source: 'x'.repeat(200),
      },
    ],
  ])('%s', (_, headers, expected) =>
    expect(parseRateLimit(headersOf(headers), NOW)).toEqual({
      limit: undefined,
      window: undefined,
      resetAt: undefined,
      source: undefined,
      seenAt: NOW,
      ...expected,
    }),
  );

  it.each([
    ['nothing', {}],
    ['a limit alone', { 'ratelimit-limit': '100;w=21600' }],
    ['less than nothing', { 'ratelimit-remaining': '-1' }],
    ['no number', { 'ratelimit-remaining': 'NaN' }],
    ['a fraction', { 'ratelimit-remaining': '1e3' }],
    ['more than a number holds', { 'ratelimit-remaining': '9'.repeat(16) }],
    ['a field without what remains', { ratelimit: '"default";t=30' }],
    ['commas', { ratelimit: ','.repeat(100_000) }],
  ])('%s is no account', (_, headers) => expect(parseRateLimit(headersOf(headers), NOW)).toBeUndefined());
});

describe('the account of a host', () => {
  function account(): {
    limits: RateLimits;
    clock: ReturnType<typeof fakeClock>;
    see: (s: number, h?: object) => void;
  } {
    const clock = fakeClock(NOW);
    const limits = new RateLimits(clock);
    return {
      limits,
      clock,
      see: (status, headers = {}) => limits.observe({ status, headers: headersOf({ ...headers }) }),
    };
  }

  it('outlives answers that tell nothing, and not its window', () => {
    const { limits, clock, see } = account();
    expect(limits.current).toBeUndefined();
    see(200, HUB);
    see(200);
    expect(limits.current).toMatchObject({ limit: 100, remaining: 76, seenAt: NOW });
    clock.advance(21_600_000 - 1);
    expect(limits.current).toMatchObject({ remaining: 76 });
    clock.advance(1);
    expect(limits.current).toBeUndefined();
  });

  const left = (remaining: number, reset: number, limit = 10): object => ({
    'ratelimit-limit': `${limit};w=60`,
    'ratelimit-remaining': String(remaining),
    ...(Number.isNaN(reset) ? {} : { 'ratelimit-reset': String(reset) }),
  });
  it.each([
    ['an earlier answer of the same window that comes later', left(4, 60), left(5, 60), 4],
    ['the same a second later', left(4, 60), left(5, 59), 4],
    ['a later answer of the same window', left(5, 60), left(4, 60), 4],
    ['the next window', left(0, 2), left(9, 60), 9],
    ['another limit', left(0, 60), left(19, 60, 20), 19],
    ['a window that slides', left(4, Number.NaN), left(5, Number.NaN), 5],
  ])('believes %s as it should', (_, first, second, remaining) => {
    const { limits, see } = account();
    see(200, first);
    see(200, second);
    expect(limits.current?.remaining).toBe(remaining);
  });

  it.each([
    ['when its window begins anew', { 'ratelimit-remaining': '0;w=9999', 'ratelimit-reset': '60' }, 60_000],
    ['an hour later where no window is told', { 'ratelimit-remaining': '0' }, 3_600_000],
  ])('is unknown %s', (_, headers, life) => {
    const { limits, clock, see } = account();
    see(200, headers);
    clock.advance(life - 1);
    expect(limits.current).toMatchObject({ remaining: 0 });
    clock.advance(1);
    expect(limits.current).toBeUndefined();
  });

  it('is empty while a 429 asks for silence, and what was left counts again after it', () => {
    const { limits, clock, see } = account();
    see(200, HUB);
    see(429, { 'retry-after': '120' });
    expect(limits.current).toMatchObject({ limit: 100, remaining: 0, window: 21_600, resetAt: NOW + 120_000 });
    clock.advance(120_000);
    expect(limits.current).toMatchObject({ remaining: 76 });
  });

  it.each([
    ['a Retry-After of another answer', 503, '120'],
    ['silence for years', 429, '999999999'],
    ['a Retry-After that is none', 429, '-5'],
  ])('does not take %s', (_, status, value) => {
    const { limits, see } = account();
    see(status, { 'retry-after': value });
    expect(limits.current).toBeUndefined();
  });

  it('is of the registry alone: neither where it redirects to nor an answer in between is missed or mixed in', async () => {
    const other = await scripted({ 'GET /away': reply(200, { 'ratelimit-remaining': '1' }, '{}') });
    const { app } = await scripted({
      'GET /v2/app/tags/list': reply(307, { ...HUB, location: `${other.server.url}/away` }),
    });
    await listAll(app.tags());
    expect(app.rateLimit).toMatchObject({ remaining: 76 });
  });
});
