import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { importBundles, type ImportReport, type ImportTarget } from '../../src/bundle/import.ts';
import { Owners } from '../../src/bundle/owners.ts';
import { receiveBundle } from '../../src/bundle/receive.ts';
import { Shelf } from '../../src/bundle/shelf.ts';
import { checkStore } from '../../src/copy/check.ts';
import { silent } from '../../src/core/events.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { type LocalSource, type Sink } from '../../src/core/store.ts';
import { Replay } from '../../src/io/replay.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { digestOf } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { type AllStores } from '../../src/stores.ts';
import { tarOf } from '../support/content.ts';
import { startEmbedded } from '../support/embedded.ts';
import { codeOf, image as imageOf, noise, piece, put, sizeOf } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { entriesOf, makeShop, writeLibrary } from '../support/shop.ts';
import { newCopier } from '../support/worlds.ts';
import { exported, NAMING, openStores, place } from './support.ts';

const temporary = temporaryDirectories();
const shop = makeShop();
/** Larger than what is taken whole, in two repositories. */
const large = piece(noise(5 << 20, 1), 'application/vnd.oci.image.layer.v1.tar');
const NAMES = ['big/one:1', 'big/two:1', 'team/web:1.0', 'team/web:2.0', `team/web:${shop.digestTag}`, 'tool:latest'];

let made: Promise<Buffer> | undefined;

/** A copy of one's own. */
async function bundle(): Promise<Buffer> {
  made ??= makeBundle();
  return Buffer.from(await made);
}

async function makeBundle(): Promise<Buffer> {
  const directory = await temporary();
  await writeLibrary(join(directory, 'library'), shop);
  for (const name of ['one', 'two']) {
    const layout = await newLayout(join(directory, 'library/big', name));
    await put(layout, imageOf({ name, layers: [large] }), { tag: '1' });
    await layout.close();
  }
  return (await exported(directory, [place(join(directory, 'library'))])).bytes;
}

/** Pieces of other lengths than those of the archive. */
function piped(bytes: Uint8Array): Replay {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 60_001) pieces.push(bytes.subarray(at, at + 60_001));
  return new Replay(Readable.from(pieces.map((each) => Buffer.from(each))));
}

interface Import {
  /** Undefined: the stream has to be read from a file. */
  readonly report: ImportReport | undefined;
  /** What lay in the directory for temporary files meanwhile. */
  readonly spooled: readonly string[];
}

async function imported(
  bytes: Uint8Array,
  open: (stores: AllStores, directory: string) => Promise<ImportTarget>,
  directory: string,
): Promise<Import> {
  const tmpDir = join(directory, 'tmp');
  await mkdir(tmpDir, { recursive: true });
  const opened = openStores(tmpDir);
  const copier = newCopier();
  const input = piped(bytes);
  try {
    const target = await open(opened.stores, directory);
    const received = await receiveBundle(input, { target, naming: NAMING, stores: opened.stores, copier, tmpDir });
    const spooled = await readdir(tmpDir);
    if (received === undefined) {
      expect(digestOf(await buffer(Readable.from(input.again())))).toBe(digestOf(bytes));
      return { report: undefined, spooled };
    }
    try {
      const bundles = [{ source: received.source, naming: NAMING }];
      return {
        spooled,
        report: await importBundles(bundles, target, {
          copier,
          clock: systemClock,
          emit: silent,
          select: { referrers: true, digestTags: true },
        }),
      };
    } finally {
      await received.close();
    }
  } finally {
    await opened.close();
  }
}

const intoLayout = async (stores: AllStores, directory: string): Promise<ImportTarget> => ({
  kind: 'layout',
  sink: await stores.sink({ kind: 'layout', path: join(directory, 'layout') }),
  directory: join(directory, 'layout'),
});

const intoLibrary = async (stores: AllStores, directory: string): Promise<ImportTarget> => {
  const library = await stores.library({ kind: 'path', path: join(directory, 'out') }, { create: true });
  const open = async (repository: string): Promise<Sink> => await library.sink(repository);
  return { kind: 'repositories', name: 'out', directory: join(directory, 'out'), open, holds: library };
};

describe('a bundle from a pipe', () => {
  it('goes into a layout as it comes', async () => {
    const directory = await temporary();
    const bytes = await bundle();
    const { report, spooled } = await imported(bytes, intoLayout, directory);
    expect([report?.failed, spooled]).toEqual([[], []]);
    expect((await imported(bytes, intoLayout, directory)).report?.streamed).toBe(0);
    const opened = openStores(directory);
    const layout = await opened.stores.source({ kind: 'layout', path: join(directory, 'layout') });
    if (!('roots' in layout)) throw new Error('a layout is on this disk');
    const check = await checkStore(layout as LocalSource);
    expect(check).toMatchObject({ damaged: false, findings: [] });
    // What flowed by before the images were known has flowed as well, and once.
    expect(report?.streamed).toBe(await sizeOf(layout as LocalSource));
    const names = (await layout.resolve('localhost/team/web:2.0')).digest;
    expect(names).toBe(shop.web.digest);
    await opened.close();
  });

  it('goes into a library, where contents are shared and nothing else is left', async () => {
    const directory = await temporary();
    const { report, spooled } = await imported(await bundle(), intoLibrary, directory);
    expect([report?.failed, spooled]).toEqual([[], []]);
    expect((await readdir(join(directory, 'out'))).toSorted()).toEqual(['big', 'team', 'tool']);
    const opened = openStores(directory);
    const library = await opened.stores.library({ kind: 'path', path: join(directory, 'out') });
    for (const repository of await library.repositories()) {
      const source = await library.source(repository);
      const check = source === undefined ? undefined : await checkStore(source);
      expect(check).toMatchObject({ damaged: false, findings: [] });
    }
    await opened.close();
  });

  it('goes into a registry, with what is shared by mount', async () => {
    const library = createMemoryLibrary();
    const server = await startEmbedded(library);
    try {
      const open = (stores: AllStores): Promise<ImportTarget> => {
        const at = async (repository: string): Promise<Sink> =>
          await stores.sink({ kind: 'registry', registry: server.host, repository });
        return Promise.resolve({ kind: 'repositories', name: server.host, open: at, holds: library });
      };
      const { report, spooled } = await imported(await bundle(), open, await temporary());
      expect([report?.failed, spooled]).toEqual([[], []]);
      const names: string[] = [];
      for (const repository of await library.repositories())
        for await (const tag of (await library.source(repository))?.tags() ?? []) names.push(`${repository}:${tag}`);
      expect(names.toSorted()).toEqual(NAMES.toSorted());
    } finally {
      await server.close();
    }
  });

  it('of which a content is altered fails the images that need it, and no others', async () => {
    const bytes = await bundle();
    const at = bytes.indexOf(large.bytes.subarray(1000, 1100));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const directory = await temporary();
    const { report } = await imported(bytes, intoLibrary, directory);
    expect(report?.failed.map(({ image, error }) => [image, error.code])).toEqual([
      ['localhost/big/one:1', 'OCL_DIGEST_MISMATCH'],
      ['localhost/big/two:1', 'OCL_DIGEST_MISMATCH'],
    ]);
    expect(report?.results.map(({ image }) => image)).toContain('localhost/team/web:2.0');
  });

  it('that breaks off names nothing, and goes on where it stopped the next time', async () => {
    const bytes = await bundle();
    const directory = await temporary();
    const cut = bytes.subarray(0, bytes.length - (6 << 20));
    expect(await codeOf(() => imported(cut, intoLayout, directory))).toBe('OCL_ARCHIVE_INVALID');
    const opened = openStores(directory);
    const layout = await opened.stores.source({ kind: 'layout', path: join(directory, 'layout') });
    const tags: string[] = [];
    for await (const tag of layout.tags()) tags.push(tag);
    expect(tags).toEqual([]);
    await opened.close();
    expect((await imported(bytes, intoLayout, directory)).report?.failed).toEqual([]);
  });

  it.each<[string, (bytes: Buffer) => Uint8Array]>([
    ['is compressed', (bytes) => gzipSync(bytes, { level: 1 })],
    [
      'has its table of contents at the end',
      () => tarOf({ 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'blobs/x': '' }),
    ],
    ['is what docker save wrote', () => tarOf({ 'manifest.json': '[]' })],
    ['is a delta or a volume', (bytes) => withRecord(bytes)],
    ['is no archive', () => Buffer.from('hello')],
    ['is empty', () => Buffer.alloc(0)],
  ])('that %s is left to who reads files, from its first byte', async (_, change) => {
    const { report } = await imported(change(await bundle()), intoLayout, await temporary());
    expect(report).toBeUndefined();
  });

  it('that holds a content twice is refused', async () => {
    const bytes = await bundle();
    const twice = Buffer.concat([bytes.subarray(0, -1024), secondHalf(bytes)]);
    expect(await codeOf(async () => imported(twice, intoLayout, await temporary()))).toBe('OCL_ARCHIVE_INVALID');
  });
});

/** A plain bundle that says more of itself. */
function withRecord(bytes: Buffer): Uint8Array {
  const start = bytes.indexOf('blobs/sha256');
  const record = tarOf({ 'ocl/bundle.json': '{"bundleVersion":1,"kind":"delta"}' }).subarray(0, -1024);
  return Buffer.concat([bytes.subarray(0, start), record, bytes.subarray(start)]);
}

/** From the first blob on. */
function secondHalf(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf('blobs/sha256'));
}

describe('documents on the shelf', () => {
  it('lie in files beyond what fits into memory, and are gone afterwards', async () => {
    const directory = await temporary();
    const shelf = new Shelf(directory);
    const many = Array.from({ length: 9 }, (_, i) => noise(4 << 20, i));
    for (const bytes of many) await shelf.put(digestOf(bytes), bytes);
    expect(await readdir(directory)).toHaveLength(1);
    for (const bytes of many) expect(Buffer.compare((await shelf.get(digestOf(bytes))) ?? bytes, bytes)).toBe(0);
    await shelf.close();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('the repository of a content', () => {
  it('is known as soon as the documents are, in whatever order they come', () => {
    const [first, second] = entriesOf(shop.content, shop.web);
    if (first === undefined || second === undefined) throw new Error('the shop has two platforms');
    const of = (digest: string): Uint8Array => {
      const found = shop.content.descriptors.find((each) => each.digest === digest);
      return shop.content.bytes(found ?? shop.web);
    };
    const document = ({ digest }: { digest: string }): ReturnType<typeof parseManifest> =>
      parseManifest(of(digest), undefined, digest);
    const layer = (JSON.parse(Buffer.from(of(first.digest)).toString()) as { layers: { digest: `sha256:${string}` }[] })
      .layers[0]?.digest;
    const owners = new Owners([{ root: shop.web, repository: 'team/web', name: {}, image: 'web', renamed: false }]);
    owners.learn(first.digest, document(first));
    expect(layer === undefined ? layer : owners.of(layer)).toBeUndefined();
    owners.learn(shop.web.digest, document(shop.web));
    expect(layer === undefined ? layer : owners.of(layer)).toBe('team/web');
    expect(owners.of(second.digest)).toBe('team/web');
  });
});
