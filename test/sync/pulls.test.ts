import { describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { HostPulls, type Admission, type Hold } from '../../src/sync/pulls/host.ts';
import { asksAgainAt, pullsNeeded, stillHolds, type PullLimit } from '../../src/sync/pulls/limit.ts';
import { fakeClock, type FakeClock } from '../support/fakeClock.ts';

const HOUR = 3_600_000;
const RETRY = 5 * 60_000;
const NOW = 1000 * HOUR;

function told(remaining: number, more: Partial<PullLimit> = {}): PullLimit {
  return { limit: 100, remaining, window: 21_600, resetAt: undefined, seenAt: NOW, ...more };
}

describe('the pulls that must be left', () => {
  it.each([
    ['nothing to pull', 0, 50, 100, 0],
    ['no reserve: any', 11, 0, 100, 1],
    ['the reserve and what it costs', 11, 50, 100, 61],
    ['no more than there can be', 60, 50, 100, 100],
    ['a reserve beyond the limit', 1, 500, 100, 100],
    ['an unknown limit', 60, 50, undefined, 110],
  ] as const)('%s', (_, cost, min, limit, expected) => {
    expect(pullsNeeded(cost, min, limit)).toBe(expected);
  });
});

describe('when a registry is asked again', () => {
  it.each<[string, PullLimit, number, number]>([
    ['at the reset', told(0, { resetAt: NOW + 90_000 }), 5, 90_000],
    ['at the reset, however far', told(0, { resetAt: NOW + 20 * HOUR }), 1, 20 * HOUR],
    ['when a share of the window is back', told(0), 1, 216_000],
    ['when a larger share is back', told(0), 50, 3 * HOUR],
    ['when all is back, at most', told(0), 500, 6 * HOUR],
    ['counted from when it was told', told(0, { seenAt: NOW - HOUR }), 50, 2 * HOUR],
    ['at once, when that has passed', told(0, { seenAt: NOW - 5 * HOUR }), 50, 0],
    ['a reset that has passed tells nothing', told(0, { resetAt: NOW - 1, window: undefined }), 1, RETRY],
    ['without a window', told(0, { window: undefined }), 1, RETRY],
    ['without a limit', told(0, { limit: undefined }), 1, RETRY],
    ['with a limit of nothing', told(0, { limit: 0 }), 1, RETRY],
  ])('%s', (_, limit, missing, after) => {
    expect(asksAgainAt(limit, missing, NOW, RETRY) - NOW).toBe(after);
  });

  it.each([
    ['a window that lasts', told(0, { seenAt: NOW - HOUR }), true],
    ['a window that is over', told(0, { seenAt: NOW - 6 * HOUR }), false],
    ['a reset to come', told(0, { resetAt: NOW + 1 }), true],
    ['a reset that was', told(0, { resetAt: NOW }), false],
    ['no end', told(0, { window: undefined }), false],
  ])('what an earlier run was told: %s', (_, limit, expected) => {
    expect(stillHolds(limit, NOW)).toBe(expected);
  });
});

/** A registry that tells what is left whenever it is asked or pulled from. */
class Counter {
  readonly clock: FakeClock = fakeClock(NOW);
  readonly events: OclEvent[] = [];
  readonly learned: number[] = [];
  asked = 0;
  last: PullLimit | undefined;
  host = new HostPulls({
    host: 'hub.test',
    clock: this.clock,
    emit: (event) => void this.events.push(event),
    told: () => this.last,
    learned: ({ remaining }) => void this.learned.push(remaining),
  });

  tell(remaining: number, more: Partial<PullLimit> = {}): void {
    this.last = told(remaining, { seenAt: this.clock.now(), ...more });
  }

  admission(min: number, onAsk: () => void = () => {}): Admission {
    return {
      image: 'hub.test/app:1',
      min,
      retry: RETRY,
      ask: () => {
        this.asked++;
        onAsk();
        return Promise.resolve();
      },
    };
  }

  waits(): readonly OclEvent[] {
    return this.events.filter(({ type }) => type === 'wait');
  }
}

/** Lets everything run that can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => void setImmediate(resolve));
}

describe('the account of a registry', () => {
  it('lets everything through while nothing is known', () => {
    const { host, admission } = bind(new Counter());
    expect(host.tryReserve(500, admission(50))).toBeDefined();
  });

  it.each([
    ['the reserve stays', 50, 60, 11, false],
    ['just enough', 50, 61, 11, true],
    ['without a reserve the last one is given', 0, 1, 11, true],
    ['and none when there is none', 0, 0, 1, false],
    ['what costs nothing needs nothing', 50, 0, 0, true],
  ])('%s', (_, min, remaining, cost, isLetIn) => {
    const registry = new Counter();
    registry.tell(remaining);
    expect(registry.host.tryReserve(cost, registry.admission(min)) !== undefined).toBe(isLetIn);
  });

  it('is shared: what copies under way will take is not given twice', () => {
    const registry = new Counter();
    registry.tell(25);
    const first = registry.host.tryReserve(10, registry.admission(10));
    expect(first).toBeDefined();
    expect(registry.host.tryReserve(10, registry.admission(10))).toBeUndefined();
    expect(registry.host.tryReserve(5, registry.admission(10))).toBeDefined();
    // The first pulled only two; the registry says so.
    registry.tell(23);
    first?.release();
    expect(registry.host.tryReserve(8, registry.admission(10))).toBeDefined();
  });

  it('counts by itself where the registry does not tell after each pull, and begins anew when it does', () => {
    const registry = new Counter();
    registry.tell(25);
    registry.host.tryReserve(10, registry.admission(10))?.release();
    registry.host.tryReserve(5, registry.admission(10))?.release();
    expect(registry.host.tryReserve(1, registry.admission(10))).toBeUndefined();
    registry.clock.advance(1);
    registry.tell(25);
    expect(registry.host.tryReserve(15, registry.admission(10))).toBeDefined();
  });

  it('waits until the reset, asks, and goes on; says both, and remembers what it learned', async () => {
    const registry = new Counter();
    registry.tell(3, { resetAt: NOW + 600_000 });
    await registry.host.reserve(
      1,
      registry.admission(50, () => registry.tell(100)),
    );
    expect(registry.clock.sleeps).toEqual([600_000]);
    expect(registry.asked).toBe(1);
    expect(registry.learned).toEqual([3]);
    expect(registry.events).toEqual([
      { type: 'wait', host: 'hub.test', until: NOW + 600_000, remaining: 3, limit: 100, min: 50 },
      { type: 'wait.over', host: 'hub.test', min: 50 },
    ]);
  });

  it('waits once more when too little came back', async () => {
    const registry = new Counter();
    registry.tell(0);
    const left = [1, 2];
    await registry.host.reserve(
      1,
      registry.admission(1, () => registry.tell(left.shift() ?? 0)),
    );
    expect(registry.clock.sleeps).toEqual([432_000, 216_000]);
    expect(registry.waits()).toHaveLength(2);
    expect(registry.events.at(-1)?.type).toBe('wait.over');
  });

  it('goes on after one wait when the header has vanished, and so do the next ones', async () => {
    const registry = new Counter();
    registry.tell(0);
    await registry.host.reserve(1, registry.admission(0));
    await registry.host.reserve(1, registry.admission(0));
    expect(registry.clock.sleeps).toHaveLength(1);
    registry.tell(0);
    expect(registry.host.tryReserve(1, registry.admission(0))).toBeUndefined();
  });

  it('goes on when the registry cannot be asked', async () => {
    const registry = new Counter();
    registry.tell(0);
    const ask = (): never => {
      throw new OclError('OCL_UNREACHABLE', 'Cannot ask');
    };
    await registry.host.reserve(1, registry.admission(0, ask));
    expect(registry.clock.sleeps).toHaveLength(1);
  });

  it('polls ever more slowly a registry that promises much and gives nothing, and gives up after a day', async () => {
    const registry = new Counter();
    const again = (): void => registry.tell(0, { resetAt: registry.clock.now() + 1 });
    again();
    await expect(registry.host.reserve(1, registry.admission(0, again))).rejects.toMatchObject({
      code: 'OCL_RATE_LIMITED',
      side: 'source',
    });
    const { sleeps } = registry.clock;
    expect(sleeps.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(24 * HOUR);
    expect(sleeps.length).toBeLessThan(400);
  });

  it('does not wait for a reset that is days away', async () => {
    const registry = new Counter();
    registry.tell(0, { resetAt: NOW + 30 * 24 * HOUR });
    await expect(registry.host.reserve(1, registry.admission(5))).rejects.toThrow(
      /hub\.test allows no more pulls beyond the 5 that are kept for others before 1970-03-/,
    );
    expect(registry.clock.sleeps).toEqual([]);
  });

  it('waits for copies under way when they alone are in the way', async () => {
    const registry = new Counter();
    registry.tell(20);
    const first = registry.host.tryReserve(15, registry.admission(5));
    let second: Hold | undefined;
    void registry.host.reserve(5, registry.admission(5)).then((hold) => (second = hold));
    await settle();
    expect(second).toBeUndefined();
    registry.tell(18);
    first?.release();
    await settle();
    expect(second).toBeDefined();
    expect(registry.clock.sleeps).toEqual([]);
  });

  it('keeps the order among those with the same reserve, and lets those with a smaller one pass', async () => {
    const registry = new Counter();
    registry.tell(20);
    const first = registry.host.tryReserve(15, registry.admission(5));
    const done: string[] = [];
    const large = registry.host.reserve(10, registry.admission(5)).then(() => void done.push('large'));
    expect(registry.host.tryReserve(0, registry.admission(5))).toBeDefined();
    expect(registry.host.tryReserve(1, registry.admission(4))).toBeDefined();
    const small = registry.host.reserve(1, registry.admission(5)).then(() => void done.push('small'));
    registry.tell(40);
    first?.release();
    await Promise.all([large, small]);
    expect(done).toEqual(['large', 'small']);
  });

  it('believes what an earlier run was told for one short wait: the login may be another', async () => {
    const registry = new Counter();
    const { clock, events } = registry;
    const remembered = told(0, { resetAt: NOW + HOUR });
    const emit = (event: OclEvent): void => void events.push(event);
    const host = new HostPulls({ host: 'hub.test', clock, emit, remembered, told: () => registry.last });
    await host.reserve(1, registry.admission(0));
    await host.reserve(1, registry.admission(0));
    expect(clock.sleeps).toEqual([RETRY]);
    expect(registry.asked).toBe(1);
    registry.tell(0, { resetAt: clock.now() + HOUR });
    await host.reserve(1, registry.admission(0));
    expect(clock.sleeps).toEqual([RETRY, HOUR]);
  });

  it('waits after a refusal that nothing announced', async () => {
    const registry = new Counter();
    registry.host.refused(RETRY);
    expect(registry.host.tryReserve(1, registry.admission(0))).toBeUndefined();
    await registry.host.reserve(1, registry.admission(0));
    expect(registry.clock.sleeps).toEqual([RETRY]);
    expect(registry.waits()).toEqual([
      { type: 'wait', host: 'hub.test', until: NOW + RETRY, remaining: undefined, limit: undefined, min: 0 },
    ]);
  });

  it('stops waiting by the signal', async () => {
    const registry = new Counter();
    registry.tell(20);
    registry.host.tryReserve(20, registry.admission(0));
    const stop = new AbortController();
    stop.abort(new OclError('OCL_CANCELLED', 'Stopped'));
    const waiting = registry.host.reserve(1, { ...registry.admission(0), signal: stop.signal });
    await expect(waiting).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
  });
});

function bind(registry: Counter): { host: HostPulls; admission: Counter['admission'] } {
  return { host: registry.host, admission: registry.admission.bind(registry) };
}
