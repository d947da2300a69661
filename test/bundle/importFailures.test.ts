import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { importBundles, type ImportReport, type ImportTarget } from '../../src/bundle/import.ts';
import { makeReceipt } from '../../src/bundle/receipt.ts';
import { TargetSinks } from '../../src/bundle/target.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { type Library, type LocalSource, type Sink } from '../../src/core/store.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { codeOf, image, put } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { newCopier } from '../support/worlds.ts';
import { EVERYTHING, exported, NAMING, place, withStores } from './support.ts';

const temporary = temporaryDirectories();
const full = new OclError('OCL_NO_SPACE', 'Cannot write index.json: the disk is full');

/** A library of which some repositories cannot do something. */
function failing(library: Library, names: readonly string[], what: Partial<Sink>): ImportTarget {
  return {
    kind: 'repositories',
    name: 'target',
    holds: library,
    open: async (name) => {
      const sink = await library.sink(name);
      return names.includes(name) ? Object.assign(sink, what) : sink;
    },
  };
}

/** A bundle of two repositories with two images each. */
async function bundleOfFour(directory: string): Promise<string> {
  for (const name of ['one', 'two']) {
    const layout = await newLayout(join(directory, 'near', name));
    await put(layout, image({ name }), { tag: '1' });
    await put(layout, image({ name: `${name} again` }), { tag: '2' });
    await layout.close();
  }
  const path = join(directory, 'bundle.tar');
  await writeFile(path, (await exported(directory, [place(join(directory, 'near'))])).bytes);
  return path;
}

async function imported(path: string, target: ImportTarget): Promise<ImportReport> {
  return await withStores(await temporary(), async (stores) => {
    const source = (await stores.source({ kind: 'path', path })) as LocalSource;
    return await importBundles([{ source, naming: NAMING }], target, {
      copier: newCopier(),
      clock: systemClock,
      emit: silent,
      select: EVERYTHING,
    });
  });
}

const gone = new OclError('OCL_UNREACHABLE', 'Cannot reach it: the connection was closed');

it('a target that answered and then breaks off at one image is asked for the others', async () => {
  const path = await bundleOfFour(await temporary());
  const report = await imported(path, failing(createMemoryLibrary(), ['one'], { put: () => Promise.reject(gone) }));
  expect(report.failed.map((each) => [each.image, each.error.code])).toEqual([
    ['localhost/one:1', 'OCL_UNREACHABLE'],
    ['localhost/one:2', 'OCL_UNREACHABLE'],
  ]);
  expect(report.arrived.map((each) => `${each.repository}:${each.tag ?? ''}`)).toEqual(['two:1', 'two:2']);
});

it('a target that does not answer the first question is asked no second', async () => {
  const path = await bundleOfFour(await temporary());
  let asked = 0;
  const find = (): Promise<never> => {
    asked++;
    return Promise.reject(gone);
  };
  const target = failing(createMemoryLibrary(), ['one', 'two'], { find });
  expect([await codeOf(() => imported(path, target)), asked]).toEqual(['OCL_UNREACHABLE', 1]);
});

it('what failed before a target is out of reach is told with the others', async () => {
  const path = await bundleOfFour(await temporary());
  const library = createMemoryLibrary();
  const open = async (name: string): Promise<Sink> => {
    if (name === 'one') throw new OclError('OCL_DENIED', 'Cannot open it: no');
    return Object.assign(await library.sink(name), { find: () => Promise.reject(gone) });
  };
  const report = await imported(path, { kind: 'repositories', name: 'target', holds: library, open });
  expect(report.failed.map(({ error }) => error.code)).toEqual([
    'OCL_DENIED',
    'OCL_DENIED',
    'OCL_UNREACHABLE',
    'OCL_UNREACHABLE',
  ]);
});

it('images of which the names could not be written have not arrived, nor stand in the receipt', async () => {
  const directory = await temporary();
  const path = await bundleOfFour(directory);
  const library = createMemoryLibrary();
  const target = failing(library, ['two'], { commit: () => Promise.reject(full) });
  await withStores(directory, async (stores) => {
    const source = (await stores.source({ kind: 'path', path })) as LocalSource;
    const options = { copier: newCopier(), clock: systemClock, emit: silent, select: EVERYTHING };
    const report = await importBundles([{ source, naming: NAMING }], target, options);
    expect(report.arrived.map((each) => `${each.repository}:${each.tag ?? ''}`)).toEqual(['one:1', 'one:2']);
    expect(report.failed.map((each) => [each.image, each.error.code])).toEqual([
      ['localhost/two:1', 'OCL_NO_SPACE'],
      ['localhost/two:2', 'OCL_NO_SPACE'],
    ]);
    const receipt = await makeReceipt(
      report,
      { target, bundles: [source] },
      { clock: systemClock, emit: silent, reread: 'none', started: 0, version: '1' },
    );
    expect(receipt.images.map(({ as }) => as)).toEqual(['one:1', 'one:2']);
    expect(receipt.counts).toEqual({ copied: 2, unchanged: 0, kept: 0, failed: 2 });
  });
});

it('all repositories are closed, also when one cannot be', async () => {
  const closed: string[] = [];
  const library = createMemoryLibrary();
  const open = async (name: string): Promise<Sink> => {
    const close = (): Promise<void> => {
      closed.push(name);
      return name === 'a' ? Promise.reject(full) : Promise.resolve();
    };
    return Object.assign(await library.sink(name), { close });
  };
  const sinks = new TargetSinks({ kind: 'repositories', name: 'target', holds: library, open });
  for (const name of ['a', 'b', 'c']) await sinks.open(name);
  expect(await codeOf(() => sinks.close())).toBe('OCL_NO_SPACE');
  expect(closed).toEqual(['a', 'b', 'c']);
});
