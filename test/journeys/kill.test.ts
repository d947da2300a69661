import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { collectGarbage } from '../../src/stores/layout/gc.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { bundle, ended, type Program } from '../support/child.ts';
import { digestsIn, image, index, multiPlatform, namesIn, noise, piece, put, signature } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';

const KILLS = 50;
const SEED = 20_261_120;
const temporary = temporaryDirectories();
let program: Program;

beforeAll(async () => {
  program = await bundle('layoutProgram.ts');
});

afterAll(async () => {
  await program.close();
});

/** About sixty contents from nothing to 3 MiB, in three images with referrers. */
async function fillSource(root: string): Promise<void> {
  const layout = await newLayout(root);
  const layers = Array.from({ length: 36 }, (_, i) =>
    piece(noise(i % 12 === 0 ? 3 << 20 : (i * 7919) % 60_000, i), 'application/vnd.oci.image.layer.v1.tar+gzip'),
  );
  const wide = index([0, 1, 2].map((i) => image({ name: `wide-${i}`, layers: layers.slice(i * 9, i * 9 + 12) })));
  const deep = image({ name: 'deep', layers: layers.slice(24) });
  await put(layout, wide, 'wide');
  await put(layout, deep, 'deep');
  await put(layout, multiPlatform(), 'platforms');
  await put(layout, signature(wide.root), {});
  await put(layout, signature(deep.root), {});
  await layout.close();
}

/** Numbers from 0 up to 1 that are the same at every run. */
function* fractions(seed: number): Generator<number> {
  for (let state = seed >>> 0; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

describe('a copy that is killed', () => {
  it(`leaves nothing broken at any of ${KILLS} moments, and finishes when it is run again`, async () => {
    const directory = await temporary();
    const source = join(directory, 'source');
    const target = join(directory, 'target');
    await fillSource(source);
    const expected = await openLayout(source, layoutOptions());
    const [digests, names] = [await digestsIn(expected), await namesIn(expected)];
    expect(digests.length).toBeGreaterThan(55);

    const started = performance.now();
    expect(await program.run(['copy', target, source])).toEqual({ status: 0, output: '' });
    // The longest that a run may take: the next ones find the machine warm.
    let whole = performance.now() - started;
    expect(await digestsIn(await openLayout(target, layoutOptions()))).toEqual(digests);
    await rm(target, { recursive: true });

    const random = fractions(SEED);
    let killed = 0;
    let unfinished = 0;
    for (let i = 0; i < KILLS; i++) {
      // Some runs go on where the one before was killed, so that what it left is met by a copy, too.
      if (i % 3 === 0) await rm(target, { recursive: true, force: true });
      const from = performance.now();
      const child = program.start(['copy', target, source]);
      const gone = ended(child);
      await Promise.race([gone, wait(((i + (random.next().value as number)) / KILLS) * whole)]);
      child.kill('SIGKILL');
      if ((await gone) === null) killed++;
      else whole = Math.min(whole, performance.now() - from);
      if (!(await exists(join(target, 'oci-layout')))) continue;
      const layout = await openLayout(target, layoutOptions());
      expect((await checkStore(layout)).findings.filter(({ kind }) => kind !== 'unreferenced')).toEqual([]);
      if ((await layout.roots()).length === 0) unfinished++;
      if (i % 2 === 0) continue;
      await collectGarbage(layout, { clock: systemClock, emit: silent, grace: 0, dryRun: false });
      expect((await checkStore(layout)).findings).toEqual([]);
      expect((await readdir(target)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
    expect(unfinished).toBeGreaterThan(0);

    expect(await program.run(['copy', target, source])).toEqual({ status: 0, output: '' });
    const layout = await openLayout(target, layoutOptions());
    await collectGarbage(layout, { clock: systemClock, emit: silent, grace: 0, dryRun: false });
    expect((await checkStore(layout)).findings).toEqual([]);
    expect([await digestsIn(layout), await namesIn(layout)]).toEqual([digests, names]);
    expect((await readdir(target)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  }, 120_000);
});
