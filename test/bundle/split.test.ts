import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportImages } from '../../src/bundle/export.ts';
import { BundleSources } from '../../src/bundle/sources.ts';
import { deltaOf, splitBundle } from '../../src/bundle/split.ts';
import { Waivers } from '../../src/bundle/waivers.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { silent } from '../../src/core/events.ts';
import { parsePathReference } from '../../src/core/reference.ts';
import { openArchive, openVolumes } from '../../src/stores/archive/reader.ts';
import { type DeltaOptions } from '../../src/stores/archive/plan.ts';
import { createArchive, type ArchiveDestination } from '../../src/stores/archive/writer.ts';
import { codeOf, foreignImage, image, index, noise, opening, piece, put } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';
import { newCopier } from '../support/worlds.ts';
import { EVERYTHING, withStores } from './support.ts';

const temporary = temporaryDirectories();
const SIZES = [120_000, 90_000];

/** Everything that may stand in a library, and one image that no volume can hold. */
async function fillLibrary(root: string): Promise<void> {
  await writeLibrary(root, makeShop());
  const layers = [1, 2, 3].map((i) => piece(noise(i * 70_000, i), 'application/vnd.oci.image.layer.v1.tar'));
  const large = await newLayout(join(root, 'large'));
  await put(
    large,
    index([image({ name: 'a', layers }), image({ name: 'b', layers: layers.slice(1), algorithm: 'sha512' })]),
    '1',
  );
  await large.close();
  const windows = await newLayout(join(root, 'windows'));
  await put(windows, foreignImage(), '1');
  await windows.close();
}

async function exportTo(destination: ArchiveDestination, library: string, delta?: DeltaOptions): Promise<void> {
  await withStores(library, async (stores) => {
    const sources = new BundleSources(stores, new Waivers([], silent));
    await sources.add({ reference: parsePathReference(library), select: EVERYTHING });
    const sink = createArchive(destination, { emit: silent, delta });
    try {
      await exportImages(sources.images, sink, { copier: newCopier() });
    } finally {
      await sink.close();
      await sources.close();
    }
  });
}

async function filesIn(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(directory)).filter((name) => name.includes('.vol')).toSorted();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)));
}

const EVERY_SECOND: DeltaOptions = {
  basis: { kind: 'inventory', id: 'sha256:abc', assumed: false, of: 'far' },
  has: ({ digest }) => digest.charCodeAt(10) % 2 === 0,
};

describe('a bundle that is split', () => {
  it.each([
    ['a full one', undefined],
    ['a delta', EVERY_SECOND],
  ])('gives the bytes that the export would have given: %s', async (_what, delta) => {
    const [library, one, two] = [await temporary(), await temporary(), await temporary()];
    await fillLibrary(library);
    await exportTo({ path: join(one, 'it.tar'), volumeSizes: SIZES }, library, delta);
    await exportTo({ path: join(two, 'whole.tar') }, library, delta);
    const source = await openArchive(join(two, 'whole.tar'), { tmpDir: two });
    const destination = { path: join(two, 'it.tar'), volumeSizes: SIZES };
    const sink = createArchive(destination, { emit: silent, delta: deltaOf(source.record) });
    const results = await splitBundle(source, sink, newCopier());
    await source.close();
    expect(results.length).toBeGreaterThan(4);
    const [expected, actual] = [await filesIn(one), await filesIn(two)];
    expect(expected.size).toBeGreaterThan(delta === undefined ? 4 : 1);
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, bytes] of actual) expect(bytes.equals(expected.get(name) ?? Buffer.alloc(0))).toBe(true);
  });

  it('may be a set itself, of which every volume is needed', async () => {
    const [library, one, two] = [await temporary(), await temporary(), await temporary()];
    await fillLibrary(library);
    await exportTo({ path: join(one, 'it.tar'), volumeSizes: SIZES }, library);
    await exportTo({ path: join(two, 'whole.tar') }, library);
    const paths = [...(await filesIn(one)).keys()].map((name) => join(one, name));
    const part = await openVolumes(paths.slice(1), { tmpDir: one });
    const nothing = createArchive({ path: join(one, 'x.tar') }, { emit: silent });
    expect(await codeOf(async () => await splitBundle(part, nothing, newCopier()))).toBe('OCL_INCOMPLETE');
    await part.close();

    const set = await openVolumes(paths, { tmpDir: one });
    const sink = createArchive({ path: join(one, 'whole.tar') }, { emit: silent });
    await splitBundle(set, sink, newCopier());
    await set.close();
    expect((await readFile(join(one, 'whole.tar'))).equals(await readFile(join(two, 'whole.tar')))).toBe(true);
  });

  it('keeps what has no name, and names of no repository', async () => {
    const directory = await temporary();
    const graph = image({ name: 'nameless' });
    const bytes = new Map(graph.pieces.map((each) => [each.descriptor.digest, each]));
    const open = async ({ digest }: Descriptor): Promise<Uint8Array> => bytes.get(digest)?.bytes ?? new Uint8Array();
    const first = createArchive({ path: join(directory, 'first.tar') }, { emit: silent });
    const other = image({ name: 'other' });
    const nodes = [...graph.pieces, ...other.pieces];
    for (const each of other.pieces) bytes.set(each.descriptor.digest, each);
    const names = [
      { root: graph.root, name: {} },
      { root: other.root, name: { tag: 'only-a-tag' } },
    ];
    const order = await first.reserve(
      nodes.map((each) => each.descriptor),
      names,
      open,
    );
    for (const descriptor of order) await first.put(descriptor, opening(await open(descriptor)));
    await first.commit();
    const source = await openArchive(join(directory, 'first.tar'), { tmpDir: directory });
    const again = createArchive({ path: join(directory, 'again.tar') }, { emit: silent });
    await splitBundle(source, again, newCopier());
    await source.close();
    expect((await readFile(join(directory, 'again.tar'))).equals(await readFile(join(directory, 'first.tar')))).toBe(
      true,
    );
  });
});
