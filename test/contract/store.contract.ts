import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { type Sink } from '../../src/core/store.ts';
import {
  all,
  bytesIn,
  bytesOf,
  codeOf,
  image,
  multiPlatform,
  noise,
  opening,
  piece,
  put,
  rootBytes,
  sbom,
  signature,
} from '../support/graphs.ts';
import { fill, openWorld, type Kind, type World } from '../support/worlds.ts';

function worlds(kind: Kind): () => Promise<World> {
  const opened: World[] = [];
  afterEach(async () => {
    for (const world of opened.splice(0)) await world.close();
  });
  return async () => {
    const world = await openWorld(kind);
    opened.push(world);
    return world;
  };
}

/** What every store that is read promises. */
export function sourceContract(kind: Kind): void {
  const open = worlds(kind);

  describe(`a ${kind} that is read`, () => {
    it('resolves tags and digests, and says what is not there', async () => {
      const world = await open();
      const graph = multiPlatform();
      await fill(world, [{ graph, name: { tag: '1.0' } }]);
      const store = await world.source();
      expect(plainDescriptor(await store.resolve('1.0'))).toEqual(plainDescriptor(graph.root));
      expect(plainDescriptor(await store.resolve(graph.root.digest))).toEqual(plainDescriptor(graph.root));
      const child = graph.pieces[3]?.descriptor as Descriptor;
      expect(plainDescriptor(await store.resolve(child.digest))).toEqual(child);
      expect(await codeOf(() => store.resolve('2.0'))).toBe('OCL_NOT_FOUND');
      expect(await codeOf(() => store.resolve(`sha256:${'0'.repeat(64)}`))).toBe('OCL_NOT_FOUND');
    });

    it('opens each content whole, as often as asked, also side by side', async () => {
      const world = await open();
      const big = piece(noise(2_500_000, 7), 'application/vnd.oci.image.layer.v1.tar+gzip');
      const empty = piece('', 'application/vnd.oci.image.layer.v1.tar+gzip');
      const graph = image({ layers: [big, empty] });
      await fill(world, [{ graph, name: { tag: 'a' } }]);
      const store = await world.source();
      const twice = [...graph.pieces, ...graph.pieces];
      const read = await Promise.all(twice.map(({ descriptor }) => bytesIn(store, descriptor)));
      for (const [i, { bytes }] of twice.entries()) expect(Buffer.from(bytes).equals(read[i] ?? bytes)).toBe(true);
      const missing = piece('never stored', 'text/plain').descriptor;
      expect(await codeOf(async () => await buffer(await store.open(missing)))).toBe('OCL_NOT_FOUND');
    });

    it('opens ranges, both ends included', async () => {
      const world = await open();
      const layer = piece(noise(100_000, 1), 'application/vnd.oci.image.layer.v1.tar');
      await fill(world, [{ graph: image({ layers: [layer] }), name: { tag: 'a' } }]);
      const store = await world.source();
      for (const [start, end] of [
        [0, 0],
        [0, 99_999],
        [50_000, undefined],
        [99_999, undefined],
        [70_000, 70_009],
      ] as const) {
        const got = await buffer(await store.open(layer.descriptor, { start, end }));
        expect(got.equals(Buffer.from(layer.bytes.subarray(start, end === undefined ? undefined : end + 1)))).toBe(
          true,
        );
      }
    });

    it('lists tags, each once', async () => {
      const world = await open();
      const one = image({ name: 'one' });
      await fill(world, [
        { graph: one, name: { tag: '1.0' } },
        { graph: one, name: { tag: 'latest' } },
        { graph: image({ name: 'two' }), name: { tag: '2.0' } },
      ]);
      const store = await world.source();
      expect((await all(store.tags())).toSorted()).toEqual(['1.0', '2.0', 'latest']);
    });

    it('lists referrers with their type and annotations, and none where there are none', async () => {
      const world = await open();
      const graph = multiPlatform();
      const signed = signature(graph.root);
      const parts = sbom(graph.root);
      await fill(world, [
        { graph, name: { tag: '1.0' } },
        { graph: signed, name: {} },
        { graph: parts, name: {} },
      ]);
      const store = await world.source();
      const found = await all(store.referrers(graph.root));
      expect(found.map(({ digest }) => digest).toSorted()).toEqual([signed.root.digest, parts.root.digest].toSorted());
      const described = found.find(({ digest }) => digest === parts.root.digest);
      expect(described?.artifactType).toBe('application/spdx+json');
      expect(described?.annotations?.['org.example.format']).toBe('spdx');
      expect(await all(store.referrers(signed.root))).toEqual([]);
    });
  });
}

/** What every store that is written piece by piece promises besides. */
export function sinkContract(kind: Kind): void {
  const open = worlds(kind);
  const layer = piece(noise(300_000, 3), 'application/vnd.oci.image.layer.v1.tar+gzip');

  async function unfinished(sink: Sink, world: World): Promise<Sink> {
    await put(sink, image(), 'there');
    await world.source();
    return sink;
  }

  describe(`a ${kind} that is written`, () => {
    it('has what was put, and nothing else', async () => {
      const world = await open();
      const sink = await world.sink();
      const graph = multiPlatform();
      for (const { descriptor } of graph.pieces) expect(await sink.has(descriptor)).toBe(false);
      await put(sink, graph, '1.0');
      for (const { descriptor } of graph.pieces) expect(await sink.has(descriptor)).toBe(true);
      expect(plainDescriptor((await sink.find('1.0')) as Descriptor)).toEqual(plainDescriptor(graph.root));
      expect(await sink.find('2.0')).toBeUndefined();
    });

    it.each([
      ['another content of that size', layer.descriptor, noise(300_000, 4), 'OCL_DIGEST_MISMATCH'],
      ['too few bytes', layer.descriptor, layer.bytes.subarray(0, 299_999), 'OCL_SIZE_MISMATCH'],
      ['no bytes at all', layer.descriptor, new Uint8Array(), 'OCL_SIZE_MISMATCH'],
      ['too many bytes', layer.descriptor, Buffer.concat([layer.bytes, bytesOf('!')]), 'OCL_SIZE_MISMATCH'],
    ])('refuses %s, and then has nothing of it', async (_, descriptor, bytes, code) => {
      const world = await open();
      const sink = await unfinished(await world.sink(), world);
      expect(await codeOf(() => sink.put(descriptor, opening(bytes)))).toBe(code);
      expect(await sink.has(descriptor)).toBe(false);
      const store = await world.source();
      expect(await codeOf(async () => await buffer(await store.open(descriptor)))).toBe('OCL_NOT_FOUND');
      await sink.put(descriptor, opening(layer.bytes));
      expect(await sink.has(descriptor)).toBe(true);
    });

    it('keeps nothing of a source that breaks', async () => {
      const world = await open();
      const sink = await unfinished(await world.sink(), world);
      const broken = async () => {
        return Readable.from(
          (function* () {
            yield layer.bytes.subarray(0, 100_000);
            throw new Error('the line is dead');
          })(),
          { objectMode: false },
        );
      };
      await expect(sink.put(layer.descriptor, broken)).rejects.toThrow(/the line is dead/);
      expect(await sink.has(layer.descriptor)).toBe(false);
    });

    it('moves a tag to another image, and lists it once', async () => {
      const world = await open();
      const sink = await world.sink();
      await put(sink, image({ name: 'old' }), 'latest');
      const fresh = image({ name: 'new' });
      await put(sink, fresh, 'latest');
      const store = await world.source();
      expect((await store.resolve('latest')).digest).toBe(fresh.root.digest);
      expect(await all(store.tags())).toEqual(['latest']);
    });

    it('takes a root by its tag alone, when all below it is there', async () => {
      const world = await open();
      const sink = await world.sink();
      const graph = image();
      for (const { descriptor, bytes } of graph.pieces.slice(0, -1)) await sink.put(descriptor, opening(bytes));
      await sink.tag(graph.root, { tag: 'direct' }, opening(rootBytes(graph)));
      await sink.commit();
      const store = await world.source();
      expect((await store.resolve('direct')).digest).toBe(graph.root.digest);
      expect(Buffer.from(await bytesIn(store, graph.root)).equals(rootBytes(graph))).toBe(true);
    });

    it('commits again after more work, and closes twice', async () => {
      const world = await open();
      const sink = await world.sink();
      await put(sink, image({ name: 'one' }), '1');
      await put(sink, image({ name: 'two' }), '2');
      await sink.commit();
      await sink.close();
      await sink.close();
      expect((await all((await world.source()).tags())).toSorted()).toEqual(['1', '2']);
    });

    it('takes contents side by side, the same one as well', async () => {
      const world = await open();
      const sink = await unfinished(await world.sink(), world);
      const pieces = Array.from({ length: 12 }, (_, i) => piece(noise(20_000 + i, i), 'application/octet-stream'));
      await Promise.all([...pieces, ...pieces].map(({ descriptor, bytes }) => sink.put(descriptor, opening(bytes))));
      const store = await world.source();
      for (const { descriptor, bytes } of pieces)
        expect(Buffer.from(await bytesIn(store, descriptor)).equals(bytes)).toBe(true);
    });
  });
}

/** Stores whose names become visible at the commit, and not before. */
export function commitContract(kind: Kind): void {
  const open = worlds(kind);

  describe(`the commit of a ${kind}`, () => {
    it('makes all names visible at once; what was not committed is dropped', async () => {
      const world = await open();
      const sink = await world.sink();
      await put(sink, image({ name: 'one' }), '1');
      const two = image({ name: 'two' });
      const three = image({ name: 'three' });
      await put(sink, two);
      await put(sink, three);
      await sink.tag(two.root, { tag: '2' }, opening(rootBytes(two)));
      await sink.tag(three.root, { tag: '3' }, opening(rootBytes(three)));
      expect(await all((await world.source()).tags())).toEqual(['1']);
      await sink.close();
      expect(await all((await world.source()).tags())).toEqual(['1']);
      const again = await world.sink();
      await again.tag(two.root, { tag: '2' }, opening(rootBytes(two)));
      await again.tag(three.root, { tag: '3' }, opening(rootBytes(three)));
      await again.commit();
      expect((await all((await world.source()).tags())).toSorted()).toEqual(['1', '2', '3']);
    });
  });
}
