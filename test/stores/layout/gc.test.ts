import { link, mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock } from '../../../src/core/clock.ts';
import { plainDescriptor, type Descriptor } from '../../../src/core/descriptor.ts';
import { type Digest } from '../../../src/core/digest.ts';
import { silent } from '../../../src/core/events.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { collectGarbage } from '../../../src/stores/layout/gc.ts';
import { type LayoutStore } from '../../../src/stores/layout/layout.ts';
import {
  all,
  digestsIn,
  image,
  index,
  jsonPiece,
  multiPlatform,
  noise,
  opening,
  piece,
  put,
  sbom,
  signature,
  type Graph,
  type Piece,
} from '../../support/graphs.ts';
import { newLayout, temporaryDirectories, treeOf } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const HOUR = 3_600_000;
const options = { clock: systemClock, emit: silent, grace: 0, dryRun: false };
const later = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms });

async function layoutWith(...graphs: readonly (readonly [Graph, string?])[]): Promise<LayoutStore> {
  const layout = await newLayout(join(await temporary(), 'layout'));
  for (const [graph, name] of graphs) await put(layout, graph, name);
  await layout.commit();
  await layout.close();
  return layout;
}

async function putPieces(layout: LayoutStore, ...pieces: readonly Piece[]): Promise<void> {
  for (const { descriptor, bytes } of pieces) await layout.put(descriptor, opening(bytes));
  await layout.close();
}

/** Takes entries out of index.json, as a tool does that never wrote them. */
async function forget(layout: LayoutStore, ...digests: readonly string[]): Promise<void> {
  const path = join(layout.root, 'index.json');
  const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: { digest: string }[] };
  index.manifests = index.manifests.filter(({ digest }) => !digests.includes(digest));
  await writeFile(path, JSON.stringify(index));
}

const stray = piece(noise(1000, 1), 'application/octet-stream');

describe('the garbage collector', () => {
  it('reads documents that repeat one digest without end', async () => {
    const layer = piece(noise(10, 2), 'application/octet-stream');
    const many = jsonPiece(
      { many: Array.from({ length: 200_000 }, () => layer.descriptor.digest) },
      'application/json',
    );
    const root = jsonPiece(
      {
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: plainDescriptor(many.descriptor),
        layers: [plainDescriptor(layer.descriptor)],
      },
      MEDIA.ociManifest,
    );
    const layout = await layoutWith([image(), '1']);
    await putPieces(layout, layer, many);
    await layout.tag(root.descriptor, { tag: '2' }, opening(root.bytes));
    await layout.commit();
    await layout.close();
    expect((await collectGarbage(layout, options)).removed).toEqual([]);
  });

  it('removes what nothing reaches, and nothing else', async () => {
    const kept = multiPlatform('kept');
    const replaced = multiPlatform('replaced');
    const layout = await layoutWith([kept, 'a'], [replaced, 'b'], [image({ name: 'kept' }), 'b']);
    await putPieces(layout, stray);
    const report = await collectGarbage(layout, options);
    const expected = new Set(
      [...kept.pieces, ...image({ name: 'kept' }).pieces].map(({ descriptor }) => descriptor.digest),
    );
    expect(await digestsIn(layout)).toEqual([...expected].toSorted());
    expect(report.removed.map(({ digest }) => digest)).toContain(stray.descriptor.digest);
    expect(report.removed.length).toBe(new Set(replaced.pieces.map(({ descriptor }) => descriptor.digest)).size + 1);
    expect(report.bytes).toBe(report.removed.reduce((sum, { size }) => sum + size, 0));
    expect(report).toMatchObject({ kept: expected.size, young: 0, leftovers: 0, dryRun: false });
    expect((await collectGarbage(layout, options)).removed).toEqual([]);
  });

  it('only tells what it would do, when it is asked to', async () => {
    const layout = await layoutWith([image(), 'a']);
    await putPieces(layout, stray);
    const before = await treeOf(layout.root);
    const report = await collectGarbage(layout, { ...options, dryRun: true });
    expect(report.removed).toEqual([{ digest: stray.descriptor.digest, size: 1000 }]);
    expect(await treeOf(layout.root)).toEqual(before);
  });

  it('leaves alone what is younger than the grace period, whatever its times of writing say', async () => {
    const layout = await layoutWith([image(), 'a']);
    await putPieces(layout, stray);
    await utimes(layout.blobFile(stray.descriptor.digest), new Date(0), new Date(0));
    const young = await collectGarbage(layout, { ...options, grace: HOUR });
    expect(young).toMatchObject({ removed: [], young: 1 });
    const old = await collectGarbage(layout, { ...options, grace: HOUR, clock: later(HOUR + 60_000) });
    expect(old.removed.length).toBe(1);
  });

  const base = image({ name: 'base' });
  const inner = image({ name: 'inner' });
  const opaque = jsonPiece({ custom: [{ ref: inner.root.digest }] }, 'application/vnd.own+json');
  const escaped = piece(
    `{"schemaVersion":2,"manifests":[{"mediaType":"${MEDIA.ociManifest}","size":${inner.root.size},"digest":"${[...inner.root.digest].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"}]}`,
    MEDIA.ociIndex,
  );
  const spaced = piece(
    `\n\t ${JSON.stringify({ schemaVersion: 2, manifests: [plainDescriptor(inner.root)] })}`,
    MEDIA.ociIndex,
  );
  const signed = signature(base.root);
  const counter = sbom(signed.root);
  const oddDigest = 'crc32:9b2c' as Digest;

  it.each<readonly [string, Graph, readonly string[]]>([
    ['nested indexes', index([index([index([base])])]), []],
    ['contents below an unknown media type', { root: opaque.descriptor, pieces: [...inner.pieces, opaque] }, []],
    ['digests that are written with escapes', { root: escaped.descriptor, pieces: [...inner.pieces, escaped] }, []],
    ['documents that start with blank space', { root: spaced.descriptor, pieces: [...inner.pieces, spaced] }, []],
    [
      'referrers that only their subject leads to, and theirs',
      { root: base.root, pieces: [...base.pieces, ...signed.pieces, ...counter.pieces] },
      [signed.root.digest, counter.root.digest],
    ],
  ])('keeps %s', async (_, graph, forgotten) => {
    const layout = await newLayout(join(await temporary(), 'layout'));
    await put(layout, graph, 'a');
    await layout.close();
    await forget(layout, ...forgotten);
    const before = await digestsIn(layout);
    expect((await collectGarbage(layout, options)).removed).toEqual([]);
    expect(await digestsIn(layout)).toEqual(before);
  });

  it('keeps contents of algorithms that nobody knows, with short digests', async () => {
    const odd: Piece = { bytes: new Uint8Array([1, 2]), descriptor: { mediaType: 'x/y', digest: oddDigest, size: 2 } };
    const layout = await layoutWith([image({ layers: [odd] }), 'a']);
    expect((await collectGarbage(layout, options)).removed).toEqual([]);
    expect(await digestsIn(layout)).toContain(oddDigest);
  });

  it('removes a referrer whose subject is gone', async () => {
    const layout = await layoutWith([image({ name: 'other' }), 'a']);
    await putPieces(layout, ...signed.pieces);
    expect((await collectGarbage(layout, options)).removed.length).toBe(signed.pieces.length);
  });

  it('lets an image go that lost its name, with all that referred to it and their entries', async () => {
    const layout = await newLayout(join(await temporary(), 'layout'));
    const next = image({ name: 'next' });
    await put(layout, base, 'a');
    for (const graph of [signed, counter]) await put(layout, graph);
    await put(layout, next, 'a');
    await layout.commit();
    await layout.close();
    expect((await layout.roots()).length).toBe(3);
    const told = await collectGarbage(layout, { ...options, dryRun: true });
    const report = await collectGarbage(layout, options);
    expect(report).toMatchObject({ dropped: 2, removed: told.removed });
    expect(await digestsIn(layout)).toEqual(next.pieces.map(({ descriptor }) => descriptor.digest).toSorted());
    expect((await layout.roots()).map(({ digest }) => digest)).toEqual([next.root.digest]);
  });

  it('keeps a referrer whose subject lives elsewhere', async () => {
    const layout = await layoutWith([signed]);
    expect((await collectGarbage(layout, options)).removed).toEqual([]);
  });

  it('takes unfinished files of the dead away with it', async () => {
    const layout = await layoutWith([image(), 'a']);
    await mkdir(join(layout.root, '.ocl/tmp'), { recursive: true });
    await writeFile(join(layout.root, '.ocl/tmp/1-x.tmp'), 'half');
    await writeFile(join(layout.root, '.index.json.1-x.tmp'), '{');
    await writeFile(join(layout.root, '.ocl/lock.abc'), '');
    expect((await collectGarbage(layout, options)).leftovers).toBe(2);
    expect(Object.keys(await treeOf(layout.root)).filter((path) => path.startsWith('.'))).toEqual([]);
  });

  it('takes time that grows with the text only, whatever the text is', async () => {
    const long = jsonPiece({ x: 'a'.repeat(6 << 20), y: 'a.a-'.repeat(1 << 20) }, 'application/json');
    const layout = await layoutWith([image({ layers: [long] }), 'a']);
    const started = performance.now();
    await collectGarbage(layout, options);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('counts only bytes that become free', async () => {
    const layout = await layoutWith([image(), 'a']);
    await putPieces(layout, stray);
    await link(layout.blobFile(stray.descriptor.digest), join(layout.root, '..', 'other-name'));
    expect(await collectGarbage(layout, options)).toMatchObject({ bytes: 0, removed: [{ size: 1000 }] });
    expect(
      (await all(layout.blobs())).some(
        ({ digest }: { digest: Descriptor['digest'] }) => digest === stray.descriptor.digest,
      ),
    ).toBe(false);
  });
});
