import { describe, expect, it } from 'vitest';
import { plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { referrersTag } from '../../src/core/digest.ts';
import { children } from '../../src/core/graph.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { isDocumentType } from '../../src/core/mediaTypes.ts';
import { type Source } from '../../src/core/store.ts';
import { type Select } from '../../src/copy/select.ts';
import {
  all,
  AMD64,
  ARM64,
  ARMV7,
  bytesIn,
  image,
  index,
  multiPlatform,
  noise,
  piece,
  sbom,
  signature,
} from '../support/graphs.ts';
import { copyAll, fill, KINDS, openWorld, type Kind, type Named, type World } from '../support/worlds.ts';

const PAIRS = KINDS.flatMap((from) => KINDS.map((to) => [from, to] as const));

/** Every digest below a root, each read and verified, and what is missing. */
async function reachable(
  store: Source,
  root: Descriptor,
): Promise<{ readonly there: readonly string[]; readonly missing: readonly string[] }> {
  const there = new Set<string>();
  const missing = new Set<string>();
  const waiting = [plainDescriptor(root)];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    let bytes: Uint8Array;
    try {
      bytes = await bytesIn(store, next);
    } catch {
      missing.add(next.digest);
      continue;
    }
    there.add(next.digest);
    if (isDocumentType(next.mediaType))
      waiting.push(...children(parseManifest(bytes, next.mediaType, next.digest)).map(({ descriptor }) => descriptor));
  }
  return { there: [...there].toSorted(), missing: [...missing].toSorted() };
}

async function withWorlds<T>(kinds: readonly [Kind, Kind], action: (from: World, to: World) => Promise<T>): Promise<T> {
  const from = await openWorld(kinds[0]);
  const to = await openWorld(kinds[1]);
  try {
    return await action(from, to);
  } finally {
    await to.close();
    await from.close();
  }
}

async function copyTo(from: World, to: World, names: readonly string[], select: Select = {}): Promise<Source> {
  const source = await from.source();
  const sink = await to.sink();
  const requests = [];
  for (const tag of names)
    requests.push({ from: source, to: sink, root: await source.resolve(tag), name: { tag }, image: tag, select });
  await copyAll(requests, sink);
  await sink.close();
  return await to.source();
}

describe.each(PAIRS)('a copy from %s to %s', (fromKind, toKind) => {
  it('carries all of an image with platforms, nested indexes and layers of every size', async () => {
    const big = piece(noise(1_500_000, 9), 'application/vnd.oci.image.layer.v1.tar+gzip');
    const graph = index([
      multiPlatform('inner'),
      image({ name: 'outer', platform: ARMV7, layers: [big, piece('', 'application/vnd.oci.image.layer.v1.tar')] }),
    ]);
    const docker = image({ name: 'docker', docker: true });
    const images: Named[] = [
      { graph, name: { tag: '1.0' } },
      { graph: docker, name: { tag: 'docker' } },
    ];
    await withWorlds([fromKind, toKind], async (from, to) => {
      await fill(from, images);
      const copied = await copyTo(from, to, ['1.0', 'docker']);
      for (const it of images) {
        const root = await copied.resolve(it.name.tag ?? '');
        expect(root.digest).toBe(it.graph.root.digest);
        expect(await reachable(copied, root)).toEqual({
          there: [...new Set(it.graph.pieces.map(({ descriptor }) => descriptor.digest))].toSorted(),
          missing: [],
        });
      }
      expect((await all(copied.tags())).toSorted()).toEqual(['1.0', 'docker']);
    });
  });

  it('carries referrers, those of a platform and those of referrers', async () => {
    const graph = multiPlatform();
    const platform = graph.pieces[3]?.descriptor as Descriptor;
    const parts = sbom(platform);
    const signed = signature(graph.root);
    const countersigned = signature(parts.root, 'the list is signed, too');
    await withWorlds([fromKind, toKind], async (from, to) => {
      await fill(from, [
        { graph, name: { tag: '1.0' } },
        ...[parts, signed, countersigned].map((it) => ({ graph: it, name: {} })),
      ]);
      const copied = await copyTo(from, to, ['1.0'], { referrers: true });
      const digests = async (subject: Descriptor): Promise<readonly string[]> =>
        (await all(copied.referrers(subject))).map(({ digest }) => digest);
      expect(await digests(graph.root)).toEqual([signed.root.digest]);
      expect(await digests(platform)).toEqual([parts.root.digest]);
      expect(await digests(parts.root)).toEqual([countersigned.root.digest]);
      expect((await reachable(copied, countersigned.root)).missing).toEqual([]);
    });
  });

  it('keeps an index as it is when some platforms are chosen, or writes it anew', async () => {
    const graph = multiPlatform('app', [AMD64, ARM64, ARMV7]);
    const arm64 = graph.pieces[7]?.descriptor as Descriptor;
    await withWorlds([fromKind, toKind], async (from, to) => {
      await fill(from, [{ graph, name: { tag: '1.0' } }]);
      const source = await from.source();
      const sink = await to.sink();
      const request = { from: source, to: sink, root: await source.resolve('1.0'), image: 'app' };
      await copyAll(
        [
          { ...request, name: { tag: 'kept' }, select: { platforms: [ARM64] } },
          { ...request, name: { tag: 'rewritten' }, select: { platforms: [ARM64], sparse: 'rewrite' } },
        ],
        sink,
      );
      await sink.close();
      const copied = await to.source();
      const kept = await copied.resolve('kept');
      expect(kept.digest).toBe(graph.root.digest);
      const { there, missing } = await reachable(copied, kept);
      expect(there).toContain(arm64.digest);
      expect(missing.length).toBe(4);
      const rewritten = await copied.resolve('rewritten');
      const document = parseManifest(await bytesIn(copied, rewritten), rewritten.mediaType, 'rewritten');
      expect(children(document).map(({ descriptor }) => descriptor.digest)[0]).toBe(arm64.digest);
      expect(children(document).length).toBe(2);
      expect((await reachable(copied, rewritten)).missing).toEqual([]);
    });
  });

  it('carries the tags that name a digest of the image', async () => {
    const graph = multiPlatform();
    const signed = image({ name: 'cosign' });
    const tag = `${referrersTag(graph.root.digest)}.sig`;
    await withWorlds([fromKind, toKind], async (from, to) => {
      await fill(from, [
        { graph, name: { tag: '1.0' } },
        { graph: signed, name: { tag } },
        { graph: image({ name: 'another' }), name: { tag: `${referrersTag(`sha256:${'1'.repeat(64)}`)}.sig` } },
      ]);
      const copied = await copyTo(from, to, ['1.0'], { digestTags: true });
      expect((await all(copied.tags())).toSorted()).toEqual(['1.0', tag].toSorted());
      expect((await reachable(copied, await copied.resolve(tag))).missing).toEqual([]);
    });
  });
});
