import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { children } from '../../../src/core/graph.ts';
import { parseManifest, type Manifest } from '../../../src/core/manifest.ts';
import { isDocumentType, MEDIA } from '../../../src/core/mediaTypes.ts';
import { digestOf, readVerified } from '../../../src/io/verify.ts';
import { openArchive, type OpenArchiveOptions } from '../../../src/stores/archive/reader.ts';
import { type ArchiveSource } from '../../../src/stores/archive/source.ts';
import { Content, tarOf } from '../../support/content.ts';
import { rawTar, type RawEntry } from '../../support/tarCases.ts';
import { codeOf } from './support.ts';

const FIXTURES = fileURLToPath(new URL('../../../testdata/archives/', import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-forms-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function open(entries: readonly RawEntry[], as?: OpenArchiveOptions['as']): Promise<ArchiveSource> {
  const path = join(dir, `${createHash('sha256').update(JSON.stringify(entries)).digest('hex')}.tar`);
  await writeFile(path, rawTar(entries));
  return openArchive(path, { tmpDir: dir, ...(as === undefined ? {} : { as }) });
}

async function manifestOf(source: ArchiveSource, root: Descriptor): Promise<Manifest> {
  const manifest = parseManifest(await readVerified(await source.open(root), root, 1 << 20), root.mediaType, 'test');
  if (manifest.kind !== 'manifest') throw new Error('the test expects a manifest');
  return manifest;
}

/** Reads all below a root; how many nodes that were. */
async function readGraph(source: ArchiveSource, root: Descriptor): Promise<number> {
  const bytes = await readVerified(await source.open(root), root, 1 << 24);
  if (!isDocumentType(root.mediaType)) return 1;
  let count = 1;
  for (const child of children(parseManifest(bytes, root.mediaType, 'test')))
    count += await readGraph(source, child.descriptor);
  return count;
}

async function tagsOf(source: ArchiveSource): Promise<string[]> {
  const tags: string[] = [];
  for await (const tag of source.tags()) tags.push(tag);
  return tags;
}

const hex = (bytes: Uint8Array | string): string => digestOf(Buffer.from(bytes)).slice(7);
const json = (value: unknown): string => JSON.stringify(value);
const base = tarOf({ etc: 'base' });
const top = tarOf({ app: 'top' });
const config = json({
  architecture: 'arm64',
  os: 'linux',
  variant: 'v8',
  rootfs: { type: 'layers', diff_ids: [digestOf(base), digestOf(top)] },
});
const LAYOUT: RawEntry = { name: 'oci-layout', body: '{"imageLayoutVersion": "1.0.0"}' };
const blobsOf = (content: Content): RawEntry[] =>
  content.descriptors.map((descriptor) => ({
    name: `blobs/sha256/${descriptor.digest.slice(7)}`,
    body: content.bytes(descriptor),
  }));
const indexOf = (manifests: readonly unknown[], more: object = {}): RawEntry => ({
  name: 'index.json',
  body: json({ schemaVersion: 2, ...more, manifests }),
});

describe('the archive of', () => {
  it('docker save before 25: directories of layers, links between equal ones, short names', async () => {
    const v1 = (n: string): string => n.repeat(64);
    const entries: RawEntry[] = [
      { name: `${v1('a')}/`, type: '5' },
      { name: `${v1('a')}/VERSION`, body: '1.0' },
      { name: `${v1('a')}/json`, body: json({ id: v1('a') }) },
      { name: `${v1('a')}/layer.tar`, body: base },
      { name: `${v1('b')}/layer.tar`, body: top },
      { name: `${v1('c')}/layer.tar`, type: '2', link: `../${v1('a')}/layer.tar` },
      { name: `${hex(config)}.json`, body: config },
      {
        name: 'other.json',
        body: json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(base)] } }),
      },
      {
        name: 'manifest.json',
        body: json([
          {
            Config: `${hex(config)}.json`,
            RepoTags: ['demo:1', 'registry.example:5000/team/demo:1'],
            Layers: [`${v1('a')}/layer.tar`, `${v1('b')}/layer.tar`],
          },
          { Config: 'other.json', RepoTags: null, Layers: [`${v1('c')}/layer.tar`] },
        ]),
      },
      { name: 'repositories', body: json({ demo: { 1: v1('b') } }) },
    ];
    const source = await open(entries);
    expect(source.kind).toBe('docker');
    expect(await tagsOf(source)).toEqual(['docker.io/library/demo:1', 'registry.example:5000/team/demo:1']);
    const root = await source.resolve('demo:1');
    expect(root.platform).toEqual({ architecture: 'arm64', os: 'linux', variant: 'v8' });
    expect((await source.resolve('registry.example:5000/team/demo:1')).digest).toBe(root.digest);
    const manifest = await manifestOf(source, root);
    expect(manifest.config).toEqual({
      mediaType: MEDIA.ociConfig,
      digest: digestOf(Buffer.from(config)),
      size: config.length,
    });
    expect(manifest.layers.map(({ mediaType, digest }) => [mediaType, digest])).toEqual([
      [MEDIA.ociLayer, digestOf(base)],
      [MEDIA.ociLayer, digestOf(top)],
    ]);
    const roots = await source.roots();
    expect(roots).toHaveLength(3);
    expect(roots[2]?.annotations).toBeUndefined();
    for (const entry of roots) await readGraph(source, entry);
    expect((await source.resolve(roots[2]?.digest ?? '')).digest).toBe(roots[2]?.digest);
    expect(await codeOf(() => source.resolve('nothing:1'))).toBe('OCL_NOT_FOUND');
    const blobs: string[] = [];
    for await (const { digest } of source.blobs()) blobs.push(digest);
    expect(new Set(blobs).size).toBe(2 + 2 + 2);
    await source.close();
  });

  it('docker save since 25: a layout and a docker archive in one, each for who asks for it', async () => {
    const content = new Content();
    const layers = [content.add(base, MEDIA.ociLayer), content.add(top, MEDIA.ociLayer)];
    const image = content.json(
      { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: content.add(config, MEDIA.ociConfig), layers },
      MEDIA.ociManifest,
    );
    const path = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;
    const entries: RawEntry[] = [
      { name: 'blobs/', type: '5' },
      { name: 'blobs/sha256/', type: '5' },
      ...blobsOf(content),
      indexOf(
        [
          {
            ...image,
            annotations: {
              'io.containerd.image.name': 'docker.io/library/demo:1',
              'org.opencontainers.image.ref.name': '1',
            },
          },
        ],
        { mediaType: MEDIA.ociIndex },
      ),
      {
        name: 'manifest.json',
        body: json([
          {
            Config: path(digestOf(Buffer.from(config))),
            RepoTags: ['demo:1'],
            Layers: layers.map(({ digest }) => path(digest)),
            LayerSources: Object.fromEntries(layers.map((layer) => [layer.digest, layer])),
          },
        ]),
      },
      LAYOUT,
      { name: 'repositories', body: json({ demo: { 1: hex(top) } }) },
    ];
    for (const as of [undefined, 'oci', 'docker'] as const) {
      const source = await open(entries, as);
      expect(source.kind).toBe(as ?? 'oci');
      const root = await source.resolve('demo:1');
      // What docker would make of it is the very manifest that stands in the layout.
      expect(root.digest).toBe(image.digest);
      expect(await readGraph(source, root)).toBe(4);
      await source.close();
    }
  });

  it('crane: a config with a colon in its name, gzip layers, one of them zstd', async () => {
    const zipped = gzipSync(base);
    const zstd = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]), Buffer.from('010000', 'hex')]);
    const entries: RawEntry[] = [
      { name: `sha256:${hex(config)}`, body: config },
      { name: `${hex(zipped)}.tar.gz`, body: zipped },
      { name: `${hex(zstd)}.tar.gz`, body: zstd },
      {
        name: 'manifest.json',
        body: json([
          {
            Config: `sha256:${hex(config)}`,
            RepoTags: ['ghcr.io/x/y:v1'],
            Layers: [`${hex(zipped)}.tar.gz`, `${hex(zstd)}.tar.gz`],
          },
        ]),
      },
    ];
    const source = await open(entries);
    const manifest = await manifestOf(source, await source.resolve('v1'));
    expect(manifest.layers).toEqual([
      { mediaType: MEDIA.ociLayerGzip, digest: digestOf(zipped), size: zipped.length },
      { mediaType: MEDIA.ociLayerZstd, digest: digestOf(zstd), size: zstd.length },
    ]);
    expect(await tagsOf(source)).toEqual(['v1']);
    expect(await readGraph(source, await source.resolve('ghcr.io/x/y:v1'))).toBe(4);
    await source.close();
  });

  it('containerd: full names, platforms that are missing, referrers with a note of their subject', async () => {
    const content = new Content();
    const index = content.platforms([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
    const document = parseManifest(content.bytes(index), index.mediaType, 'test');
    const [kept, dropped] = document.kind === 'index' ? document.manifests : [];
    if (kept === undefined || dropped === undefined) throw new Error('the test is wrong');
    content.blobs.delete(dropped.digest);
    const referrer = content.artifact({ type: 'application/vnd.dev.cosign.simplesigning.v1+json', subject: index });
    const names = (name: string, ref: string): object => ({
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': ref },
    });
    const source = await open([
      ...blobsOf(content),
      indexOf([
        { ...index, ...names('docker.io/library/a:latest', 'latest') },
        { ...kept, ...names(`docker.io/library/b@${kept.digest}`, `docker.io/library/b@${kept.digest}`) },
        { ...referrer, annotations: { 'io.containerd.manifest.subject': index.digest } },
      ]),
      LAYOUT,
    ]);
    expect((await source.resolve('latest')).digest).toBe(index.digest);
    expect((await source.resolve('a')).digest).toBe(index.digest);
    expect((await source.resolve(`docker.io/library/b@${kept.digest}`)).digest).toBe(kept.digest);
    expect(await codeOf(() => source.resolve(dropped.digest))).toBe('OCL_NOT_FOUND');
    expect(await codeOf(() => source.open(dropped))).toBe('OCL_NOT_FOUND');
    const found: string[] = [];
    for await (const { digest } of source.referrers(index)) found.push(digest);
    expect(found).toEqual([referrer.digest]);
    await source.close();
  });

  it('oras and regctl: referrers without names, odd files beside, a tag or a full name', async () => {
    const content = new Content();
    const app = content.image();
    const sbom = content.artifact({ type: 'application/spdx+json', subject: app, annotations: { made: 'today' } });
    const deep = content.artifact({ type: 'application/x.attestation', blobs: ['deep'], subject: sbom });
    const source = await open([
      LAYOUT,
      { name: 'ingest/', type: '5' },
      { name: 'README', body: 'not ours' },
      ...blobsOf(content),
      indexOf([
        {
          ...app,
          annotations: {
            'org.opencontainers.image.ref.name': 'v1',
            'org.opencontainers.image.created': '2026-01-01T00:00:00Z',
          },
        },
        { ...app, annotations: { 'org.opencontainers.image.ref.name': 'registry.example/app:v1' } },
        { ...sbom, artifactType: 'application/spdx+json', annotations: { made: 'today' } },
        { ...deep, artifactType: 'application/x.attestation' },
        {
          mediaType: 'application/xml',
          digest: digestOf(Buffer.from('<a/>')),
          size: 4,
          annotations: { 'org.freedesktop.specifications.metainfo.version': '1.0' },
        },
      ]),
    ]);
    expect((await source.resolve('v1')).digest).toBe(app.digest);
    expect((await source.resolve('registry.example/app:v1')).digest).toBe(app.digest);
    expect(await source.roots()).toHaveLength(5);
    const of = async (subject: Descriptor): Promise<(string | undefined)[]> => {
      const types: (string | undefined)[] = [];
      for await (const { artifactType } of source.referrers(subject)) types.push(artifactType);
      return types;
    };
    expect(await of(app)).toEqual(['application/spdx+json']);
    expect(await of(sbom)).toEqual(['application/x.attestation']);
    expect(await of(deep)).toEqual([]);
    await source.close();
  });

  it('cosign save: no names at all, but a kind', async () => {
    const content = new Content();
    const app = content.image();
    const signature = content.artifact({ blobs: ['signature'] });
    const source = await open([
      LAYOUT,
      ...blobsOf(content),
      indexOf([
        { ...app, annotations: { kind: 'dev.cosignproject.cosign/image' } },
        { ...signature, annotations: { kind: 'dev.cosignproject.cosign/sigs' } },
      ]),
    ]);
    expect(await tagsOf(source)).toEqual([]);
    expect((await source.roots()).map(({ annotations }) => annotations?.['kind'])).toEqual([
      'dev.cosignproject.cosign/image',
      'dev.cosignproject.cosign/sigs',
    ]);
    expect(await codeOf(() => source.resolve('latest'))).toBe('OCL_NOT_FOUND');
    expect(await readGraph(source, await source.resolve(app.digest))).toBe(3);
    await source.close();
  });

  it('somebody who packed the directory around a layout: what to do is said', async () => {
    await expect(
      open([
        { name: 'mirror/oci-layout', body: '{}' },
        { name: 'mirror/index.json', body: '{}' },
      ]),
    ).rejects.toMatchObject({ code: 'OCL_ARCHIVE_INVALID', hint: expect.stringContaining('tar -C "mirror"') });
    await expect(open([LAYOUT, indexOf([])], 'docker')).rejects.toMatchObject({
      code: 'OCL_ARCHIVE_INVALID',
      hint: expect.stringContaining('oci-archive:'),
    });
  });
});

describe('files that other tools have made', () => {
  it.each([
    ['skopeo-docker-archive.tar', 'docker', ['1'], 'demo:1'],
    ['skopeo-oci-archive.tar', 'oci', ['1'], 'docker.io/library/demo:1'],
    ['umoci-gnu-tar.tar.gz', 'oci', ['1', '2'], '2'],
    ['umoci-pax.tar.zst', 'oci', ['1', '2'], '2'],
  ])('%s', async (name, kind, tags, wanted) => {
    const source = await openArchive(join(FIXTURES, name), { tmpDir: dir });
    expect(source.kind).toBe(kind);
    expect(await tagsOf(source)).toEqual(tags);
    expect(await readGraph(source, await source.resolve(wanted))).toBe(4);
    await source.close();
  });
});
