import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { collectGarbage } from '../../src/stores/layout/gc.ts';
import { isLayout, openLayout } from '../../src/stores/layout/layout.ts';
import { ended } from '../support/child.ts';
import { oclDone, startOcl } from '../support/cli.ts';
import { digestsIn, image, namesIn, noise, piece, put, signature } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';

const KILLS = 20;
const REPOSITORIES = ['team/deep', 'team/wide'];
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const temporary = temporaryDirectories();

/** Two repositories with some forty contents; two of them are cut. */
async function fillLibrary(root: string): Promise<void> {
  const layers = Array.from({ length: 20 }, (_, i) =>
    piece(noise(i % 10 === 0 ? 900_000 : (i * 7919) % 60_000, i), LAYER),
  );
  for (const [i, repository] of REPOSITORIES.entries()) {
    const layout = await newLayout(join(root, repository));
    const graph = image({ name: repository, layers: layers.slice(i * 8, i * 8 + 12) });
    await put(layout, graph, '1.0');
    await put(layout, signature(graph.root), {});
    await layout.close();
  }
}

/** Runs a command and kills it when it has printed so many lines, which it does at every step that it takes. */
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

function* moments(count: number, steps: number): Generator<number> {
  for (let state = 20_261_122, i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield Math.ceil(((i + state / 2 ** 32) / count) * steps);
  }
}

async function filesIn(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(directory)).toSorted();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)));
}

async function holdings(library: string): Promise<unknown> {
  return await Promise.all(
    REPOSITORIES.map(async (repository) => {
      const layout = await openLayout(join(library, repository), layoutOptions());
      return [await namesIn(layout), await digestsIn(layout)];
    }),
  );
}

describe('an export into volumes that is killed', () => {
  it(`shows nothing that is not whole at any of ${KILLS} moments, and finishes when it is run again`, async () => {
    const directory = await temporary();
    const [expectedIn, out] = [await temporary(), await temporary()];
    await fillLibrary(join(directory, 'library'));
    const args = (to: string): string[] => [
      'export',
      join(directory, 'library'),
      '-o',
      join(to, 'set.tar'),
      '--volume-size',
      '600KB',
      '--json',
    ];
    const steps = (await oclDone(args(expectedIn))).stdout.split('\n').length - 1;
    const expected = await filesIn(expectedIn);
    expect(expected.size).toBeGreaterThan(3);
    let killed = 0;
    for (const moment of moments(KILLS, steps)) {
      if (await killAfter(moment, args(out))) killed++;
      for (const [name, bytes] of await filesIn(out)) {
        if (!name.endsWith('.partial')) expect(bytes.equals(expected.get(name) ?? Buffer.alloc(0))).toBe(true);
        // What a run leaves that came to its end before it was killed.
        if (name.endsWith('.tar') && (await readdir(out)).length === expected.size) await rm(join(out, name));
      }
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
    await oclDone(args(out));
    const finished = await filesIn(out);
    expect([...finished.keys()]).toEqual([...expected.keys()]);
    for (const [name, bytes] of finished) expect(bytes.equals(expected.get(name) ?? Buffer.alloc(0))).toBe(true);
  }, 180_000);
});

describe('an import of volumes that is killed', () => {
  it(`leaves nothing broken at any of ${KILLS} moments, and finishes when its commands are run again`, async () => {
    const directory = await temporary();
    const [origin, library] = [join(directory, 'origin'), join(directory, 'library')];
    await fillLibrary(origin);
    await oclDone(['export', origin, '-o', join(directory, 'set.tar'), '--volume-size', '600KB']);
    const volumes = (await readdir(directory))
      .filter((name) => name.endsWith('.tar'))
      .map((name) => join(directory, name));
    expect(volumes.length).toBeGreaterThan(3);
    const args = (volume: string): string[] => ['import', volume, library, '--json'];
    let killed = 0;
    let whole = 0;
    for (const [i, moment] of [...moments(KILLS, 40)].entries()) {
      const volume = volumes[(i * 7) % volumes.length] ?? '';
      if (await killAfter(moment, args(volume))) killed++;
      for (const repository of REPOSITORIES) {
        const path = join(library, repository);
        if (!(await isLayout(path))) continue;
        const layout = await openLayout(path, layoutOptions());
        expect((await checkStore(layout)).damaged).toBe(false);
        whole += (await layout.roots()).length;
        // Also in between nothing is lost that was brought by a command that came to its end.
        if (i % 5 === 4) await collectGarbage(layout, { clock: systemClock, emit: silent, grace: 0, dryRun: false });
      }
      // Some runs begin anew.
      if (i % 12 === 11) await rm(library, { recursive: true });
    }
    expect(killed).toBeGreaterThan(KILLS / 3);
    for (const volume of volumes.toReversed()) {
      const child = startOcl(args(volume));
      child.stdout.resume();
      child.stderr.resume();
      expect([0, 2]).toContain(await ended(child));
    }
    expect(whole).toBeGreaterThanOrEqual(0);
    expect(await holdings(library)).toEqual(await holdings(origin));
    await oclDone(['check', library, '--strict']);
    await oclDone(['gc', library, '--grace', '0']);
    for (const repository of REPOSITORIES)
      expect((await readdir(join(library, repository))).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(await readdir(library)).toEqual(['team']);
  }, 180_000);
});
