import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { collectGarbage } from '../../src/stores/layout/gc.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { ended } from '../support/child.ts';
import { ocl, oclDone, startOcl } from '../support/cli.ts';
import { digestsIn, image, index, multiPlatform, namesIn, noise, piece, put, signature } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';

const KILLS = 50;
const SEED = 20_261_121;
/** Every so many kills the commands are asked, too; in between their engine is, which takes a tenth of the time. */
const BY_COMMAND = 10;
const REPOSITORIES = ['team/wide', 'team/deep', 'platforms'];
const temporary = temporaryDirectories();

/** About sixty contents from nothing to 2 MiB, in three repositories with referrers. */
async function writeBundle(directory: string): Promise<string> {
  const layers = Array.from({ length: 36 }, (_, i) =>
    piece(noise(i % 12 === 0 ? 2 << 20 : (i * 7919) % 60_000, i), 'application/vnd.oci.image.layer.v1.tar+gzip'),
  );
  const wide = index([0, 1, 2].map((i) => image({ name: `wide-${i}`, layers: layers.slice(i * 9, i * 9 + 12) })));
  const deep = image({ name: 'deep', layers: layers.slice(24) });
  const graphs = [wide, deep, multiPlatform()];
  for (const [i, graph] of graphs.entries()) {
    const layout = await newLayout(join(directory, 'origin', REPOSITORIES[i] ?? ''));
    await put(layout, graph, '1.0');
    await put(layout, signature(graph.root), {});
    await layout.close();
  }
  const file = join(directory, 'bundle.tar');
  await oclDone(['export', join(directory, 'origin'), '-o', file]);
  return file;
}

/** Numbers from 0 up to 1 that are the same at every run. */
function* fractions(seed: number): Generator<number> {
  for (let state = seed >>> 0; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** Runs the import and kills it when it has printed so many lines, which it does at every step that it takes. */
async function killAfter(lines: number, args: readonly string[]): Promise<boolean> {
  const child = startOcl(args);
  const gone = ended(child);
  child.stderr.resume();
  let seen = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString().split('\n').length - 1;
    if (seen >= lines) child.kill('SIGKILL');
  });
  return (await gone) === null;
}

/** The repositories that the library has so far. */
async function begun(library: string): Promise<readonly string[]> {
  const paths = REPOSITORIES.map((repository) => join(library, repository));
  const there = await Promise.all(
    paths.map(async (path) =>
      stat(join(path, 'oci-layout')).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_, i) => there[i]);
}

async function expectSound(path: string): Promise<void> {
  const layout = await openLayout(path, layoutOptions());
  expect((await checkStore(layout)).findings.filter(({ kind }) => kind !== 'unreferenced')).toEqual([]);
}

async function expectCleaned(path: string): Promise<void> {
  const layout = await openLayout(path, layoutOptions());
  await collectGarbage(layout, { clock: systemClock, emit: silent, grace: 0, dryRun: false });
  expect((await checkStore(layout)).findings).toEqual([]);
  expect((await readdir(path)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
}

async function holdings(library: string): Promise<unknown> {
  return await Promise.all(
    REPOSITORIES.map(async (repository) => {
      const layout = await openLayout(join(library, repository), layoutOptions());
      return [await namesIn(layout), await digestsIn(layout)];
    }),
  );
}

describe('an import that is killed', () => {
  it(`leaves nothing broken at any of ${KILLS} moments, and finishes when it is run again`, async () => {
    const directory = await temporary();
    const library = join(directory, 'library');
    const args = ['import', await writeBundle(directory), library, '--json'];
    const { stdout } = await oclDone(args);
    const steps = stdout.split('\n').length - 1;
    expect(steps).toBeGreaterThan(120);
    const expected = await holdings(library);
    expect((expected as [unknown, string[]][]).flatMap(([, digests]) => digests).length).toBeGreaterThan(60);
    await rm(library, { recursive: true });

    const random = fractions(SEED);
    let killed = 0;
    let unfinished = 0;
    for (let i = 0; i < KILLS; i++) {
      // Some runs go on where the one before was killed, so that what it left is met by an import, too.
      if (i % 3 === 0) await rm(library, { recursive: true, force: true });
      const moment = Math.ceil(((i + (random.next().value as number)) / KILLS) * steps);
      if (await killAfter(moment, args)) killed++;
      const layouts = await begun(library);
      if (layouts.length < REPOSITORIES.length) unfinished++;
      for (const path of layouts) await expectSound(path);
      if (layouts.length === 0 || i % 2 === 0) continue;
      if (i % BY_COMMAND === 1) {
        expect((await ocl(['check', library])).status).toBe(0);
        await oclDone(['gc', library, '--grace', '0']);
        await oclDone(args);
        expect(await holdings(library)).toEqual(expected);
      }
      for (const path of layouts) await expectCleaned(path);
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
    expect(unfinished).toBeGreaterThan(0);

    await oclDone(args);
    expect((await oclDone(['check', library])).stdout.match(/: ok, /g)).toHaveLength(REPOSITORIES.length);
    expect(await holdings(library)).toEqual(expected);
    for (const repository of REPOSITORIES) await expectCleaned(join(library, repository));
  }, 180_000);
});
