import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Copier } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { planSync } from '../../src/sync/plan.ts';
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

const world = new World();

/** Every image is at its source and at all targets; filling in takes longer than what is measured. */
beforeAll(async () => {
  const build = image('the same everywhere');
  for (let at = 0; at < IMAGES; at++) {
    const source = bigSource(at);
    await world.put(source, '1', build);
    for (let target = 0; target < TARGETS; target++)
      await world.put(source.replace('source', `target${target}`), '1', build);
  }
});

beforeEach(() => {
  world.calls.length = 0;
});

function countedBy(calls: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const call of calls) {
    const [verb = '', name = ''] = call.split(/[ .]/);
    counts[`${verb} ${name}`] = (counts[`${verb} ${name}`] ?? 0) + 1;
  }
  return counts;
}

/** One question to each end: nothing else is asked. */
const EXPECTED = {
  'source source': IMAGES,
  'resolve source': IMAGES,
  'close source': IMAGES,
  ...Object.fromEntries(
    [0, 1, 2].flatMap((target) =>
      ['sink', 'find', 'close'].map((verb) => [`${verb} target${target}`, IMAGES] as const),
    ),
  ),
};

describe.each(SHAPES)('a file of 7,200 targets, %s', (shape) => {
  it('asks each source once and each target once when there is nothing to do', async () => {
    const report = await runSync(load(shape), world, { clock: new TestClock(), surroundings: surroundings() });
    expect(report).toMatchObject({ copied: 0, current: IMAGES * TARGETS, failed: [] });
    expect(countedBy(world.calls)).toEqual(EXPECTED);
  });

  it('is planned by the same questions', async () => {
    const clock = new TestClock();
    const copier = new Copier({ clock, emit: silent });
    let current = 0;
    for await (const { action } of planSync(load(shape), world, { clock, copier })) if (action === 'current') current++;
    expect(current).toBe(IMAGES * TARGETS);
    expect(countedBy(world.calls)).toEqual(EXPECTED);
  });
});
