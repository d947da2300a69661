import { chmod, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore, type FindingKind } from '../../src/copy/check.ts';
import { plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { openLayout, type LayoutStore } from '../../src/stores/layout/layout.ts';
import {
  AMD64,
  codeOf,
  foreignImage,
  image,
  index,
  jsonPiece,
  multiPlatform,
  noise,
  opening,
  piece,
  put,
  signature,
  type Graph,
  type Piece,
} from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { newCopier } from '../support/worlds.ts';

const temporary = temporaryDirectories();
const graph = multiPlatform();
const [layer, , config, manifest] = graph.pieces as readonly [Piece, Piece, Piece, Piece];

async function layoutWith(it: Graph, name = 'a'): Promise<LayoutStore> {
  const layout = await newLayout(join(await temporary(), 'layout'));
  await put(layout, it, name);
  await layout.close();
  return layout;
}

async function alter(
  layout: LayoutStore,
  { digest }: Descriptor,
  change: (path: string) => Promise<void>,
): Promise<void> {
  await chmod(layout.blobFile(digest), 0o644);
  await change(layout.blobFile(digest));
}

interface Case {
  readonly name: string;
  readonly kind: FindingKind;
  readonly damaged: boolean;
  readonly digest: string;
  readonly neededBy?: string;
  readonly spoil: (layout: LayoutStore) => Promise<void>;
}

const stray = piece('nobody names it', 'text/plain');

const CASES: readonly Case[] = [
  {
    name: 'a missing root',
    kind: 'missing',
    damaged: true,
    digest: graph.root.digest,
    neededBy: 'a',
    spoil: (layout) => rm(layout.blobFile(graph.root.digest)),
  },
  {
    name: 'a missing layer',
    kind: 'missing',
    damaged: true,
    digest: layer.descriptor.digest,
    neededBy: 'a',
    spoil: (layout) => rm(layout.blobFile(layer.descriptor.digest)),
  },
  {
    name: 'a short layer',
    kind: 'short',
    damaged: true,
    digest: layer.descriptor.digest,
    neededBy: 'a',
    spoil: (layout) => alter(layout, layer.descriptor, (path) => truncate(path, 3)),
  },
  {
    name: 'a longer layer',
    kind: 'altered',
    damaged: true,
    digest: layer.descriptor.digest,
    spoil: (layout) => alter(layout, layer.descriptor, (path) => truncate(path, 300)),
  },
  {
    name: 'an altered layer',
    kind: 'altered',
    damaged: true,
    digest: layer.descriptor.digest,
    neededBy: 'a',
    spoil: (layout) => alter(layout, layer.descriptor, (path) => writeFile(path, noise(layer.bytes.length, 1))),
  },
  {
    name: 'an altered manifest',
    kind: 'altered',
    damaged: true,
    digest: manifest.descriptor.digest,
    neededBy: 'a',
    spoil: (layout) => alter(layout, manifest.descriptor, (path) => writeFile(path, noise(manifest.bytes.length, 1))),
  },
  {
    name: 'a link in place of a layer',
    kind: 'unsafe',
    damaged: true,
    digest: layer.descriptor.digest,
    async spoil(layout) {
      await rm(layout.blobFile(layer.descriptor.digest));
      await symlink('/etc/hostname', layout.blobFile(layer.descriptor.digest));
    },
  },
  {
    name: 'content that nothing reaches',
    kind: 'unreferenced',
    damaged: false,
    digest: stray.descriptor.digest,
    async spoil(layout) {
      await layout.put(stray.descriptor, opening(stray.bytes));
      await layout.close();
    },
  },
  {
    name: 'altered content that nothing reaches',
    kind: 'altered',
    damaged: true,
    digest: stray.descriptor.digest,
    async spoil(layout) {
      await layout.put(stray.descriptor, opening(stray.bytes));
      await layout.close();
      await alter(layout, stray.descriptor, (path) => writeFile(path, noise(stray.bytes.length, 1)));
    },
  },
];

describe('the check of a store', () => {
  it('finds nothing in a whole one, and counts it', async () => {
    const layout = await layoutWith(graph);
    const unique = new Map(graph.pieces.map(({ descriptor }) => [descriptor.digest, descriptor.size]));
    expect(await checkStore(layout)).toEqual({
      roots: 1,
      documents: 5,
      blobs: unique.size,
      bytes: [...unique.values()].reduce((sum, size) => sum + size, 0),
      findings: [],
      unfinished: 0,
      damaged: false,
    });
  });

  it.each(CASES)('finds $name', async ({ kind, damaged, digest, neededBy, spoil }) => {
    const layout = await layoutWith(graph);
    await spoil(layout);
    const report = await checkStore(layout);
    expect(report.damaged).toBe(damaged);
    const found = report.findings.filter((finding) => finding.digest === digest);
    expect(found).toMatchObject([{ kind, ...(neededBy === undefined ? {} : { neededBy }) }]);
    // The digest stands beside it.
    expect(found[0]?.message).not.toContain(digest);
    // What is below a missing document is only said to be unreferenced.
    expect(report.findings.filter((finding) => finding.digest !== digest && finding.kind !== 'unreferenced')).toEqual(
      [],
    );
  });

  it('finds a manifest that is none', async () => {
    const bad = jsonPiece({ schemaVersion: 2, mediaType: MEDIA.ociManifest, manifests: [] }, MEDIA.ociManifest);
    const from = createMemory();
    await from.tag(bad.descriptor, { tag: 'bad' }, opening(bad.bytes));
    await from.commit();
    expect((await checkStore(from)).findings).toMatchObject([{ kind: 'undecodable', digest: bad.descriptor.digest }]);
  });

  it('tells what was left out of an index from what is missing', async () => {
    const from = createMemory();
    await put(from, graph, 'a');
    const to = createMemory();
    await newCopier().copy({
      from,
      to,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
      select: { platforms: [AMD64] },
    });
    await to.commit();
    const sparse = await checkStore(to);
    expect(sparse.findings.map(({ kind }) => kind)).toEqual(['absent', 'absent']);
    expect(sparse.damaged).toBe(false);
    // Once something else needs it, it is missing.
    const arm = graph.pieces[7] as Piece;
    const other = index([{ root: arm.descriptor, pieces: [] }]);
    await put(to, other, 'b');
    expect((await checkStore(to)).findings).toMatchObject([
      { kind: 'missing', digest: arm.descriptor.digest },
      { kind: 'absent' },
    ]);
  });

  it('finds a wrong size also where another place gives the right one', async () => {
    const right = image({ name: 'right', layers: [layer] });
    const wrong = image({ name: 'wrong', layers: [{ ...layer, descriptor: { ...layer.descriptor, size: 5 } }] });
    const store = createMemory();
    await put(store, right, 'a');
    await put(store, { ...wrong, pieces: wrong.pieces.slice(1) }, 'b');
    expect((await checkStore(store)).findings).toMatchObject([
      { kind: 'altered', digest: layer.descriptor.digest, size: 5 },
    ]);
  });

  it('takes embedded content for content, and finds out when it lies', async () => {
    const embedded = { ...config.descriptor, data: Buffer.from(config.bytes).toString('base64') };
    const lie = { ...config.descriptor, data: Buffer.from(noise(config.bytes.length, 1)).toString('base64') };
    for (const [descriptor, findings] of [
      [embedded, []],
      [lie, [{ kind: 'altered', digest: config.descriptor.digest }]],
    ] as const) {
      const made = jsonPiece(
        { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: descriptor, layers: [layer.descriptor] },
        MEDIA.ociManifest,
      );
      const store = createMemory();
      await put(store, { root: made.descriptor, pieces: [layer, made] }, 'a');
      expect((await checkStore(store)).findings).toMatchObject(findings);
    }
  });

  it('misses no foreign layer, and counts signatures that only their subject leads to as part of an image', async () => {
    const store = createMemory();
    const windows = foreignImage();
    await put(store, windows, 'a');
    await put(store, signature(windows.root));
    const { findings, damaged } = await checkStore(store);
    expect(findings.map(({ kind }) => kind)).toEqual(['absent']);
    expect(damaged).toBe(false);
  });

  it('finds a signature whose layer is missing', async () => {
    const store = createMemory();
    await put(store, graph, 'a');
    const signed = signature(graph.root);
    await put(store, { ...signed, pieces: signed.pieces.slice(1) });
    expect((await checkStore(store)).findings).toMatchObject([{ kind: 'missing', neededBy: 'a' }]);
  });

  it('stops when it is told to', async () => {
    const layout = await layoutWith(graph);
    const controller = new AbortController();
    controller.abort();
    await expect(checkStore(layout, { signal: controller.signal })).rejects.toThrow(/abort/i);
  });

  it('leaves the layout as it is, and does not follow a planted link', async () => {
    const layout = await layoutWith({ ...graph, root: plainDescriptor(graph.root) });
    const before = await readFile(join(layout.root, 'index.json'), 'utf8');
    const elsewhere = await temporary();
    await mkdir(join(elsewhere, 'sha512'));
    await symlink(join(elsewhere, 'sha512'), join(layout.root, 'blobs/sha512'));
    expect(await codeOf(async () => await checkStore(await openLayout(layout.root, layoutOptions())))).toBe(
      'OCL_UNSAFE',
    );
    expect(await readFile(join(layout.root, 'index.json'), 'utf8')).toBe(before);
  });
});
