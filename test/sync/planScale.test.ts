import { describe, expect, it } from 'vitest';
import { Copier } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { planSync } from '../../src/sync/plan.ts';
import { PlanTotals } from '../../src/sync/planTotals.ts';
import { runSync } from '../../src/sync/run.ts';
import { type SyncConfig } from '../../src/sync/settings.ts';
import { bigSource, bigSync, type BigSyncOptions } from '../support/bigSync.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, TestClock, World } from './world.ts';

const IMAGES = 2400;
const TARGETS = 3;
const SHAPES: readonly BigSyncOptions['shape'][] = ['one step an image', 'a step a target'];

function load(shape: BigSyncOptions['shape']): SyncConfig {
  return loadConfig(bigSync({ images: IMAGES, targets: TARGETS, shape }), 'sync.yaml', surroundings()).config;
}

/** Every image is at its source, and at the targets of the given numbers. */
async function worldWith(...targets: readonly number[]): Promise<World> {
  const world = new World();
  const build = image('the same everywhere');
  for (let at = 0; at < IMAGES; at++) {
    const source = bigSource(at);
    await world.put(source, '1', build);
    for (const target of targets) await world.put(source.replace('source', `target${target}`), '1', build);
  }
  world.calls.length = 0;
  return world;
}

function countedBy(calls: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const call of calls) {
    const [verb = '', name = ''] = call.split(/[ .]/);
    counts[`${verb} ${name}`] = (counts[`${verb} ${name}`] ?? 0) + 1;
  }
  return counts;
}

describe('a file of 7,200 targets', () => {
  it.each(SHAPES)('that has nothing to do asks each source once and each target once: %s', async (shape) => {
    const world = await worldWith(0, 1, 2);
    const report = await runSync(load(shape), world, { clock: new TestClock(), surroundings: surroundings() });
    expect(report).toMatchObject({ copied: 0, current: IMAGES * TARGETS, failed: [] });
    expect(countedBy(world.calls)).toEqual({
      'source source': IMAGES,
      'resolve source': IMAGES,
      'close source': IMAGES,
      ...Object.fromEntries(
        [0, 1, 2].flatMap((target) =>
          ['sink', 'find', 'close'].map((verb) => [`${verb} target${target}`, IMAGES] as const),
        ),
      ),
    });
  });

  it.each(SHAPES)('is planned with one question to each end, and adds up: %s', async (shape) => {
    const world = await worldWith(0);
    const totals = new PlanTotals();
    const clock = new TestClock();
    const actions: Record<string, number> = {};
    for await (const { action } of planSync(load(shape), world, {
      clock,
      copier: new Copier({ clock, emit: silent }),
      totals,
    }))
      actions[action] = (actions[action] ?? 0) + 1;
    expect(actions).toEqual({ current: IMAGES, copy: 2 * IMAGES });
    expect(countedBy(world.calls)).toMatchObject({ 'resolve source': IMAGES, 'find target2': IMAGES });
    // All are one image by its digest, which is read once.
    expect(totals.registries).toEqual([
      { registry: 'source.test', copies: 2 * IMAGES, pulls: { count: 1, exact: true }, bytes: undefined },
    ]);
  });
});
