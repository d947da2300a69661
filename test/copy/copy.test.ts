import { describe, expect, it } from 'vitest';
import { EMPTY_BLOB, plainDescriptor, type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { OclError } from '../../src/core/errors.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { createGate } from '../../src/io/gate.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { Copier } from '../../src/copy/copier.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';
import {
  AMD64,
  ARM64,
  ARMV7,
  codeOf,
  digestsIn,
  foreignImage,
  image,
  index,
  jsonPiece,
  multiPlatform,
  noise,
  piece,
  put,
  sbom,
  signature,
  type Graph,
} from '../support/graphs.ts';
import { CountingSource, RecordingSink } from '../support/probes.ts';
import { newCopier } from '../support/worlds.ts';

async function memoryWith(...graphs: readonly (readonly [Graph, string?])[]): Promise<MemoryStore> {
  const store = createMemory();
  for (const [graph, name] of graphs) await put(store, graph, name);
  return store;
}

function recordingCopier(options: { readonly concurrency?: number; readonly signal?: AbortSignal } = {}): {
  readonly copier: Copier;
  readonly events: OclEvent[];
} {
  const events: OclEvent[] = [];
  const copier = new Copier({ clock: systemClock, emit: (event) => void events.push(event), ...options });
  return { copier, events };
}

const shared = piece(noise(50_000, 5), 'application/vnd.oci.image.layer.v1.tar+gzip');
const withShared = (name: string): Graph =>
  image({ name, layers: [shared, piece(`own layer of ${name}`, 'application/vnd.oci.image.layer.v1.tar')] });

describe('what a copy costs', () => {
  it('fetches layers that images share once, and each document once', async () => {
    const graphs = ['one', 'two', 'three'].map(withShared);
    const from = new CountingSource(
      await memoryWith(...graphs.map((graph) => [graph, graph.root.digest.slice(7, 17)] as const)),
    );
    const to = createMemory();
    const copier = newCopier(6);
    await Promise.all(
      graphs.map((graph, i) => copier.copy({ from, to, root: graph.root, name: { tag: `${i}` }, image: `${i}` })),
    );
    await to.commit();
    expect(from.opened.length).toBe(new Set(from.opened).size);
    expect(new Set(from.opened)).toEqual(new Set(await digestsIn(to)));
  });

  it('opens a layer once that stands twice in one image', async () => {
    const graph = image({ layers: [shared, shared, shared] });
    const from = new CountingSource(await memoryWith([graph]));
    await newCopier(6).copy({ from, to: createMemory(), root: graph.root, name: { tag: 'a' }, image: 'a' });
    expect(from.opened.filter((digest) => digest === shared.descriptor.digest).length).toBe(1);
  });

  it('reads no document of an unchanged image at the source when the sink has it', async () => {
    const graph = multiPlatform();
    const from = new CountingSource(await memoryWith([graph, '1.0']));
    const inner = createMemory();
    const request = { from, root: graph.root, name: { tag: '1.0' }, image: 'app' };
    await newCopier().copy({ ...request, to: inner });
    await inner.commit();
    from.opened.length = 0;
    const result = await newCopier().copy({ ...request, to: inner });
    expect(result.outcome).toBe('current');
    expect(result.streamed).toBe(0);
    expect(from.opened).toEqual([]);
  });

  it('takes embedded data in place of an open', async () => {
    const config = EMPTY_BLOB.descriptor;
    const layer = piece('a layer', 'text/plain');
    const manifest = jsonPiece(
      {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        artifactType: 'a/b',
        config,
        layers: [layer.descriptor],
      },
      'application/vnd.oci.image.manifest.v1+json',
    );
    const from = new CountingSource(await memoryWith([{ root: manifest.descriptor, pieces: [layer, manifest] }]));
    const to = createMemory();
    await newCopier().copy({ from, to, root: manifest.descriptor, name: { tag: 'a' }, image: 'a' });
    expect(from.opened).not.toContain(config.digest);
    expect(await to.has(config)).toBe(true);
  });

  it('asks a sink whose word covers the graph no more than once for an image that is there', async () => {
    const graph = multiPlatform();
    const from = new CountingSource(await memoryWith([graph, '1.0']));
    const to = new RecordingSink(await memoryWith([graph, '1.0']), { presence: 'graph' });
    const request = { from, to, root: graph.root, image: 'app' };
    expect((await newCopier().copy({ ...request, name: { tag: '1.0' } })).outcome).toBe('current');
    expect(to.steps).toEqual([]);
    expect(from.opened).toEqual([]);
    await newCopier().copy({ ...request, name: { tag: 'another' } });
    expect(to.steps.filter((step) => step.startsWith('has '))).toEqual([`has ${graph.root.digest}`]);
    expect(to.puts).toEqual([]);
  });
});

describe('the order of a copy', () => {
  it.each([1, 2, 6])('puts children before parents and the tag last, %i at once', async (concurrency) => {
    const graph = index([multiPlatform('a', [AMD64, ARM64, ARMV7]), multiPlatform('b')]);
    const to = new RecordingSink(createMemory());
    await newCopier(concurrency).copy({
      from: await memoryWith([graph]),
      to,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
    });
    const order = new Map(to.puts.map((digest, i) => [digest, i]));
    expect(to.steps.at(-1)).toBe(`tag a ${graph.root.digest}`);
    for (const { descriptor, bytes } of graph.pieces) {
      if (!descriptor.mediaType.includes('manifest') && !descriptor.mediaType.includes('index')) continue;
      const text = new TextDecoder().decode(bytes);
      for (const [digest, at] of order)
        if (digest !== descriptor.digest && text.includes(`"digest":"${digest}"`))
          expect(at).toBeLessThan(order.get(descriptor.digest) ?? -1);
    }
  });

  it('puts the root of a registry with its tag, and not before', async () => {
    const graph = multiPlatform();
    const to = new RecordingSink(createMemory(), { presence: 'graph' });
    await newCopier().copy({ from: await memoryWith([graph]), to, root: graph.root, name: { tag: 'a' }, image: 'a' });
    expect(to.puts).not.toContain(graph.root.digest);
    expect(to.steps.at(-1)).toBe(`tag a ${graph.root.digest}`);
  });

  it.each([1, 2, 6])('copies both ways between two hosts with narrow doors, %i at once', async (concurrency) => {
    const gates = [createGate('a', 1), createGate('b', 1)] as const;
    const graphs = Array.from({ length: 6 }, (_, i) => multiPlatform(`app-${i}`));
    const stores = [createMemory(), createMemory()] as const;
    for (const [i, graph] of graphs.entries()) await put(i % 2 === 0 ? stores[0] : stores[1], graph);
    const copier = newCopier(concurrency);
    await Promise.all(
      graphs.map((graph, i) => {
        const [a, b] = i % 2 === 0 ? [0, 1] : [1, 0];
        return copier.copy({
          from: new CountingSource(stores[a as 0 | 1], { gates: [gates[a as 0 | 1]] }),
          to: new RecordingSink(stores[b as 0 | 1], { gates: [gates[b as 0 | 1]] }),
          root: graph.root,
          name: { tag: `${i}` },
          image: `${i}`,
        });
      }),
    );
    expect(await digestsIn(stores[0])).toEqual(await digestsIn(stores[1]));
  });

  it('gives each of two images its own choice of the platforms of one index', async () => {
    const graph = multiPlatform('app', [AMD64, ARM64]);
    const from = await memoryWith([graph]);
    const to = createMemory();
    const copier = newCopier(6);
    const request = { from, to, root: graph.root, image: 'app' };
    await Promise.all([
      copier.copy({ ...request, name: { tag: 'one' }, select: { platforms: [AMD64] } }),
      copier.copy({ ...request, name: { tag: 'all' } }),
    ]);
    expect(await digestsIn(to)).toEqual(await digestsIn(from));
  });
});

describe('a copy that fails', () => {
  it('sets no tag, and lets the other images go on', async () => {
    const good = withShared('good');
    const bad = withShared('bad');
    const layer = bad.pieces[1]?.descriptor as Descriptor;
    const from = new CountingSource(await memoryWith([good], [bad]), {
      before: (descriptor) => {
        if (descriptor.digest === layer.digest) throw new OclError('OCL_NOT_FOUND', 'Cannot open it: it is gone');
      },
    });
    const to = new RecordingSink(createMemory());
    const { copier, events } = recordingCopier();
    const results = await Promise.allSettled(
      [good, bad].map((graph, i) => copier.copy({ from, to, root: graph.root, name: { tag: `${i}` }, image: `${i}` })),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'OCL_NOT_FOUND', side: 'source' } });
    expect(to.steps.filter((step) => step.startsWith('tag '))).toEqual([`tag 0 ${good.root.digest}`]);
    expect(to.puts).not.toContain(bad.root.digest);
    expect(events.filter(({ type }) => type === 'image.failed')).toMatchObject([
      { image: '1', error: { code: 'OCL_NOT_FOUND' } },
    ]);
  });

  it('says that the target failed when it did', async () => {
    const graph = image();
    const to = new RecordingSink(createMemory(), {
      before: (step) => {
        if (step === 'put') throw new OclError('OCL_NO_SPACE', 'Cannot write: the disk is full');
      },
    });
    const copy = newCopier().copy({
      from: await memoryWith([graph]),
      to,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
    });
    await expect(copy).rejects.toMatchObject({ code: 'OCL_NO_SPACE', side: 'target' });
  });

  it('takes from another source what one could not give', async () => {
    const graph = withShared('app');
    const store = await memoryWith([graph]);
    let refuse = (): void => {};
    let asked = (): void => {};
    const waiting = new Promise<void>((_, reject) => {
      refuse = () => reject(new OclError('OCL_UNREACHABLE', 'Cannot reach it: no route'));
    });
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const broken = new CountingSource(store, {
      before: ({ digest }) => {
        if (digest !== shared.descriptor.digest) return undefined;
        asked();
        return waiting;
      },
    });
    const to = createMemory();
    const copier = newCopier(6);
    const request = { to, root: graph.root, image: 'app' };
    const first = copier.copy({ ...request, from: broken, name: { tag: 'broken' } });
    await isAsked;
    const second = copier.copy({ ...request, from: store, name: { tag: 'whole' } });
    refuse();
    expect(await codeOf(() => first)).toBe('OCL_UNREACHABLE');
    expect((await second).outcome).toBe('copied');
    await to.commit();
    expect(await to.find('broken')).toBeUndefined();
    expect(await digestsIn(to)).toEqual(await digestsIn(store));
  });

  it.each([
    ['before it starts', () => true],
    ['while documents are read', ({ mediaType }: Descriptor) => mediaType.includes('index')],
    ['while layers flow', ({ digest }: Descriptor) => digest === shared.descriptor.digest],
  ] as const)('stops when it is told to %s, without a tag', async (when, at) => {
    const graph = index([withShared('app')]);
    const controller = new AbortController();
    if (when === 'before it starts') controller.abort();
    const from = new CountingSource(await memoryWith([graph]), {
      before: (descriptor) => {
        if (at(descriptor)) controller.abort();
      },
    });
    const to = new RecordingSink(createMemory());
    const { copier } = recordingCopier({ signal: controller.signal, concurrency: 2 });
    expect(await codeOf(() => copier.copy({ from, to, root: graph.root, name: { tag: 'a' }, image: 'a' }))).toBe(
      'OCL_CANCELLED',
    );
    expect(to.steps.filter((step) => step.startsWith('tag'))).toEqual([]);
    expect(to.puts).not.toContain(graph.root.digest);
  });

  it('asks for every node once more when a registry has the manifest and lacks its blobs', async () => {
    const graph = multiPlatform();
    const child = graph.pieces[3]?.descriptor as Descriptor;
    const config = graph.pieces[2]?.descriptor as Descriptor;
    const inner = await memoryWith([{ root: child, pieces: graph.pieces.slice(0, 4) }]);
    await inner.removeBlob(config.digest);
    const from = new CountingSource(await memoryWith([graph]));
    const to = new RecordingSink(inner, {
      presence: 'graph',
      before: async (step) => {
        if (step === 'tag' && !(await inner.has(config)))
          throw new OclError('OCL_MISSING_BLOBS', 'Cannot push it: a blob is unknown');
      },
    });
    await newCopier().copy({ from, to, root: graph.root, name: { tag: 'a' }, image: 'a' });
    await to.commit();
    expect(from.opened).toContain(config.digest);
    expect(await digestsIn(inner)).toEqual(await digestsIn(await memoryWith([graph])));
  });

  it('does not ask a third time', async () => {
    const graph = image();
    const to = new RecordingSink(createMemory(), {
      presence: 'graph',
      before: (step) => {
        if (step === 'tag') throw new OclError('OCL_MISSING_BLOBS', 'Cannot push it: a blob is unknown');
      },
    });
    const { copier } = recordingCopier();
    const copy = copier.copy({ from: await memoryWith([graph]), to, root: graph.root, name: { tag: 'a' }, image: 'a' });
    await expect(copy).rejects.toMatchObject({ code: 'OCL_MISSING_BLOBS', side: 'target' });
  });
});

describe('what a copy takes along', () => {
  it('prunes what a registry has, and still brings its referrers', async () => {
    const graph = multiPlatform();
    const platform = graph.pieces[3]?.descriptor as Descriptor;
    const signed = signature(platform);
    const from = new CountingSource(await memoryWith([graph, '1.0'], [signed]));
    const inner = await memoryWith([graph, '1.0']);
    const to = new RecordingSink(inner, { presence: 'graph' });
    await newCopier().copy({
      from,
      to,
      root: graph.root,
      name: { tag: '1.0' },
      image: 'app',
      select: { referrers: true },
    });
    expect(to.puts.toSorted()).toEqual(signed.pieces.map(({ descriptor }) => descriptor.digest).toSorted());
  });

  it('leaves out referrers that refer to something else, and says so', async () => {
    const graph = image();
    const other = signature(image({ name: 'other' }).root);
    const inner = await memoryWith([graph, '1.0'], [other], [signature(graph.root)]);
    class Liar extends CountingSource {
      override async *referrers(subject: Descriptor): AsyncGenerator<Descriptor> {
        yield other.root;
        yield* inner.referrers(subject);
      }
    }
    const to = createMemory();
    const { copier, events } = recordingCopier();
    await copier.copy({
      from: new Liar(inner),
      to,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
      select: { referrers: true },
    });
    expect(await to.has(other.root)).toBe(false);
    expect(await to.has(signature(graph.root).root)).toBe(true);
    expect(events.find(({ type }) => type === 'notice')).toMatchObject({
      level: 'warning',
      message: expect.stringContaining(other.root.digest),
    });
  });

  it.each([
    ['all', true, ['application/spdx+json', 'application/vnd.example.signature']],
    ['none', false, []],
    ['of one type', [{ artifactType: 'application/spdx+json' }], ['application/spdx+json']],
    ['with an annotation', [{ annotations: { 'org.example.format': '' } }], ['application/spdx+json']],
    ['with an annotation of another value', [{ annotations: { 'org.example.format': 'cyclonedx' } }], []],
    [
      'of either filter',
      [{ artifactType: 'application/vnd.example.signature' }, { annotations: { 'org.example.format': 'spdx' } }],
      ['application/spdx+json', 'application/vnd.example.signature'],
    ],
  ] as const)('brings referrers: %s', async (_, referrers, types) => {
    const graph = image();
    const from = await memoryWith([graph, 'a'], [signature(graph.root)], [sbom(graph.root)]);
    const to = createMemory();
    await newCopier().copy({ from, to, root: graph.root, name: { tag: 'a' }, image: 'a', select: { referrers } });
    const found: string[] = [];
    for await (const { artifactType } of to.referrers(graph.root)) found.push(artifactType ?? '');
    expect(found.toSorted()).toEqual(types);
  });

  it('follows referrers of referrers as far as the limit, and no further', async () => {
    const chain = [image()];
    for (let i = 0; i < 11; i++) chain.push(signature((chain.at(-1) as Graph).root, `signature ${i}`));
    const copyOf = async (length: number): Promise<string> => {
      const graphs = chain.slice(0, length + 1);
      const from = await memoryWith(...graphs.map((graph) => [graph] as const));
      const to = createMemory();
      const code = await codeOf(() =>
        newCopier().copy({
          from,
          to,
          root: graphs[0]?.root as Descriptor,
          name: { tag: 'a' },
          image: 'a',
          select: { referrers: true },
        }),
      );
      if (code === 'none') expect(await digestsIn(to)).toEqual(await digestsIn(from));
      return code;
    };
    expect(await copyOf(10)).toBe('none');
    expect(await copyOf(11)).toBe('OCL_LIMIT');
  });

  it.each([true, false])('leaves foreign layers out, unless they are asked for (docker: %s)', async (docker) => {
    const graph = foreignImage(docker);
    const from = await memoryWith([graph]);
    const to = createMemory();
    const request = { from, root: graph.root, name: { tag: 'a' }, image: 'a' };
    await newCopier().copy({ ...request, to });
    expect(await digestsIn(to)).toEqual(await digestsIn(from));
    expect(await codeOf(() => newCopier().copy({ ...request, to: createMemory(), select: { foreign: true } }))).toBe(
      'OCL_NOT_FOUND',
    );
  });

  it('looks below nested indexes without a platform for the platforms that are wanted', async () => {
    const graph = index([multiPlatform('inner'), image({ name: 'other', platform: ARMV7 })]);
    const from = await memoryWith([graph]);
    const to = createMemory();
    await newCopier().copy({
      from,
      to,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
      select: { platforms: [ARM64] },
    });
    expect(await to.has(multiPlatform('inner').root)).toBe(true);
    expect(await to.has(image({ name: 'other', platform: ARMV7 }).root)).toBe(false);
  });

  it('names the platforms that are there when none is the wanted one', async () => {
    const graph = multiPlatform();
    const copy = newCopier().copy({
      from: await memoryWith([graph]),
      to: createMemory(),
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
      select: { platforms: [{ os: 'plan9', architecture: 'amd64' }] },
    });
    await expect(copy).rejects.toMatchObject({ code: 'OCL_NOT_FOUND', hint: 'it has linux/amd64, linux/arm64/v8' });
  });

  it.each([true, false])(
    'warns of an image that has another platform alone: said by its descriptor %s',
    async (said) => {
      const { root, ...rest } = image({ platform: ARM64 });
      const graph = { ...rest, root: said ? root : plainDescriptor(root) };
      const from = await memoryWith([graph]);
      const warnings = async (platforms: readonly Platform[]): Promise<readonly string[]> => {
        const { copier, events } = recordingCopier();
        const to = createMemory();
        await copier.copy({ from, to, root: graph.root, name: { tag: 'a' }, image: 'a', select: { platforms } });
        expect(await to.has(root)).toBe(true);
        return events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
      };
      expect(await warnings([ARM64])).toEqual([]);
      expect(await warnings([AMD64, ARMV7])).toEqual([
        expect.stringMatching(/^sha256:.* is linux\/arm64.* alone, not linux\/amd64, linux\/arm\/v7: copied as it is$/),
      ]);
    },
  );

  it('copies the tags that name a digest of the image, and no others', async () => {
    const graph = multiPlatform();
    const [, , , part] = graph.pieces;
    const stem = graph.root.digest.replace(':', '-');
    const ofPart = `${part?.descriptor.digest.replace(':', '-')}.att`;
    const other = image({ name: 'other' });
    const from = await memoryWith(
      [graph, '1.0'],
      [image({ name: 'sig' }), `${stem}.sig`],
      [image({ name: 'list' }), stem],
      [image({ name: 'att' }), ofPart],
      [image({ name: 'else' }), `${other.root.digest.replace(':', '-')}.sig`],
      [image({ name: 'short' }), stem.slice(0, -1)],
    );
    const tagsWith = async (referrers: boolean): Promise<readonly string[]> => {
      const to = createMemory();
      const select = { digestTags: true, referrers };
      await newCopier().copy({ from, to, root: graph.root, name: { tag: '1.0' }, image: 'a', select });
      await to.commit();
      const tags: string[] = [];
      for await (const tag of to.tags()) tags.push(tag);
      return tags.toSorted();
    };
    expect(await tagsWith(false)).toEqual(['1.0', stem, `${stem}.sig`, ofPart].toSorted());
    expect(await tagsWith(true)).toEqual(['1.0', `${stem}.sig`, ofPart].toSorted());
  });

  it('takes a manifest for what it is although it was carried as a mere layer before', async () => {
    const inner = image({ name: 'inner' });
    const asLayer = image({
      name: 'carrier',
      layers: [
        {
          ...(inner.pieces.at(-1) as (typeof inner.pieces)[number]),
          descriptor: { ...inner.root, mediaType: 'application/octet-stream' },
        },
      ],
    });
    const graph = index([asLayer, inner]);
    const from = await memoryWith([{ ...graph, pieces: [...inner.pieces, ...graph.pieces] }]);
    const to = createMemory();
    await newCopier().copy({ from, to, root: graph.root, name: { tag: 'a' }, image: 'a' });
    expect(await digestsIn(to)).toEqual(await digestsIn(from));
  });
});

describe('the plan of a copy', () => {
  it('counts what would be moved, and moves nothing', async () => {
    const graphs = ['one', 'two'].map(withShared);
    const [one, two] = graphs as [Graph, Graph];
    const from = new CountingSource(await memoryWith([one], [two]));
    const to = await memoryWith([one, 'one']);
    const before = await digestsIn(to);
    const { current, nodes } = await newCopier().plan({ from, to, root: two.root, name: { tag: 'two' }, image: 'two' });
    expect(current).toBe(false);
    const bytes = (present: boolean): number =>
      nodes.filter((node) => node.present === present).reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    expect(bytes(true)).toBe(shared.descriptor.size);
    expect(bytes(false)).toBe(two.pieces.slice(1).reduce((sum, { descriptor }) => sum + descriptor.size, 0));
    expect(await digestsIn(to)).toEqual(before);
    expect(from.opened).toEqual([two.root.digest]);
  });

  it('tells in events what really flowed', async () => {
    const graph = withShared('app');
    const from = await memoryWith([graph]);
    const { copier, events } = recordingCopier();
    const result = await copier.copy({ from, to: createMemory(), root: graph.root, name: { tag: 'a' }, image: 'app' });
    const total = graph.pieces.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    expect(result).toEqual({
      image: 'app',
      root: graph.root,
      outcome: 'copied',
      nodes: 4,
      bytes: total,
      streamed: total,
    });
    expect(events[0]).toMatchObject({ type: 'image.start', image: 'app' });
    expect(events.find(({ type }) => type === 'image.plan')).toEqual({
      type: 'image.plan',
      image: 'app',
      nodes: 4,
      bytes: total,
    });
    expect(events.at(-1)).toMatchObject({
      type: 'image.done',
      outcome: 'copied',
      totals: { nodes: 4, bytes: total, streamed: total },
    });
    expect(events.filter(({ type }) => type === 'blob.done').length).toBe(4);
  });
});
