import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { isLayout, openLayout } from '../../src/stores/layout/layout.ts';
import { ended } from '../support/child.ts';
import { ocl, startOcl } from '../support/cli.ts';
import { image, index, noise, piece, signature } from '../support/graphs.ts';
import { layoutOptions } from '../support/layouts.ts';
import { type Named } from '../support/worlds.ts';
import { countsOf, SERVERS, SyncWorld } from '../support/syncWorld.ts';

const KILLS = 9;
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Twelve images of layers up to 1 MiB that they share in part, two of them under an index, and a signature of each. */
function images(): readonly Named[] {
  const layers = Array.from({ length: 24 }, (_, i) =>
    piece(noise(i % 8 === 0 ? 1 << 20 : (i * 7919) % 60_000, i), LAYER),
  );
  const single = Array.from({ length: 10 }, (_, i) => image({ name: `${i}`, layers: layers.slice(2 * i, 2 * i + 5) }));
  const wide = index([
    image({ name: 'a', layers: layers.slice(0, 12) }),
    image({ name: 'b', layers: layers.slice(8) }),
  ]);
  const graphs = [...single, wide];
  return [
    ...graphs.map((graph, i) => ({ graph, name: { tag: `v${i}` } })),
    ...graphs.map(({ root }) => ({ graph: signature(root), name: {} })),
  ];
}

const IMAGES = images();
const TAGGED = IMAGES.filter(({ name }) => name.tag !== undefined);
const TARGETS = SERVERS.flatMap((server) => [
  { ...server, to: 'registry' as const },
  ...(server.kind === 'embedded' ? [{ ...server, to: 'layout' as const }] : []),
]);

describe.each(TARGETS)('a sync from $kind into a $to', ({ kind, missing, to }) => {
  let world: SyncWorld;
  beforeAll(async () => {
    if (missing) return;
    world = await SyncWorld.start(kind);
    await world.stock(world.place('registry', 'source', 'app'), IMAGES);
  });
  afterAll(async () => {
    await world?.close();
  });

  /** A step with a target of its own, and that target. */
  function stepTo(name: string): { readonly steps: readonly string[]; readonly target: string } {
    const target = world.place(to, 'target', name);
    const source = world.place('registry', 'source', 'app');
    return {
      steps: [`type: repository, source: "${source}", target: "${target}", referrers: true, tags: {allow: ["v.*"]}`],
      target,
    };
  }

  /** Nothing that has a name lacks anything; in a layout nothing at all is damaged. */
  async function expectSound(target: string): Promise<void> {
    const path = target.replace('ocidir://', '');
    if (to === 'layout' && !(await isLayout(path))) return;
    const there = await world.tags(target);
    const visible = TAGGED.filter(({ name }) => there.includes(name.tag ?? ''));
    expect(await world.differences(target, visible)).toEqual([]);
    if (to === 'registry') return;
    const { findings } = await checkStore(await openLayout(path, layoutOptions()));
    expect(findings.filter((finding) => finding.kind !== 'unreferenced')).toEqual([]);
  }

  it.skipIf(missing)(
    `that is killed at any of ${KILLS} moments shows nothing broken, and ends whole when it is run again`,
    async () => {
      const started = performance.now();
      const whole = stepTo('whole');
      expect((await world.sync(whole.steps)).summary).toMatchObject({ copied: TAGGED.length, failed: [] });
      // The longest that a run may take: the next ones find the machine warm.
      let duration = performance.now() - started;

      let killed = 0;
      for (let i = 0; i < KILLS; i++) {
        // Each third target is new; the others meet what was left by those before.
        const { steps, target } = stepTo(`killed${Math.floor(i / 3)}`);
        const file = await world.file(steps);
        const from = performance.now();
        const child = startOcl(['sync', '--config', file, '--quiet']);
        const gone = ended(child);
        await Promise.race([gone, wait((0.2 + (0.8 * ((i * 5) % KILLS)) / KILLS) * duration)]);
        child.kill('SIGKILL');
        if ((await gone) === null) killed++;
        else duration = Math.min(duration, performance.now() - from);
        await expectSound(target);
      }
      expect(killed).toBeGreaterThan(KILLS / 2);

      for (let i = 0; i < KILLS / 3; i++) {
        const { steps, target } = stepTo(`killed${i}`);
        const { summary } = await world.sync(steps);
        expect(summary).toMatchObject({ failed: [] });
        expect(summary.copied + summary.current).toBe(TAGGED.length);
        expect(await world.differences(target, IMAGES)).toEqual([]);
        expect((await world.sync(steps)).summary).toMatchObject({ copied: 0, current: TAGGED.length, bytes: 0 });
      }
    },
    120_000,
  );

  it.skipIf(missing)(
    'that another does at the same time loses nothing',
    async () => {
      for (let round = 0; round < 2; round++) {
        const { steps, target } = stepTo(`both${round}`);
        const file = await world.file(steps);
        const results = await Promise.all([0, 1].map(() => ocl(['sync', '--config', file, '--quiet'])));
        expect(results.map(({ status, stderr }) => [status, stderr])).toEqual([
          [0, ''],
          [0, ''],
        ]);
        expect(await world.differences(target, IMAGES)).toEqual([]);
        const again = await world.sync(steps);
        expect(again.summary).toMatchObject({ copied: 0, current: TAGGED.length, failed: [], bytes: 0 });
        expect(countsOf(again.target)['PUT manifest'] ?? 0).toBe(0);
      }
    },
    60_000,
  );
});
