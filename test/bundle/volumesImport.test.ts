import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importBundles, type ImportReport, type ImportTarget } from '../../src/bundle/import.ts';
import { checkStore } from '../../src/copy/check.ts';
import { Copier } from '../../src/copy/copier.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { type LocalSource } from '../../src/core/store.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openVolumes } from '../../src/stores/archive/reader.ts';
import { collectGarbage } from '../../src/stores/layout/gc.ts';
import { openLayout, openOrCreateLayout } from '../../src/stores/layout/layout.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { importsPath } from '../../src/stores/layout/session.ts';
import { whyNoDockerRegistry } from '../support/dockerRegistry.ts';
import { codeOf, digestsIn, image, index, namesIn, noise, piece, signature, sizeOf } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';
import { writeVolumes, type Named } from '../support/volumes.ts';
import { openFar, type FarKind } from './deltaWorld.ts';
import { EVERYTHING, NAMING } from './support.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const layer = (size: number, seed: number, algorithm: 'sha256' | 'sha512' = 'sha256') =>
  piece(noise(size, seed), LAYER, algorithm);

/** Two repositories; a content that is cut, one in sha512, an empty one, an index, and signatures that lie apart from what they sign. */
function shopOf(scale: number): readonly Named[] {
  const shared = layer(scale, 1);
  const large = image({ name: 'large', layers: [shared, layer(scale * 5, 2), layer(0, 3)] });
  const both = index([
    image({ name: 'a', layers: [shared, layer(scale, 4, 'sha512')] }),
    image({ name: 'b', layers: [layer(scale, 5)] }),
  ]);
  return [
    { graph: large, name: 'example.com/team/large:1' },
    { graph: both, name: 'example.com/team/both:1' },
    { graph: image({ name: 'older', layers: [shared] }), name: 'example.com/team/both:0' },
    { graph: signature(large.root, 'signed'.repeat(scale / 60)), name: '' },
    { graph: signature(both.root, 'signed, too'), name: '' },
  ];
}

async function importVolumes(paths: readonly string[], target: ImportTarget, checkOnly = false): Promise<ImportReport> {
  const source = await openVolumes(paths, { tmpDir: await temporary() });
  try {
    return await importBundles([{ source, naming: NAMING }], target, {
      copier: new Copier({ clock: systemClock, emit: silent, concurrency: 3 }),
      clock: systemClock,
      emit: silent,
      select: EVERYTHING,
      checkOnly,
    });
  } finally {
    await source.close();
  }
}

async function layoutTarget(path: string): Promise<ImportTarget> {
  return { kind: 'layout', sink: await openOrCreateLayout(path, layoutOptions()), state: importsPath(path) };
}

async function collect(path: string): Promise<void> {
  const layout = await openLayout(path, layoutOptions());
  await collectGarbage(layout, { clock: systemClock, emit: silent, grace: 0, dryRun: false });
}

async function holdings(store: LocalSource): Promise<unknown> {
  return [await namesIn(store), await digestsIn(store)];
}

const exists = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => true,
    () => false,
  );

describe('volumes that are imported', () => {
  it('give the same layout in whatever order and company they come, whatever is tidied up in between', async () => {
    const shops = new Map([60, 900].map((scale) => [scale, shopOf(scale * 10)]));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...shops.keys()),
        fc.integer({ min: 34_000, max: 60_000 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        async (scale, size, order, breaks) => {
          const named = shops.get(scale) ?? [];
          const directory = await temporary();
          const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [size] });
          const shuffled = paths
            .map((path, i) => ({ path, at: order[i % order.length] ?? 0 }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ path }) => path);
          const commands: string[][] = [[]];
          for (const [i, path] of shuffled.entries()) {
            if (breaks[i % breaks.length] === true) commands.push([]);
            commands.at(-1)?.push(path);
          }
          const layout = join(directory, 'layout');
          let last: ImportReport | undefined;
          for (const [i, command] of commands.filter((each) => each.length > 0).entries()) {
            last = await importVolumes(command, await layoutTarget(layout));
            expect(last.failed).toEqual([]);
            if (i % 2 === 0) await collect(layout);
          }
          expect(last?.awaited).toEqual([]);
          const store = await openLayout(layout, layoutOptions());
          const everything = new Set(named.flatMap(({ graph }) => graph.pieces.map((each) => each.descriptor.digest)));
          expect(await digestsIn(store)).toEqual([...everything].toSorted());
          expect((await store.roots()).length).toBe(named.length);
          await collect(layout);
          expect((await checkStore(store)).findings).toEqual([]);
          expect((await readdir(layout)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
        },
      ),
      { numRuns: 15 },
    );
  });

  it.for<FarKind>(['memory', 'library', 'registry', 'docker-registry'])(
    'arrive one by one in a %s',
    async (kind, context) => {
      const why = kind === 'docker-registry' ? whyNoDockerRegistry() : undefined;
      if (why !== undefined) return context.skip(why);
      const directory = await temporary();
      const named = shopOf(10_000);
      const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [40_000] });
      expect(paths.length).toBeGreaterThan(2);
      const far = await openFar(kind);
      const once = await openFar(kind);
      const state = join(directory, 'state', 'imports');
      try {
        for (const [i, path] of paths.toReversed().entries()) {
          const report = await importVolumes([path], { ...(await far.target()), state });
          expect(report.failed).toEqual([]);
          const missing = paths.map((_, n) => n + 1).slice(0, paths.length - 1 - i);
          expect(report.awaited[0]?.missing ?? []).toEqual(missing);
          expect(report.awaited[0]?.images.length ?? 0).toBeLessThanOrEqual(named.length);
        }
        await importVolumes(paths, { ...(await once.target()), state });
        const [one, other] = [await far.holds(), await once.holds()];
        expect(await one.repositories()).toEqual(['team/both', 'team/large']);
        for (const repository of await one.repositories()) {
          const [a, b] = [await one.source(repository), await other.source(repository)];
          if (a !== undefined && b !== undefined && 'roots' in a && 'roots' in b)
            expect(await holdings(a as LocalSource)).toEqual(await holdings(b as LocalSource));
        }
        expect(await exists(state)).toBe(false);
        const again = await importVolumes([paths[0] ?? ''], { ...(await far.target()), state });
        expect(again).toMatchObject({ failed: [], awaited: [] });
        expect(again.results.every(({ outcome }) => outcome === 'current')).toBe(true);
        expect(await exists(state)).toBe(false);
      } finally {
        await far.close();
        await once.close();
      }
    },
  );

  it('name no image before all that belongs to it is there, and say which volumes it needs', async () => {
    const directory = await temporary();
    const named = shopOf(10_000);
    const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [40_000] });
    const layout = join(directory, 'layout');
    const arrived: (readonly string[])[] = [];
    let kept = 0;
    for (const path of paths) {
      const told = await importVolumes([path], await layoutTarget(layout), true);
      const { awaited } = await importVolumes([path], await layoutTarget(layout));
      // A check says beforehand what the import says afterwards, but for the slices that it keeps itself.
      expect(told.awaited[0]?.missing ?? []).toEqual(awaited[0]?.missing ?? []);
      expect(told.awaited[0]?.images.map(({ image }) => image)).toEqual(awaited[0]?.images.map(({ image }) => image));
      const store = await openLayout(layout, layoutOptions());
      const names = await namesIn(store);
      arrived.push(names);
      kept += awaited[0]?.keptBytes ?? 0;
      expect((await checkStore(store)).damaged).toBe(false);
      for (const each of awaited[0]?.images ?? []) {
        expect(names.some((name) => name.endsWith(each.root.digest))).toBe(false);
        expect(each.volumes.length).toBeGreaterThan(0);
      }
    }
    // Of 50,000 bytes that are cut; the last slice makes them whole, and is awaited no more.
    expect(kept).toBeGreaterThan(10_000);
    expect(kept).toBeLessThan(60_000);
    expect(arrived[0]?.length).toBeLessThan(arrived.at(-1)?.length ?? 0);
  });

  it('of images without names are awaited by a check as by an import', async () => {
    const directory = await temporary();
    const large = image({ name: 'large', layers: [layer(30_000, 1), layer(30_000, 2)] });
    const named = [{ graph: large, name: '' }];
    const [first = '', ...others] = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [40_000] });
    const layout = join(directory, 'layout');
    const target = async (): Promise<ImportTarget> => await layoutTarget(layout);
    const told = await importVolumes([first], await target(), true);
    expect(told.awaited).toMatchObject([{ missing: [2], images: [{ image: large.root.digest, volumes: [2] }] }]);
    expect((await importVolumes([first], await target())).awaited).toMatchObject([{ missing: [2] }]);
    for (const checkOnly of [true, false])
      expect((await importVolumes(others, await target(), checkOnly)).awaited).toEqual([]);
    expect((await importVolumes([first], await target(), true)).awaited).toEqual([]);
  });

  it('tell of each content once that it flowed, and of what waits only as long as it does', async () => {
    const directory = await temporary();
    const named = shopOf(10_000);
    const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [40_000] });
    for (const [i, order] of [paths, paths.toReversed()].entries()) {
      const layout = join(directory, `layout ${i}`);
      const waiting: number[] = [];
      let flowed = 0;
      for (const path of order) {
        const { awaited, streamed } = await importVolumes([path], await layoutTarget(layout));
        waiting.push(awaited[0]?.keptBytes ?? 0);
        flowed += streamed;
      }
      expect(flowed).toBe(await sizeOf(await openLayout(layout, layoutOptions())));
      // The content that is cut lies in the first three volumes, and waits until the last of those has come.
      const waits = i === 0 ? [true, true, false, false, false, false] : [false, false, false, true, true, false];
      expect(waiting.map((bytes) => bytes > 0)).toEqual(waits);
    }
  });

  it('keep what they brought from the garbage collector, until they are given up', async () => {
    const directory = await temporary();
    const paths = await writeVolumes(join(directory, 'set.tar'), shopOf(10_000), { sizes: [40_000] });
    const layout = join(directory, 'layout');
    const [first = '', ...others] = paths;
    await importVolumes(others, await layoutTarget(layout));
    const store = await openLayout(layout, layoutOptions());
    const before = await digestsIn(store);
    expect(before.length).toBeGreaterThan(0);
    const options = { clock: systemClock, emit: silent, grace: 0, dryRun: false };
    expect(await collectGarbage(store, options)).toMatchObject({ removed: [], imports: 1 });
    expect(await digestsIn(store)).toEqual(before);
    const dry = await collectGarbage(store, { ...options, dryRun: true, forgetImports: true });
    expect(dry.removed.length).toBeGreaterThan(0);
    expect(await digestsIn(store)).toEqual(before);
    const forgotten = await collectGarbage(store, { ...options, forgetImports: true });
    expect(forgotten).toMatchObject({ imports: 0, removed: dry.removed });
    expect((await readdir(layout)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    // What was collected is asked for again.
    const { awaited } = await importVolumes([first], await layoutTarget(layout));
    expect(awaited[0]?.missing).toContain(2);
    expect((await importVolumes(others, await layoutTarget(layout))).awaited).toEqual([]);
  });

  it('are not taken for right when a slice is altered, and go on with a good one', async () => {
    const directory = await temporary();
    const paths = await writeVolumes(join(directory, 'set.tar'), shopOf(10_000), { sizes: [40_000] });
    const large = noise(50_000, 2);
    const [first = ''] = paths;
    const good = await readFile(first);
    const bad = Buffer.from(good);
    const at = bad.indexOf(large.subarray(0, 32));
    bad[at + 5] = (bad[at + 5] ?? 0) ^ 1;
    await writeFile(first, bad);
    const library = new LayoutTree(join(directory, 'library'), layoutOptions());
    const target = (): ImportTarget => ({
      kind: 'repositories',
      name: 'library',
      open: async (repository) => await library.sink(repository),
      holds: library,
      state: importsPath(join(directory, 'library')),
    });
    const failed = await importVolumes([first], target());
    expect(failed.failed).toMatchObject([
      { error: { code: 'OCL_DIGEST_MISMATCH', message: expect.stringContaining('in volume 1 (') as string } },
    ]);
    await writeFile(first, good);
    for (const path of paths) expect((await importVolumes([path], target())).failed).toEqual([]);
    expect(await library.repositories()).toEqual(['team/both', 'team/large']);
    expect(await exists(join(directory, 'library', '.ocl'))).toBe(false);
  });

  it('begin anew with what somebody has spoilt in between', async () => {
    const directory = await temporary();
    const paths = await writeVolumes(join(directory, 'set.tar'), shopOf(10_000), { sizes: [40_000] });
    const layout = join(directory, 'layout');
    const [last = '', ...others] = paths;
    for (const path of others) await importVolumes([path], await layoutTarget(layout));
    const [kept = ''] = await readdir(importsPath(layout));
    const directoryOfSet = join(importsPath(layout), kept.replace(/\.json$/, ''));
    const file = (await readdir(directoryOfSet)).find((name) => /^sha256-[0-9a-f]+$/.test(name)) ?? '';
    const bytes = await readFile(join(directoryOfSet, file));
    const at = bytes.length - 100;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(join(directoryOfSet, file), bytes);
    const failed = await importVolumes([last], await layoutTarget(layout));
    expect(failed.failed).toMatchObject([{ error: { code: 'OCL_DIGEST_MISMATCH' } }]);
    let report: ImportReport | undefined;
    for (const path of paths) report = await importVolumes([path], await layoutTarget(layout));
    expect(report).toMatchObject({ failed: [], awaited: [] });
    const store = await openLayout(layout, layoutOptions());
    expect((await checkStore(store)).findings).toEqual([]);
  });
});

it('into what never answers ends with the first image', async () => {
  const written = await writeVolumes(join(await temporary(), 'set.tar'), shopOf(600), { sizes: [60_000] });
  let asked = 0;
  const open = (): Promise<never> => {
    asked++;
    return Promise.reject(new OclError('OCL_UNREACHABLE', 'Cannot reach it', { side: 'target' }));
  };
  const holds = { name: 'gone', repositories: () => Promise.resolve([]), source: () => Promise.resolve(undefined) };
  const target: ImportTarget = { kind: 'repositories', name: 'gone', state: await temporary(), open, holds };
  expect(await codeOf(() => importVolumes(written, target))).toBe('OCL_UNREACHABLE');
  expect(asked).toBe(1);
});
