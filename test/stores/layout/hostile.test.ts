import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/copy/check.ts';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { type Digest } from '../../../src/core/digest.ts';
import { silent } from '../../../src/core/events.ts';
import { toJsonBytes } from '../../../src/core/json.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { blobPath, digestOf } from '../../../src/io/verify.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { collectGarbage } from '../../../src/stores/layout/gc.ts';
import { openLayout } from '../../../src/stores/layout/layout.ts';
import {
  bytesOf,
  codeOf,
  image,
  index,
  jsonPiece,
  noise,
  piece,
  put,
  type Graph,
  type Piece,
} from '../../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories, treeOf } from '../../support/layouts.ts';
import { newCopier } from '../../support/worlds.ts';

const temporary = temporaryDirectories();
const good = image();
const [layer, , config, manifest] = good.pieces as readonly [Piece, Piece, Piece, Piece];
const text = new TextDecoder();

interface Case {
  readonly name: string;
  readonly code: string;
  /** Changes the layout `root`, which holds `good` as `a`. `outside` is a directory beside it that must stay as it is. */
  readonly spoil: (root: string, outside: string) => Promise<void>;
}

async function write(root: string, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(root, name);
  await mkdir(join(path, '..'), { recursive: true });
  await rm(path, { force: true, recursive: true });
  await writeFile(path, content);
}

/** A document under its right digest, and an index that names it. */
async function root(
  directory: string,
  content: string | Uint8Array,
  mediaType: string = MEDIA.ociManifest,
  more: object = {},
): Promise<void> {
  const made = piece(content, mediaType);
  await write(directory, blobPath(made.descriptor.digest), made.bytes);
  await indexOf(directory, [
    { ...made.descriptor, annotations: { 'org.opencontainers.image.ref.name': 'a' }, ...more },
  ]);
}

async function indexOf(directory: string, manifests: unknown, more: object = {}): Promise<void> {
  await write(directory, 'index.json', toJsonBytes({ schemaVersion: 2, manifests, ...more }));
}

const entry = (more: object = {}): object => ({
  ...manifest.descriptor,
  annotations: { 'org.opencontainers.image.ref.name': 'a' },
  ...more,
});

const document = text.decode(manifest.bytes);
const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

/** An index in an index in an index …, each verified. */
async function nested(directory: string, depth: number): Promise<void> {
  let graph: Graph = good;
  for (let i = 0; i < depth; i++) graph = index([graph]);
  for (const { descriptor, bytes } of graph.pieces) await write(directory, blobPath(descriptor.digest), bytes);
  await indexOf(directory, [{ ...graph.root, annotations: { 'org.opencontainers.image.ref.name': 'a' } }]);
}

/** A manifest whose parts are described wrongly. */
const described = (name: string, code: string, part: object): Case => ({
  name,
  code,
  spoil: (directory) =>
    root(
      directory,
      toJsonBytes({
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: config.descriptor,
        layers: [{ ...layer.descriptor, ...part }],
      }),
    ),
});

/** A document that is not what it must be, under its right digest. */
const documentOf = (name: string, code: string, content: string | Uint8Array, mediaType?: string): Case => ({
  name,
  code,
  spoil: (directory) => root(directory, content, mediaType),
});

const indexCase = (name: string, code: string, content: string | Uint8Array): Case => ({
  name,
  code,
  spoil: (directory) => write(directory, 'index.json', content),
});

const blob = (directory: string, { digest }: Descriptor): string => join(directory, blobPath(digest));

const CASES: readonly Case[] = [
  // A1: one document, two readings
  documentOf('a manifest with manifests', 'OCL_DOCUMENT_INVALID', document.replace('{', '{"manifests":[],')),
  documentOf('a manifest with fsLayers', 'OCL_DOCUMENT_INVALID', document.replace('{', '{"fsLayers":[],')),
  documentOf(
    'an index with layers',
    'OCL_DOCUMENT_INVALID',
    `{"schemaVersion":2,"mediaType":"${MEDIA.ociIndex}","manifests":[],"layers":[]}`,
    MEDIA.ociIndex,
  ),
  documentOf(
    'an index that was announced as a manifest',
    'OCL_DOCUMENT_INVALID',
    `{"schemaVersion":2,"mediaType":"${MEDIA.ociIndex}","manifests":[]}`,
  ),
  documentOf('a manifest that was announced as an index', 'OCL_DOCUMENT_INVALID', document, MEDIA.ociIndex),
  documentOf(
    'a manifest of Docker schema 1',
    'OCL_UNSUPPORTED',
    '{"schemaVersion":1,"fsLayers":[],"history":[]}',
    MEDIA.dockerManifestV1,
  ),
  // A2: names twice, or nearly
  documentOf(
    'config twice',
    'OCL_DOCUMENT_INVALID',
    document.replace('{', `{"config":${JSON.stringify(config.descriptor)},`),
  ),
  documentOf('layers and Layers', 'OCL_DOCUMENT_INVALID', document.replace('{', '{"Layers":[],')),
  documentOf(
    'a digest and a Digest in one descriptor',
    'OCL_DOCUMENT_INVALID',
    document.replace('"digest"', `"Digest":"sha256:${'0'.repeat(64)}","digest"`),
  ),
  documentOf('a long s that Go reads as s', 'OCL_DOCUMENT_INVALID', document.replace('"size"', '"ſize":1,"size"')),
  documentOf('a byte order mark', 'OCL_DOCUMENT_INVALID', `\uFEFF${document}`),
  documentOf(
    'no UTF-8',
    'OCL_DOCUMENT_INVALID',
    Buffer.concat([manifest.bytes.subarray(0, -1), Buffer.from([0xff, 0x7d])]),
  ),
  documentOf('NaN for a number', 'OCL_DOCUMENT_INVALID', document.replace(/"size":\d+/, '"size":NaN')),
  // A4: digests that lead elsewhere
  described('a digest that climbs', 'OCL_DOCUMENT_INVALID', { digest: 'sha256:../../../../etc/passwd' }),
  described('an algorithm that climbs', 'OCL_DOCUMENT_INVALID', { digest: '../sha256:0123456789abcdef' }),
  described('an escaped slash', 'OCL_DOCUMENT_INVALID', { digest: 'sha256:..%2f..%2fetc' }),
  described('upper case digits', 'OCL_DOCUMENT_INVALID', {
    digest: layer.descriptor.digest.toUpperCase().replace('SHA256', 'sha256'),
  }),
  described('a short digest', 'OCL_DOCUMENT_INVALID', { digest: 'sha256:abc' }),
  described('sha512 with the length of sha256', 'OCL_DOCUMENT_INVALID', {
    digest: layer.descriptor.digest.replace('sha256', 'sha512'),
  }),
  {
    name: 'a root whose digest climbs',
    code: 'OCL_LAYOUT_INVALID',
    spoil: (directory) => indexOf(directory, [entry({ digest: 'sha256:../../x' })]),
  },
  // A5, A6: sizes and contents
  described('a size that is too small', 'OCL_SIZE_MISMATCH', { size: layer.descriptor.size - 1 }),
  described('a size that is too large', 'OCL_SIZE_MISMATCH', { size: layer.descriptor.size + 1 }),
  described('a size of 2^62', 'OCL_DOCUMENT_INVALID', { size: 2 ** 62 }),
  described('a size of 2^53-1', 'OCL_SIZE_MISMATCH', { size: Number.MAX_SAFE_INTEGER }),
  described('a negative size', 'OCL_DOCUMENT_INVALID', { size: -1 }),
  described('half a byte', 'OCL_DOCUMENT_INVALID', { size: 1.5 }),
  described('a size in quotes', 'OCL_DOCUMENT_INVALID', { size: '17' }),
  {
    name: 'a layer of another content and the same size',
    code: 'OCL_DIGEST_MISMATCH',
    spoil: (directory) => write(directory, blobPath(layer.descriptor.digest), noise(layer.descriptor.size, 1)),
  },
  {
    name: 'a manifest of another content and the same size',
    code: 'OCL_DIGEST_MISMATCH',
    spoil: (directory) => write(directory, blobPath(manifest.descriptor.digest), document.replace('config', 'gifnoc')),
  },
  {
    name: 'a layer that is missing',
    code: 'OCL_NOT_FOUND',
    spoil: (directory) => rm(blob(directory, layer.descriptor)),
  },
  // A7, A8: too much
  documentOf('a hundred thousand levels', 'OCL_LIMIT', document.replace('{', `{"x":${deep(100_000)},`)),
  documentOf('a manifest of 9 MiB', 'OCL_LIMIT', document.replace('{', `{"x":"${'x'.repeat(9 << 20)}",`)),
  { name: 'indexes nested eleven deep', code: 'OCL_LIMIT', spoil: (directory) => nested(directory, 11) },
  {
    name: 'two hundred thousand and one layers',
    code: 'OCL_DOCUMENT_INVALID',
    spoil: (directory) => {
      const one = JSON.stringify({ mediaType: 'a/b', digest: 'x:y', size: 0 });
      return root(directory, `{"schemaVersion":2,"manifests":[${Array(200_001).fill(one).join(',')}]}`, MEDIA.ociIndex);
    },
  },
  // A9: embedded content
  described('data of another content', 'OCL_DIGEST_MISMATCH', {
    data: Buffer.from(noise(layer.descriptor.size, 2)).toString('base64'),
  }),
  described('data that is too long', 'OCL_SIZE_MISMATCH', { data: Buffer.from(noise(1000, 2)).toString('base64') }),
  // A10: the frame
  { name: 'no oci-layout', code: 'OCL_LAYOUT_INVALID', spoil: (directory) => rm(join(directory, 'oci-layout')) },
  {
    name: 'another version',
    code: 'OCL_LAYOUT_INVALID',
    spoil: (directory) => write(directory, 'oci-layout', '{"imageLayoutVersion":"2.0.0"}'),
  },
  {
    name: 'a version without quotes',
    code: 'OCL_LAYOUT_INVALID',
    spoil: (directory) => write(directory, 'oci-layout', '{"imageLayoutVersion":1.0}'),
  },
  {
    name: 'a version twice',
    code: 'OCL_LAYOUT_INVALID',
    spoil: (directory) => write(directory, 'oci-layout', '{"imageLayoutVersion":"2.0.0","imageLayoutVersion":"1.0.0"}'),
  },
  {
    name: 'an oci-layout of 70 KB',
    code: 'OCL_LIMIT',
    spoil: (directory) => write(directory, 'oci-layout', ' '.repeat(70_000)),
  },
  {
    name: 'a directory in place of oci-layout',
    code: 'OCL_UNSAFE',
    async spoil(directory) {
      await rm(join(directory, 'oci-layout'));
      await mkdir(join(directory, 'oci-layout'));
    },
  },
  {
    name: 'a link in place of oci-layout',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(join(directory, 'oci-layout'));
      await symlink(join(outside, 'oci-layout'), join(directory, 'oci-layout'));
    },
  },
  { name: 'no index.json', code: 'OCL_LAYOUT_INVALID', spoil: (directory) => rm(join(directory, 'index.json')) },
  indexCase('an array for an index', 'OCL_LAYOUT_INVALID', '[]'),
  indexCase('an empty index.json', 'OCL_LAYOUT_INVALID', ''),
  indexCase('half an index.json', 'OCL_LAYOUT_INVALID', '{"schemaVersion":2,"manifests":['),
  indexCase('a manifest for an index', 'OCL_LAYOUT_INVALID', document),
  indexCase('schemaVersion 1', 'OCL_LAYOUT_INVALID', '{"schemaVersion":1,"manifests":[]}'),
  indexCase('manifests twice', 'OCL_LAYOUT_INVALID', '{"schemaVersion":2,"manifests":[],"manifests":[]}'),
  indexCase('an index of 65 MiB', 'OCL_LIMIT', Buffer.alloc(65 << 20, 0x20)),
  // A11: names
  {
    name: 'one name for two images',
    code: 'OCL_AMBIGUOUS',
    spoil: (directory) =>
      indexOf(directory, [entry(), entry({ digest: config.descriptor.digest, size: config.descriptor.size })]),
  },
  {
    name: 'a name with a line feed and a colour',
    code: 'OCL_NOT_FOUND',
    spoil: (directory) =>
      indexOf(directory, [entry({ annotations: { 'org.opencontainers.image.ref.name': 'a\n\u001B[31m' } })]),
  },
  {
    name: 'a name of 10 MB',
    code: 'OCL_NOT_FOUND',
    spoil: (directory) =>
      indexOf(directory, [entry({ annotations: { 'org.opencontainers.image.ref.name': 'a'.repeat(10_000_000) } })]),
  },
  // A12: what nobody knows
  {
    name: 'a root of an unknown algorithm',
    code: 'OCL_UNSUPPORTED',
    spoil: (directory) => indexOf(directory, [entry({ digest: 'md4:0123456789abcdef' })]),
  },
  // B3: what is no regular file
  {
    name: 'a layer that is a link to the outside',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(blob(directory, layer.descriptor));
      await symlink(join(outside, 'secret'), blob(directory, layer.descriptor));
    },
  },
  {
    name: 'a manifest that is a link to the outside',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(blob(directory, manifest.descriptor));
      await symlink(join(outside, 'secret'), blob(directory, manifest.descriptor));
    },
  },
  {
    name: 'a directory of contents that is a link to the outside',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(join(directory, 'blobs/sha256'), { recursive: true });
      await symlink(join(outside, 'blobs/sha256'), join(directory, 'blobs/sha256'));
    },
  },
  {
    name: 'blobs as a link to the outside',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(join(directory, 'blobs'), { recursive: true });
      await symlink(join(outside, 'blobs'), join(directory, 'blobs'));
    },
  },
  {
    name: 'index.json as a link to the outside',
    code: 'OCL_UNSAFE',
    async spoil(directory, outside) {
      await rm(join(directory, 'index.json'));
      await symlink(join(outside, 'index.json'), join(directory, 'index.json'));
    },
  },
  {
    name: 'a pipe in place of a layer',
    code: 'OCL_UNSAFE',
    async spoil(directory) {
      await rm(blob(directory, layer.descriptor));
      expect(spawnSync('mkfifo', [blob(directory, layer.descriptor)]).status).toBe(0);
    },
  },
  {
    name: 'a pipe in place of index.json',
    code: 'OCL_UNSAFE',
    async spoil(directory) {
      await rm(join(directory, 'index.json'));
      expect(spawnSync('mkfifo', [join(directory, 'index.json')]).status).toBe(0);
    },
  },
  {
    name: 'a directory in place of a layer',
    code: 'OCL_UNSAFE',
    async spoil(directory) {
      await rm(blob(directory, layer.descriptor));
      await mkdir(blob(directory, layer.descriptor));
    },
  },
];

async function prepare(): Promise<{
  readonly all: string;
  readonly source: string;
  readonly outside: string;
  readonly target: string;
}> {
  const all = await temporary();
  const [source, outside, target] = ['source', 'outside', 'target'].map((name) => join(all, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [source, outside]) {
    const layout = await newLayout(path);
    await put(layout, good, 'a');
    await layout.close();
  }
  await write(outside, 'secret', bytesOf('nobody else may read this'));
  await chmod(join(outside, 'secret'), 0o444);
  return { all, source, outside, target };
}

describe('a hostile layout', () => {
  it.each(CASES)('is refused: $name', async ({ code, spoil }) => {
    const { source, outside, target } = await prepare();
    await spoil(source, outside);
    const before = [await treeOf(outside), await treeOf(source)];
    const memory = process.memoryUsage().rss;
    const sink = await newLayout(target);
    const actual = await codeOf(async () => {
      const from = await openLayout(source, layoutOptions());
      await newCopier().copy({ from, to: sink, root: await from.resolve('a'), name: { tag: 'a' }, image: 'a' });
    });
    await sink.commit();
    await sink.close();
    expect(actual).toBe(code);
    expect([await treeOf(outside), await treeOf(source)]).toEqual(before);
    expect(process.memoryUsage().rss - memory).toBeLessThan(700 << 20);
    // What arrived before the failure is right, and no name leads to what did not.
    if ((await codeOf(() => openLayout(target, layoutOptions()))) !== 'none') return;
    const arrived = await openLayout(target, layoutOptions());
    expect(await arrived.roots()).toEqual([]);
    expect((await checkStore(arrived)).damaged).toBe(false);
  });

  it('does not pass on by link what nobody verified, when it was asked to verify', async () => {
    const { source, target } = await prepare();
    await write(source, blobPath(layer.descriptor.digest), noise(layer.descriptor.size, 1));
    await chmod(blob(source, layer.descriptor), 0o444);
    const sink = await newLayout(target, { reverify: true });
    const from = await openLayout(source, layoutOptions());
    const copy = newCopier().copy({ from, to: sink, root: manifest.descriptor, name: { tag: 'a' }, image: 'a' });
    expect(await codeOf(() => copy)).toBe('OCL_DIGEST_MISMATCH');
    await sink.close();
  });

  it.each(['blobs', 'blobs/sha256', '.ocl', '.ocl/tmp', '.ocl/writers'])(
    'keeps writers and the collector from following %s elsewhere',
    async (name) => {
      const { source, outside } = await prepare();
      await mkdir(join(outside, name), { recursive: true });
      await write(outside, join(name, 'precious'), 'not to be removed');
      await rm(join(source, name), { recursive: true, force: true });
      await mkdir(join(source, name, '..'), { recursive: true });
      await symlink(join(outside, name), join(source, name));
      const before = await treeOf(outside);
      const options = { clock: systemClock, emit: silent, grace: 0, dryRun: false };
      const layout = await openLayout(source, layoutOptions());
      expect(await codeOf(() => collectGarbage(layout, options))).toBe('OCL_UNSAFE');
      const writer = await newLayout(source);
      expect(await codeOf(() => put(writer, image({ name: 'new' }), 'new'))).toBe('OCL_UNSAFE');
      await writer.close().catch(() => {});
      expect(await treeOf(outside)).toEqual(before);
    },
  );

  it('keeps names such as __proto__ as the data they are', async () => {
    const { source, target } = await prepare();
    const annotated = `{"schemaVersion":2,"mediaType":"${MEDIA.ociManifest}","config":${JSON.stringify(config.descriptor)},"layers":[],"annotations":{"__proto__":"polluted","constructor":"polluted"}}`;
    const made = piece(annotated, MEDIA.ociManifest);
    await write(source, blobPath(made.descriptor.digest), made.bytes);
    const raw = `{"schemaVersion":2,"manifests":[${JSON.stringify(entry())},{"mediaType":"${MEDIA.ociManifest}","digest":"${made.descriptor.digest}","size":${made.descriptor.size},"platform":{"os":"__proto__","architecture":"constructor"},"annotations":{"__proto__":"polluted","org.opencontainers.image.ref.name":"b"}}]}`;
    await write(source, 'index.json', raw);
    const from = await openLayout(source, layoutOptions());
    const sink = await newLayout(target);
    await newCopier().copy({ from, to: sink, root: await from.resolve('b'), name: { tag: 'b' }, image: 'b' });
    await sink.commit();
    await sink.close();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(await readFile(join(target, 'index.json'), 'utf8')).toContain('"__proto__":"polluted"');
    expect(digestOf(await readFile(join(target, blobPath(made.descriptor.digest))))).toBe(made.descriptor.digest);
  });

  it('carries parts of unknown types and algorithms, and calls them unverified', async () => {
    const { source, target } = await prepare();
    const odd = {
      mediaType: 'application/vnd.Odd+json; version=0.3',
      digest: 'md4:0123456789abcdef' as Digest,
      size: 3,
    };
    await write(source, 'blobs/md4/0123456789abcdef', 'odd');
    const made = jsonPiece(
      { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: config.descriptor, layers: [odd] },
      MEDIA.ociManifest,
    );
    await write(source, blobPath(made.descriptor.digest), made.bytes);
    const from = await openLayout(source, layoutOptions());
    const sink = await newLayout(target);
    await newCopier().copy({ from, to: sink, root: made.descriptor, name: { tag: 'odd' }, image: 'odd' });
    await sink.commit();
    await sink.close();
    const { findings, damaged } = await checkStore(await openLayout(target, layoutOptions()));
    expect(findings).toMatchObject([{ kind: 'unverifiable', digest: odd.digest }]);
    expect(damaged).toBe(false);
  });
});
