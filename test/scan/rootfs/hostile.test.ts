import { mkdir, symlink as link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { type ErrorCode } from '../../../src/core/errors.ts';
import { toJsonBytes } from '../../../src/core/json.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { type Source } from '../../../src/core/store.ts';
import { createHasher, digestOf } from '../../../src/io/verify.ts';
import { flatten, type FlattenOptions } from '../../../src/scan/rootfs/flatten.ts';
import { fileTree, shortTree } from '../../support/fileTrees.ts';
import {
  dir,
  file,
  gzipLayer,
  hardlink,
  layeredStore,
  layerOf,
  plainLayer,
  symlink,
  whiteout,
  type LayeredSpec,
  type RawLayer,
} from '../../support/layered.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { base256, pax, paxEntry, rawTar, zstdFrame, zstdRaw, zstdRun, type RawEntry } from '../../support/tarCases.ts';

const temporary = temporaryDirectories();

interface Row {
  readonly what: string;
  readonly image: LayeredSpec | (() => LayeredSpec);
  readonly options?: FlattenOptions;
  /** What it ends with; without one it must end well, and nothing may be outside. */
  readonly code?: ErrorCode;
  /** What comes out. */
  readonly tree?: readonly string[];
}

const of = (...layers: readonly RawLayer[]): LayeredSpec => ({ layers });
const one = (...entries: readonly RawEntry[]): LayeredSpec => of(layerOf(...entries));
const good = rawTar([file('a', 'a')]);
const broken = (blob: Uint8Array, tar: Uint8Array = good): LayeredSpec => of({ blob, diffId: digestOf(tar) });
const deep = Array.from({ length: 20 }, () => 'd'.repeat(100)).join('/');

const ROWS: readonly Row[] = [
  // names
  ...[
    '../x',
    'a/../../x',
    '..',
    '/etc/x',
    '//x',
    'C:\\x',
    'C:x',
    'a\\..\\..\\x',
    '\\\\?\\x',
    'a/./b',
    'a./b',
    'a ',
    'a/b..',
  ].map((name): Row => ({ what: `the name ${name}`, image: one(file(name, 'x')), code: 'OCL_UNSAFE' })),
  ...['../x', 'a/../../x', '..'].map((name): Row => ({
    what: `the name ${name}, taken freely`,
    image: one(file(name, 'x')),
    options: { names: 'any' },
    code: 'OCL_UNSAFE',
  })),
  {
    what: 'names of Linux alone, taken freely',
    image: one(file('/etc//x', 'x'), file('a\\x2db', 'b'), file('C:c', 'c'), dir('d.')),
    options: { names: 'any' },
    tree: ['C:c=c', 'a\\x2db=b', 'd./', 'etc/', 'etc/x=x'],
  },
  {
    what: 'a PAX path that leads outside',
    image: one(paxEntry(pax('path', '../../x')), file('x', 'x')),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a GNU long name that leads outside',
    image: one({ name: 'L', type: 'L', body: '../x\0' }, file('x', 'x')),
    code: 'OCL_UNSAFE',
  },
  { what: 'a NUL in a name', image: one(paxEntry(pax('path', 'a\0b')), file('x', 'x')), code: 'OCL_UNSAFE' },
  {
    what: 'a NUL in a name, taken freely',
    image: one(paxEntry(pax('path', 'a\0b')), file('x', 'x')),
    options: { names: 'any' },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a name that is not UTF-8',
    image: of(gzipLayer(rawTar([file('x', 'x')]).fill(0xff, 0, 1))),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a part of a name of 300 bytes',
    image: one(paxEntry(pax('path', 'x'.repeat(300))), file('x', 'x')),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a name of 5000 bytes',
    image: one(paxEntry(pax('path', 'x/'.repeat(2500))), file('x', 'x')),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a path that grows through links',
    image: one(
      paxEntry(pax('path', deep)),
      dir('x'),
      symlink('l', 'x'),
      ...['l', 'm', 'n'].flatMap((from, i) => [
        paxEntry(pax('linkpath', i === 0 ? deep : `${'lmn'[i - 1] ?? ''}/${deep}`)),
        symlink(from, 'x'),
        paxEntry(pax('path', `${from}/${deep}`)),
        dir('x'),
      ]),
    ),
    code: 'OCL_LIMIT',
  },
  // links
  {
    what: 'a write through a link to the outside',
    image: one(symlink('l', '/outside'), file('l/x', 'x')),
    tree: ['l->outside', 'outside/', 'outside/x=x'],
  },
  {
    what: 'a write through a link upwards',
    image: one(symlink('l', '../outside'), file('l/x', 'x')),
    tree: ['l->outside', 'outside/', 'outside/x=x'],
  },
  {
    what: 'a write through a link of another layer',
    image: of(layerOf(symlink('l', '../outside')), layerOf(file('l/secret', 'x'))),
    tree: ['l->outside', 'outside/', 'outside/secret=x'],
  },
  {
    what: 'a write through links in circles',
    image: one(symlink('a', 'b'), symlink('b', 'a'), file('a/x', 'x')),
    code: 'OCL_UNSAFE',
  },
  { what: 'a link named .', image: one(symlink('.', '/outside'), file('x', 'x')), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a file named ./', image: one({ name: '.', type: '0', body: 'x' }), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a link to nothing', image: one(symlink('l', '')), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a link with a NUL', image: one(paxEntry(pax('linkpath', 'a\0b')), symlink('l', 'x')), code: 'OCL_UNSAFE' },
  { what: 'a link with backslashes', image: one(symlink('l', '..\\..\\x')), code: 'OCL_UNSAFE' },
  { what: 'a file below a file', image: one(file('a', 'a'), file('a/b', 'b')), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a file below a pipe', image: one({ name: 'p', type: '6' }, file('p/b', 'b')), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a hard link to the outside', image: one(hardlink('h', '../outside/secret')), code: 'OCL_UNSAFE' },
  { what: 'a hard link to an absolute path', image: one(hardlink('h', '/etc/passwd')), code: 'OCL_UNSAFE' },
  {
    what: 'a hard link through a link to the outside',
    image: one(symlink('l', '../outside'), hardlink('h', 'l/secret')),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a hard link to what comes later',
    image: one(hardlink('h', 'a'), file('a', 'a')),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a hard link to a directory', image: one(dir('d'), hardlink('h', 'd')), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a hard link with a body',
    image: one(file('a', 'a'), { name: 'h', type: '1', link: 'a', body: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a directory with a body', image: one({ name: 'd/', type: '5', body: 'x' }), code: 'OCL_ARCHIVE_INVALID' },
  // whiteouts
  { what: 'a whiteout of ..', image: one(dir('d'), whiteout('d/.wh...')), code: 'OCL_UNSAFE' },
  { what: 'a whiteout of .', image: one(dir('d'), whiteout('d/.wh..')), options: { names: 'any' }, code: 'OCL_UNSAFE' },
  {
    what: 'a whiteout of nothing',
    image: one(whiteout('d/.wh.')),
    options: { names: 'any' },
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a file in a whiteout', image: one(file('d/.wh.x/y', 'y')), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a whiteout through a link to the outside',
    image: of(layerOf(symlink('l', '../outside')), layerOf(whiteout('l/.wh.secret'), whiteout('l/.wh..wh..opq'))),
    tree: ['l->outside'],
  },
  // kinds
  {
    what: 'devices and pipes',
    image: one({ name: 'c', type: '3' }, { name: 'b', type: '4' }, { name: 'p', type: '6' }, file('a', 'a')),
    tree: ['a=a'],
  },
  { what: 'a sparse file of GNU', image: one({ name: 's', type: 'S' }), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a sparse file by PAX',
    image: one(paxEntry(pax('GNU.sparse.realsize', '999999999999')), file('s', 'x')),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'an unknown kind', image: one({ name: 'v', type: 'V' }), code: 'OCL_ARCHIVE_INVALID' },
  // sizes
  { what: 'a negative size', image: one({ name: 'x', sizeField: base256(-512n, true) }), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'an endless size', image: one({ name: 'x', sizeField: base256(1n << 62n) }), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a size beyond the layer', image: one({ name: 'x', size: 1 << 30 }), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a PAX size beyond the layer',
    image: one(paxEntry(pax('size', '1099511627776')), file('x', 'x')),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'an owner that no system has',
    image: one(paxEntry(pax('uid', '4294967295')), file('x', 'x')),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a time beyond all dates',
    image: one(paxEntry(pax('mtime', '9999999999999999')), file('x', 'x')),
    tree: ['x=x'],
  },
  {
    what: 'a PAX header of 2 MiB',
    image: one({ name: 'x', type: 'x', body: Buffer.alloc(2 << 20, 0x61) }),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a PAX header of 1 TiB',
    image: one({ name: 'x', type: 'x', sizeField: base256(1n << 40n) }),
    code: 'OCL_LIMIT',
  },
  { what: 'a GNU long name of 1 GB', image: one({ name: 'L', type: 'L', size: 1 << 30 }), code: 'OCL_LIMIT' },
  {
    what: 'extended headers for ever',
    image: of(
      gzipLayer(
        rawTar(
          Array.from({ length: 3 }, () => paxEntry(pax('path', 'a'))),
          false,
        ),
      ),
    ),
    code: 'OCL_ARCHIVE_INVALID',
  },
  // bombs
  {
    what: 'a bomb by its ratio',
    image: () =>
      broken(zstdFrame(7 << 3, [...Array.from({ length: 2200 }, () => zstdRun(128 << 10, false)), zstdRun(1, true)])),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a bomb by the total of its layers',
    image: () => of(layerOf(file('a', 'a'.repeat(600_000))), layerOf(file('b', 'b'.repeat(600_000)))),
    options: { limits: { bytes: 1 << 20 } },
    code: 'OCL_LIMIT',
  },
  {
    what: 'a bomb of gzip members',
    image: () => broken(Buffer.concat(Array.from({ length: 40 }, () => gzipSync(Buffer.alloc(1 << 20))))),
    options: { limits: { bytes: 32 << 20 } },
    code: 'OCL_LIMIT',
  },
  {
    what: 'a bomb of zeros after the end',
    image: () => of(gzipLayer(Buffer.concat([good, Buffer.alloc(8 << 20)]))),
    options: { limits: { bytes: 4 << 20 } },
    code: 'OCL_LIMIT',
  },
  { what: 'a window of 3.75 TiB', image: broken(zstdFrame(0xff, [zstdRun(10, true)])), code: 'OCL_LIMIT' },
  {
    what: 'too many entries',
    image: one(...Array.from({ length: 101 }, (_, i) => file(`f${i}`, ''))),
    options: { limits: { entries: 100 } },
    code: 'OCL_LIMIT',
  },
  {
    what: 'too many whiteouts',
    image: one(...Array.from({ length: 101 }, (_, i) => whiteout(`.wh.f${i}`))),
    options: { limits: { entries: 100 } },
    code: 'OCL_LIMIT',
  },
  {
    what: 'too many entries in all layers',
    image: of(...Array.from({ length: 3 }, () => layerOf(...Array.from({ length: 40 }, (_, i) => file(`f${i}`, ''))))),
    options: { limits: { entries: 100 } },
    code: 'OCL_LIMIT',
  },
  {
    what: 'too many directories that are only implied',
    image: one(paxEntry(pax('path', 'd/'.repeat(2000))), dir('x')),
    options: { limits: { entries: 1000 } },
    code: 'OCL_LIMIT',
  },
  // names that one file system takes for the same
  {
    what: 'names that differ in case alone',
    image: one(file('d/README', 'a'), file('d/readme', 'b')),
    options: { folding: { cases: true, forms: false } },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'directories that differ in case alone',
    image: one(file('D/a', 'a'), file('d/b', 'b')),
    options: { folding: { cases: true, forms: false } },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a link and a directory that differ in case alone',
    image: one(symlink('A', '../outside'), file('a/b', 'b')),
    options: { folding: { cases: true, forms: false } },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'names that differ in Unicode form alone',
    image: one(file('\u00e9', 'a'), file('e\u0301', 'b')),
    options: { folding: { cases: false, forms: true } },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'names that differ where the file system tells them apart',
    image: one(file('A', 'a'), file('a', 'b')),
    options: { folding: { cases: false, forms: false } },
    tree: ['A=a', 'a=b'],
  },
  // contents
  { what: 'gzip that is cut off', image: broken(gzipSync(good).subarray(0, -20)), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'zstd that is cut off',
    image: broken(zstdFrame(7 << 3, [zstdRaw(good.subarray(0, 512), false)])),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a tar file that is cut off', image: of(plainLayer(good.subarray(0, 700))), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'a header that is cut off', image: of(plainLayer(good.subarray(0, 100))), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'gzip in gzip', image: broken(gzipSync(gzipSync(good)), gzipSync(good)), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'garbage after gzip',
    image: broken(Buffer.concat([gzipSync(good), Buffer.from('garbage')])),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a second tar file after the end',
    image: of(plainLayer(Buffer.concat([good, good]))),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a wrong checksum', image: one({ ...file('a', 'a'), checksum: '012345\0 ' }), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'no tar file', image: of(plainLayer(Buffer.from('hello world'.repeat(100)))), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'xz', image: broken(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0])), code: 'OCL_UNSUPPORTED' },
  // documents
  { what: 'another DiffID', image: broken(gzipSync(good), Buffer.from('other')), code: 'OCL_DIGEST_MISMATCH' },
  { what: 'fewer DiffIDs than layers', image: { ...of(plainLayer(good)), diffIds: [] }, code: 'OCL_DOCUMENT_INVALID' },
  { what: 'more DiffIDs than layers', image: { layers: [], diffIds: [digestOf(good)] }, code: 'OCL_DOCUMENT_INVALID' },
  {
    what: 'a DiffID that is a path',
    image: { ...of(plainLayer(good)), diffIds: ['sha256:../../etc/passwd'] },
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'an image of Windows',
    image: { ...of(plainLayer(good)), platform: { os: 'Windows', architecture: 'amd64' } },
    code: 'OCL_UNSUPPORTED',
  },
  {
    what: 'a layer of Windows',
    image: one(paxEntry(pax('MSWINDOWS.fileattr', '16')), dir('Files')),
    code: 'OCL_UNSUPPORTED',
  },
  {
    what: 'an artifact',
    image: { ...of(plainLayer(good)), configType: 'application/vnd.cncf.helm.config.v1+json' },
    code: 'OCL_UNSUPPORTED',
  },
  {
    what: 'an attestation',
    image: of({ ...plainLayer(good), mediaType: 'application/vnd.in-toto+json' }),
    code: 'OCL_UNSUPPORTED',
  },
  {
    what: 'an encrypted layer',
    image: of({ ...plainLayer(good), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }),
    code: 'OCL_UNSUPPORTED',
  },
];

/** A directory with a secret beside the one that is written to. */
async function surroundings(): Promise<{ readonly around: string; readonly path: string }> {
  const around = await temporary();
  await mkdir(join(around, 'outside'));
  await writeFile(join(around, 'outside', 'secret'), 'secret');
  return { around, path: join(around, 'root') };
}

const outside = async (around: string): Promise<unknown> =>
  [...(await fileTree(around))].filter(([name]) => name !== 'root' && !name.startsWith('root/'));

describe('hostile layers', () => {
  it.each(ROWS)('$what: $code', async ({ image, options, code, tree }) => {
    const { store, image: root } = await layeredStore(typeof image === 'function' ? image() : image);
    const { around, path } = await surroundings();
    const before = await outside(around);
    const work = flatten(store, root, { kind: 'directory', path }, options);
    if (code === undefined) {
      await work;
      expect(await shortTree(path)).toEqual(tree);
      await flatten(store, root, { kind: 'tar', stream: new PassThrough().resume() }, options);
    } else {
      await expect(work).rejects.toMatchObject({ code });
      expect((await fileTree(around)).has('root')).toBe(false);
      // What is only wrong for a directory is right for a stream.
      const stream = new PassThrough().resume();
      const tar = flatten(store, root, { kind: 'tar', stream }, options);
      if (options?.folding === undefined) await expect(tar).rejects.toMatchObject({ code });
      else await tar;
    }
    expect(await outside(around)).toEqual(before);
  });

  it('are refused by what their blobs are: altered, cut off, or not there', async () => {
    const { around, path } = await surroundings();
    const before = await outside(around);
    const { store, image } = await layeredStore(one(file('a', 'a'.repeat(1000))));
    const layer = await onlyLayer(store, image);
    const blob = await buffer(await store.open(layer));
    const answers: readonly (readonly [Uint8Array | undefined, ErrorCode])[] = [
      [Buffer.from(blob).fill(0, 20, 21), 'OCL_DIGEST_MISMATCH'],
      [gzipSync(rawTar([file('a', 'b'.repeat(1000))]), { level: 1 }), 'OCL_DIGEST_MISMATCH'],
      [blob.subarray(0, -1), 'OCL_SIZE_MISMATCH'],
      [Buffer.concat([blob, Buffer.from('x')]), 'OCL_SIZE_MISMATCH'],
      [undefined, 'OCL_NOT_FOUND'],
    ];
    for (const [bytes, code] of answers) {
      const source = replacing(store, layer.digest, bytes);
      await expect(flatten(source, image, { kind: 'directory', path })).rejects.toMatchObject({ code });
      expect((await fileTree(around)).has('root')).toBe(false);
    }
    expect(await outside(around)).toEqual(before);
  });

  it('are refused when they change between the two times that they are read', async () => {
    const { around, path } = await surroundings();
    const before = await outside(around);
    const { store, image } = await layeredStore(one(file('a', 'a'.repeat(1000))));
    const other = gzipSync(rawTar([file('a', 'b'.repeat(1000))]), { level: 1 });
    const { digest } = await onlyLayer(store, image);
    const second = replacing(store, digest, other);
    let reads = 0;
    const source: Source = {
      ...plain(store),
      open: async (blob) => await (blob.digest === digest && ++reads > 1 ? second : store).open(blob),
    };
    await expect(flatten(source, image, { kind: 'directory', path })).rejects.toMatchObject({
      code: 'OCL_DIGEST_MISMATCH',
    });
    expect(reads).toBe(2);
    expect((await fileTree(around)).has('root')).toBe(false);
    expect(await outside(around)).toEqual(before);
  });
});

describe('the directory that is written to', () => {
  it('may be there when it is empty, and is refused with anything in it, as a file, or as a link', async () => {
    const { store, image } = await layeredStore(one(file('a', 'a')));
    const { around, path } = await surroundings();
    const before = await outside(around);
    await mkdir(path);
    await flatten(store, image, { kind: 'directory', path });
    expect(await shortTree(path)).toEqual(['a=a']);
    const empty = await temporary();
    await link(empty, join(around, 'root/link'));
    for (const occupied of [path, join(path, 'a'), join(path, 'link'), join(path, 'a', 'below')]) {
      await expect(flatten(store, image, { kind: 'directory', path: occupied })).rejects.toThrow(/Cannot write|EEXIST/);
    }
    expect(await outside(around)).toEqual(before);
  });

  it('is not there after a run that was stopped', async () => {
    const { store, image } = await layeredStore(one(file('a', 'a'.repeat(100_000)), file('b', 'b')));
    const { around, path } = await surroundings();
    const controller = new AbortController();
    let plans = 0;
    const work = flatten(
      store,
      image,
      { kind: 'directory', path },
      {
        signal: controller.signal,
        emit: ({ type }) => {
          if (type === 'blob.start' && ++plans === 2) controller.abort();
        },
      },
    );
    await expect(work).rejects.toThrow(/abort/i);
    expect(await outside(around)).toHaveLength(2);
    expect((await fileTree(around)).has('root')).toBe(false);
  });
});

describe('a million entries', () => {
  it('that a later layer hides are read in bounded memory', async () => {
    const entries = 1_000_000;
    const hasher = createHasher('sha256');
    for (const chunk of headers(entries)) hasher.update(chunk);
    const digest = hasher.digest();
    const upper = plainLayer(rawTar([whiteout('.wh..wh..opq'), file('left', 'x')]));
    const { store, image } = await layeredStore({ layers: [upper, upper], diffIds: [digest, upper.diffId] });
    const { config, layers } = await readManifest(store, image);
    const large = { mediaType: MEDIA.ociLayer, digest, size: entries * 512 + 1024 };
    const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [large, layers[1]] });
    const root = store.putBytes(bytes, MEDIA.ociManifest);
    const source: Source = {
      ...plain(store),
      open: async (blob) =>
        blob.digest === digest
          ? Readable.from(headers(entries), { objectMode: false, highWaterMark: 1 })
          : await store.open(blob),
    };
    const before = process.memoryUsage.rss();
    let peak = 0;
    const path = join(await temporary(), 'root');
    const emit = (): void => void (peak = Math.max(peak, process.memoryUsage.rss()));
    const report = await flatten(source, root, { kind: 'directory', path }, { emit });
    expect(report).toMatchObject({ layers: 2, files: 1, directories: 0, bytes: 1 });
    expect((peak - before) >> 20).toBeLessThan(600);
  }, 120_000);
});

/** A tar file of empty files in a thousand directories, made while it is read. */
function* headers(count: number): Generator<Buffer> {
  const head = rawTar([file('d000/f0000000', '')], false);
  const base = head.subarray(0, 13).reduce((sum, byte) => sum + byte, 0);
  const total = Number.parseInt(head.toString('latin1', 148, 154), 8);
  for (let at = 0; at < count;) {
    const chunk = Buffer.allocUnsafe(512 * Math.min(500, count - at));
    for (let to = 0; to < chunk.length; to += 512, at++) {
      head.copy(chunk, to);
      const name = `d${String(at % 1000).padStart(3, '0')}/f${String(at).padStart(7, '0')}`;
      chunk.write(name, to, 'latin1');
      let sum = 0;
      for (let i = 0; i < 13; i++) sum += name.charCodeAt(i);
      chunk.write((total - base + sum).toString(8).padStart(6, '0'), to + 148, 'latin1');
    }
    yield chunk;
  }
  yield Buffer.alloc(1024);
}

interface ManifestParts {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

async function readManifest(store: Source, image: Descriptor): Promise<ManifestParts> {
  return JSON.parse(await text(await store.open(image))) as ManifestParts;
}

async function onlyLayer(store: Source, image: Descriptor): Promise<Descriptor> {
  const { layers } = await readManifest(store, image);
  return layers[0] as Descriptor;
}

function plain(store: Source): Source {
  return {
    name: store.name,
    gates: store.gates,
    resolve: async (name) => await store.resolve(name),
    open: async (blob, range) => await store.open(blob, range),
    place: (blob) => store.place(blob),
    tags: () => store.tags(),
    referrers: (subject) => store.referrers(subject),
    close: async () => await store.close(),
  };
}

/** The same store with other bytes under one digest, or without any. */
function replacing(store: Source, digest: string, bytes: Uint8Array | undefined): Source {
  return {
    ...plain(store),
    open: async (blob) => {
      if (blob.digest !== digest) return await store.open(blob);
      if (bytes === undefined) return await store.open({ ...blob, digest: `sha256:${'0'.repeat(64)}` });
      return Readable.from([Buffer.from(bytes)], { objectMode: false });
    },
  };
}
