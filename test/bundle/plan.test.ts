import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Delta } from '../../src/bundle/delta.ts';
import { readKnown } from '../../src/bundle/deltaBasis.ts';
import { exportImages } from '../../src/bundle/export.ts';
import { planBundle, type BundlePlan } from '../../src/bundle/plan.ts';
import { BundleSources, type Wanted } from '../../src/bundle/sources.ts';
import { Waivers } from '../../src/bundle/waivers.ts';
import { silent } from '../../src/core/events.ts';
import { parseSpeeds } from '../../src/core/mediaSpeeds.ts';
import { type LocalSource } from '../../src/core/store.ts';
import { parsePlatform } from '../../src/core/platform.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { startFaultProxy, type FaultProxy } from '../support/faultProxy.ts';
import { image as imageOf, noise, piece, put } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop } from '../support/shop.ts';
import { newCopier } from '../support/worlds.ts';
import { EVERYTHING, exported, image, openStores, stockedLibrary } from './support.ts';

const temporary = temporaryDirectories();
const shop = makeShop();
const layer = piece(noise(300_000, 1), 'application/vnd.oci.image.layer.v1.tar');
let registry: Embedded;
let proxy: FaultProxy;

beforeAll(async () => {
  const library = await stockedLibrary(shop);
  for (const name of ['a', 'b'])
    await put(await library.sink('big'), imageOf({ name, layers: [layer] }), { tag: name });
  registry = await startEmbedded(library);
  proxy = await startFaultProxy(registry.host);
});
afterAll(async () => {
  await proxy.close();
  await registry.close();
});

interface Both {
  readonly plan: BundlePlan;
  /** What was asked for the plan. */
  readonly asked: readonly string[];
  /** Bytes of the real files. */
  readonly sizes: readonly number[];
}

async function planned(wanted: readonly Wanted[], volumeSizes?: readonly number[], delta?: Delta): Promise<Both> {
  const directory = await temporary();
  const opened = openStores(directory);
  const { stores } = opened;
  const sources = new BundleSources(stores, new Waivers([], silent));
  const copier = newCopier();
  const before = proxy.passed.length;
  try {
    for (const each of wanted) await sources.add(each);
    const plan = await planBundle(sources.images, {
      copier,
      waivers: sources.waivers,
      dockerPlatform: parsePlatform('linux/amd64'),
      layOut: (nodes, names, read) => stores.planArchive(nodes, names, { read, volumeSizes, delta }),
      delta,
    });
    const asked = proxy.passed.slice(before).map(({ path }) => path);
    const path = join(directory, 'x.tar');
    const sink = await stores.archive(volumeSizes === undefined ? { path } : { path, volumeSizes }, { delta });
    await exportImages(sources.images, sink, { copier, delta });
    const sizes: number[] = [];
    for (const file of sink.files) sizes.push((await stat(file.path)).size);
    return { plan, asked, sizes };
  } finally {
    await sources.close();
    await opened.close();
  }
}

describe('a plan', () => {
  it.each<[string, readonly string[], Wanted['select'], readonly number[] | undefined]>([
    ['all that belongs to images', ['team/web:2.0', 'team/web:1.0', 'tool:latest'], EVERYTHING, undefined],
    ['one platform', ['team/web:2.0'], { platforms: [parsePlatform('linux/amd64')] }, undefined],
    ['a set of volumes', ['big:a', 'big:b', 'team/web:2.0'], EVERYTHING, [120_000]],
  ])('knows the size of %s, and asks for manifests only', async (_, names, select, volumeSizes) => {
    const wanted = names.map((name) => image(`${proxy.host}/${name}`, select));
    const { plan, asked, sizes } = await planned(wanted, volumeSizes);
    expect(plan.volumes.map(({ size }) => size)).toEqual(sizes);
    expect(plan.carried).toBe(sizes.reduce((sum, size) => sum + size, 0));
    expect(asked.filter((path) => path.includes('/blobs/'))).toEqual([]);
    expect(asked.length).toBeGreaterThan(0);
  });

  it('leaves out what the far side has', async () => {
    const directory = await temporary();
    const first = await exported(directory, [image(`${proxy.host}/big:a`)]);
    await writeFile(join(directory, 'first.tar'), first.bytes);
    const opened = openStores(directory);
    try {
      const known = await readKnown(join(directory, 'first.tar'), {
        clock: systemClock,
        emit: silent,
        openBundle: async (path) => (await opened.stores.source({ kind: 'path', path })) as LocalSource,
      });
      const wanted = ['big:a', 'big:b'].map((name) => image(`${proxy.host}/${name}`));
      const { plan, sizes } = await planned(wanted, undefined, new Delta([known]));
      expect(plan.volumes.map(({ size }) => size)).toEqual(sizes);
      const [a] = plan.images;
      expect(plan.leftOut.bytes).toBe(a?.bytes);
      expect(plan.carried).toBeLessThan(20_000);
    } finally {
      await opened.close();
    }
  });

  it('counts once what images share', async () => {
    const { plan } = await planned(['big:a', 'big:b'].map((name) => image(`${proxy.host}/${name}`)));
    expect(plan.listed - plan.unique).toBe(300_000);
    expect(plan.images.map(({ image: name }) => name)).toEqual([`${proxy.host}/big:a`, `${proxy.host}/big:b`]);
    expect(plan.cut).toBe(0);
  });
});

describe('speeds', () => {
  it.each([
    ['20MB', [['20MB', 20e6, 20e6]]],
    ['10MB/30MB', [['10MB/30MB', 10e6, 30e6]]],
    ['500K/s', [['500K/s', 5e5, 5e5]]],
    [
      'dvd, 1.5GB',
      [
        ['dvd', 11_080_000, 16_620_000],
        ['1.5GB', 1.5e9, 1.5e9],
      ],
    ],
  ])('%s', (text, expected) => {
    expect(parseSpeeds(text).map(({ name, write, read }) => [name, write, read])).toEqual(expected);
  });

  it.each(['', 'fast', '0', '10/20/30', '-1', 'constructor'])('%j is none', (text) => {
    expect(() => parseSpeeds(text)).toThrow(expect.objectContaining({ code: 'OCL_USAGE' }));
  });
});
