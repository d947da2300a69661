import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Copier } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { type JournalRecord } from '../../src/sync/journal/records.ts';
import { planSync, type PlannedJob } from '../../src/sync/plan.ts';
import { PlanTotals, type RegistryTotals } from '../../src/sync/planTotals.ts';
import { measuredRate } from '../../src/sync/rate.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, index, TestClock, World } from './world.ts';

interface Planned {
  readonly jobs: readonly PlannedJob[];
  readonly totals: readonly RegistryTotals[];
}

async function plan(world: World, text: string, measure = false): Promise<Planned> {
  const clock = new TestClock();
  const totals = new PlanTotals();
  const jobs: PlannedJob[] = [];
  const { config } = loadConfig(text, 'sync.yaml', surroundings());
  const copier = new Copier({ clock, emit: silent });
  for await (const job of planSync(config, world, { clock, copier, measure, totals })) jobs.push(job);
  return { jobs, totals: totals.registries };
}

function file(...steps: readonly string[]): string {
  return `sync:\n${steps.map((step) => `  - {type: image, ${step}}\n`).join('')}`;
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

async function stocked(): Promise<World> {
  const world = new World();
  await world.put('s.test/app', '1', index('app', AMD64, ARM64));
  await world.put('s.test/app', '2', image('two'));
  await world.put('other.test/tool', '1', image('tool'));
  return world;
}

describe('what a plan costs its sources', () => {
  it.each([
    ['an image', 's.test/app:2', { count: 1, exact: true }, { count: 1, exact: true }],
    ['an index, which has at least one', 's.test/app:1', { count: 2, exact: false }, { count: 3, exact: true }],
    [
      'one platform of an index',
      's.test/app:1, platform: linux/arm64',
      { count: 2, exact: true },
      { count: 2, exact: true },
    ],
  ])('is counted in pulls: %s', async (_, source, pulls, measured) => {
    const text = file(
      `source: ${source.replace(',', ', target: t.test/new:1,')}${source.includes(',') ? '' : ', target: t.test/new:1'}`,
    );
    expect((await plan(await stocked(), text)).jobs).toMatchObject([{ registry: 's.test', pulls, bytes: undefined }]);
    expect((await plan(await stocked(), text, true)).jobs).toMatchObject([{ pulls: measured }]);
  });

  it('is nothing where there is nothing to do, or the source is on disk', async () => {
    const world = await stocked();
    await world.put('t.test/two', '1', image('two'));
    await world.put('mirror', '1', image('disk'));
    const { jobs, totals } = await plan(
      world,
      file('source: s.test/app:2, target: t.test/two:1', 'source: "ocidir://mirror:1", target: t.test/disk:1'),
    );
    expect(jobs).toMatchObject([
      { action: 'current', pulls: { count: 0, exact: true } },
      { action: 'copy', registry: undefined, pulls: { count: 0, exact: true } },
    ]);
    expect(totals).toEqual([]);
  });

  it('counts what several targets share once, and adds up by registry', async () => {
    const world = await stocked();
    const text = file(
      'source: s.test/app:1, targets: [t.test/a:1, u.test/a:1]',
      'source: s.test/app:2, target: t.test/b:1',
      'source: other.test/tool:1, target: t.test/c:1',
    );
    expect((await plan(world, text)).totals).toEqual([
      { registry: 'other.test', copies: 1, pulls: { count: 1, exact: true }, bytes: undefined },
      { registry: 's.test', copies: 3, pulls: { count: 3, exact: false }, bytes: undefined },
    ]);
    const { jobs, totals } = await plan(world, text, true);
    const [first, second, third] = jobs.map(({ bytes }) => bytes ?? 0);
    expect(first).toBe(second);
    expect(totals[1]).toEqual({
      registry: 's.test',
      copies: 3,
      pulls: { count: 4, exact: true },
      bytes: (first ?? 0) + (third ?? 0),
    });
  });

  it('has the index that is read to choose a platform, also where nothing else is to be done', async () => {
    const world = await stocked();
    const step = (target: string): string => `source: s.test/app:1, target: "${target}", platform: linux/arm64`;
    await world.put('t.test/there', '1', image('app linux/arm64/', { platform: ARM64 }));
    for (const measure of [false, true]) {
      const { jobs, totals } = await plan(world, file(step('t.test/there:1'), step('t.test/new:1')), measure);
      expect(jobs).toMatchObject([
        { action: 'current', pulls: { count: 1, exact: true } },
        { action: 'copy', pulls: { count: 2, exact: true } },
      ]);
      expect(totals).toMatchObject([{ registry: 's.test', copies: 1, pulls: { count: 2, exact: true } }]);
    }
  });

  it('does not depend on the order of the steps', async () => {
    const place = fc.record({
      source: fc.constantFrom('s.test/app:1', 's.test/app:2', 'other.test/tool:1', 's.test/none:1', 't.test/0:1'),
      target: fc.constantFrom('t.test', 'u.test'),
      more: fc.constantFrom(
        '',
        ', platform: linux/arm64',
        ', referrers: true',
        ', digestTags: true',
        ', fastCheck: true',
      ),
    });
    const cases = fc.array(place, { minLength: 1, maxLength: 8 }).chain((places) => {
      const steps = places.map(
        ({ source, target, more }, at) => `source: "${source}", target: "${target}/${at}:1"${more}`,
      );
      return fc.tuple(fc.constant(steps), fc.shuffledSubarray(steps, { minLength: steps.length }), fc.boolean());
    });
    await fc.assert(
      fc.asyncProperty(cases, async ([steps, shuffled, measure]) => {
        const world = await stocked();
        await world.put('t.test/0', '1', image('two'));
        await world.put('u.test/1', '1', index('app', AMD64, ARM64));
        const [one, other] = [
          await plan(world, file(...steps), measure),
          await plan(world, file(...shuffled), measure),
        ];
        expect(sorted(other.jobs)).toEqual(sorted(one.jobs));
        expect(other.totals).toEqual(one.totals);
      }),
      { numRuns: 60 },
    );
  });
});

/** By target, without what says where in the file it stands. */
function sorted(jobs: readonly PlannedJob[]): readonly unknown[] {
  return jobs
    .toSorted((a, b) => (a.target < b.target ? -1 : 1))
    .map(({ error, ...job }) => ({ ...job, line: 0, error: error?.code }));
}

describe('the rate of the last runs', () => {
  const end = (bytes: number, ms: number): JournalRecord => ({
    kind: 'end',
    time: '2026-11-21T00:00:00.000Z',
    run: 'r',
    outcome: 'done',
    copied: 1,
    current: 0,
    skipped: 0,
    failed: 0,
    pruned: 0,
    bytes,
    ms,
  });

  it.each([
    ['none', [], undefined],
    ['runs that brought nothing', [end(0, 5000), end(1000, 10)], undefined],
    ['one', [end(10 << 20, 2000)], 5 << 20],
    ['all together', [end(10 << 20, 1000), end(10 << 20, 3000), end(0, 99_000)], 5 << 20],
    ['the newest', [end(2 ** 40, 1), ...Array.from({ length: 5 }, () => end(4 << 20, 2000))], 2 << 20],
  ])('of %s', async (_, records, rate) => {
    expect(await measuredRate(each(records))).toBe(rate);
  });
});

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
