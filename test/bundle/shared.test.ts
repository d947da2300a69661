import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importBundles, type GivenBundle, type ImportReport } from '../../src/bundle/import.ts';
import { silent } from '../../src/core/events.ts';
import { type LocalSource } from '../../src/core/store.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { image, noise, piece, put, type Piece } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { newCopier } from '../support/worlds.ts';
import { EVERYTHING, exported, NAMING, place, withStores } from './support.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const shared = piece(noise(200_000, 1), LAYER);
const FILE = ['blobs', ...shared.descriptor.digest.split(':')];

/** A bundle of a library in which each image has the shared layer, and what else is named for it. */
async function bundleOf(directory: string, images: Readonly<Record<string, readonly Piece[]>>): Promise<Buffer> {
  for (const [name, layers] of Object.entries(images)) {
    const layout = await newLayout(join(directory, 'near', name));
    await put(layout, image({ name, layers: [...layers, shared] }), { tag: '1' });
    await layout.close();
  }
  return (await exported(directory, [place(join(directory, 'near'))])).bytes;
}

async function imported(directory: string, bundles: readonly Buffer[]): Promise<ImportReport> {
  const out = join(directory, 'out');
  return await withStores(directory, async (stores) => {
    const library = await stores.library({ kind: 'path', path: out }, { create: true });
    const given: GivenBundle[] = [];
    for (const [i, bytes] of bundles.entries()) {
      const path = join(directory, `bundle${i}.tar`);
      await writeFile(path, bytes);
      const source = (await stores.source({ kind: 'path', path })) as LocalSource;
      given.push({ source, naming: NAMING });
    }
    const target = {
      kind: 'repositories',
      name: out,
      directory: out,
      open: async (repository: string) => await library.sink(repository),
      holds: library,
    } as const;
    const options = { copier: newCopier(), clock: systemClock, emit: silent, select: EVERYTHING };
    return await importBundles(given, target, { ...options, measure: newCopier() });
  });
}

/** The files of the shared layer, by the number of each. */
async function filesOf(directory: string, names: readonly string[]): Promise<ReadonlySet<number>> {
  const stats = names.map(async (name) => await stat(join(directory, 'out', name, ...FILE)));
  return new Set((await Promise.all(stats)).map(({ ino }) => ino));
}

describe('a layer that images of a library share', () => {
  it('flows once, and is one file', async () => {
    const directory = await temporary();
    const { failed, results } = await imported(directory, [await bundleOf(directory, { one: [], two: [], three: [] })]);
    expect(failed).toEqual([]);
    expect(results.map(({ streamed }) => streamed > 200_000)).toEqual([true, false, false]);
    expect((await filesOf(directory, ['one', 'two', 'three'])).size).toBe(1);
  });

  it('is one file also where several bundles bring it', async () => {
    const directory = await temporary();
    const first = await bundleOf(await temporary(), { one: [] });
    const second = await bundleOf(await temporary(), { two: [] });
    expect((await imported(directory, [first, second])).failed).toEqual([]);
    expect((await filesOf(directory, ['one', 'two'])).size).toBe(1);
  });

  it('arrives with the next image when the first of them fails', async () => {
    const directory = await temporary();
    const own = piece(noise(5000, 2), LAYER);
    const bytes = await bundleOf(directory, { one: [own], two: [], three: [] });
    bytes.write('damaged', bytes.indexOf(own.bytes.subarray(0, 64)));
    const { failed, arrived } = await imported(directory, [bytes]);
    expect(failed.map(({ image: name, error }) => [name, error.code])).toEqual([
      ['localhost/one:1', 'OCL_DIGEST_MISMATCH'],
    ]);
    expect(arrived.map(({ repository }) => repository)).toEqual(['three', 'two']);
    expect((await filesOf(directory, ['two', 'three'])).size).toBe(1);
    for (const name of ['two', 'three'])
      expect((await readFile(join(directory, 'out', name, ...FILE))).equals(shared.bytes)).toBe(true);
  });
});

const canMount = process.getuid?.() === 0 && process.platform === 'linux';

describe.skipIf(!canMount)(`room for what is shared${canMount ? '' : ' (mounting needs root)'}`, () => {
  const MB = 1 << 20;
  const large = piece(noise(3 * MB, 7), LAYER);

  // What is mounted where, and whether a disk of four megabytes has room for two images with one layer of three.
  it.each<[string, (disk: string, other: string) => readonly (readonly string[])[], boolean]>([
    ['in one directory', () => [], true],
    ['in a directory of its own on the same disk', (disk, other) => [['--bind', disk, other]], false],
    ['on a disk of its own', (_, other) => [['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', other]], true],
    ['on a small disk of its own', (_, other) => [['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', other]], false],
  ])('is asked for once where links can be made: %s', async (_, mountsOf, isEnough) => {
    const directory = await temporary();
    const bytes = await bundleOf(directory, { one: [large], two: [large] });
    const disk = join(directory, 'out');
    const other = join(disk, 'two');
    const mounted: string[] = [];
    const mount = (args: readonly string[]): void => {
      expect(spawnSync('mount', args).status).toBe(0);
      mounted.push(args.at(-1) ?? '');
    };
    await mkdir(disk);
    try {
      mount(['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
      await mkdir(other);
      for (const args of mountsOf(disk, other)) mount(args);
      const importing = imported(directory, [bytes]);
      if (isEnough) expect((await importing).failed).toEqual([]);
      else {
        await expect(importing).rejects.toMatchObject({ code: 'OCL_NO_SPACE' });
        expect(await readdir(disk)).toEqual(['two']);
      }
    } finally {
      for (const path of mounted.toReversed()) spawnSync('umount', [path]);
    }
  });
});
