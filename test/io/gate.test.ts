import { describe, expect, it } from 'vitest';
import { createGate } from '../../src/io/gate.ts';

describe('a gate', () => {
  it('lets no more than its width inside, first come, first served', async () => {
    const gate = createGate('host', 2);
    const order: number[] = [];
    const leave1 = await gate.enter();
    const leave2 = await gate.enter();
    const third = gate.enter().then((leave) => (order.push(3), leave));
    const fourth = gate.enter().then((leave) => (order.push(4), leave));
    await Promise.resolve();
    expect(order).toEqual([]);
    leave1();
    const leave3 = await third;
    expect(order).toEqual([3]);
    leave3();
    leave2();
    (await fourth)();
    expect(order).toEqual([3, 4]);
  });

  it('counts leaving twice once', async () => {
    const gate = createGate('host', 1);
    const leave = await gate.enter();
    leave();
    leave();
    await gate.enter();
    let inside = false;
    void gate.enter().then(() => (inside = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(inside).toBe(false);
  });

  it('forgets those who stop waiting', async () => {
    const gate = createGate('host', 1);
    const leave = await gate.enter();
    const stop = new AbortController();
    const waiting = gate.enter(stop.signal);
    const next = gate.enter();
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    leave();
    (await next)();
    await expect(gate.enter(stop.signal)).rejects.toBe(reason);
  });

  it('does not let a newcomer pass those who wait', async () => {
    const gate = createGate('host', 1);
    const order: string[] = [];
    const leave = await gate.enter();
    const first = gate.enter().then((go) => (order.push('first'), go()));
    leave();
    const second = gate.enter().then((go) => (order.push('second'), go()));
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  it('is at least one wide', () => {
    expect(() => createGate('host', 0)).toThrow(RangeError);
  });
});
