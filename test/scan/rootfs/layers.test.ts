import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type OclEvent } from '../../../src/core/events.ts';
import { flatten, type FlattenOptions } from '../../../src/scan/rootfs/flatten.ts';
import { digestOf } from '../../../src/io/verify.ts';
import { fileTree, shortTree } from '../../support/fileTrees.ts';
import {
  dir,
  file,
  hardlink,
  layeredStore,
  layerOf,
  plainLayer,
  symlink,
  whiteout,
  type RawLayer,
} from '../../support/layered.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { pax, paxEntry, rawTar, zstdFrame, zstdRaw } from '../../support/tarCases.ts';
import { base, LAYER_ROWS } from './rows.ts';

const temporary = temporaryDirectories();

async function flattened(layers: readonly RawLayer[], options: FlattenOptions = {}) {
  const { store, image } = await layeredStore({ layers });
  const path = join(await temporary(), 'root');
  const report = await flatten(store, image, { kind: 'directory', path }, options);
  return { path, report };
}

describe('the layers of an image', () => {
  it.each(LAYER_ROWS)('make one file system: $what', async ({ layers, tree }) => {
    const { path, report } = await flattened(layers);
    expect(await shortTree(path)).toEqual(tree);
    const count = (test: RegExp): number => tree.filter((line) => test.test(line)).length;
    expect(report).toMatchObject({ directories: count(/\/$/), hardLinks: count(/==/), symlinks: count(/->/) });
  });

  it('keep mode and time, and take them from the last layer that has a directory', async () => {
    const { path } = await flattened([
      layerOf(
        dir('.', { mode: 0o711, mtime: 1_000_000_000 }),
        dir('d', { mode: 0o700, mtime: 1_100_000_000 }),
        file('d/x', 'x', { mode: 0o640, mtime: 1_200_000_000 }),
        paxEntry(pax('mtime', '1300000000.25')),
        file('d/fine', 'x', { mode: 0o100755 & 0o7777 }),
        { ...symlink('l', 'd'), mtime: 1_400_000_000 },
        file('tmp/', '', { type: '5', mode: 0o1777 }),
        file('locked', 'x', { mode: 0 }),
      ),
      layerOf(dir('d', { mode: 0o555, mtime: 1_500_000_000 }), file('implied/x', 'x')),
    ]);
    const tree = await fileTree(path);
    const facts = [...tree].map(([name, { mode, mtime }]) => [name, mode.toString(8), mtime]);
    expect(facts).toEqual([
      ['d', '555', 1_500_000_000],
      ['d/fine', '755', 1_300_000_000.25],
      ['d/x', '640', 1_200_000_000],
      ['implied', '755', 0],
      ['implied/x', '644', 0],
      ['l', '0', 1_400_000_000],
      ['locked', '0', 0],
      ['tmp', '1777', 0],
    ]);
    const root = await lstat(path);
    expect([root.mode & 0o7777, root.mtimeMs]).toEqual([0o711, 1_000_000_000_000]);
  });

  it('come plain, as gzip of several members or as zstd, whatever their media type says', async () => {
    const tar = rawTar([file('a', 'x'.repeat(100_000))]);
    const members = Buffer.concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))]);
    const pieces = [tar.subarray(0, 65_536), tar.subarray(65_536)];
    const zstd = zstdFrame(
      7 << 3,
      pieces.map((piece, i) => zstdRaw(piece, i === 1)),
    );
    for (const blob of [tar, members, zstd]) {
      const { path } = await flattened([
        { blob, diffId: digestOf(tar), mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' },
      ]);
      expect((await lstat(join(path, 'a'))).size).toBe(100_000);
    }
  });
});

describe('what is no part of a scan', () => {
  const odd = layerOf(
    dir('dev'),
    { name: 'dev/null', type: '3' },
    { name: 'dev/sda', type: '4' },
    { name: 'pipe', type: '6' },
    file('su', 'su', { mode: 0o4755 }),
    dir('mail', { mode: 0o2775 }),
    paxEntry(pax('SCHILY.xattr.security.capability', '\u0001\u0000'), pax('SCHILY.xattr.user.note', 'x')),
    file('ping', 'ping', { mode: 0o755 }),
    symlink('shadow', '/etc/shadow'),
  );

  it('is left out or changed, and listed', async () => {
    const { path, report } = await flattened([odd]);
    expect(report.leftOut).toEqual({
      counts: { device: 2, pipe: 1, setuid: 2, capabilities: 1, link: 1 },
      listed: [
        { path: 'dev/null', why: 'device' },
        { path: 'dev/sda', why: 'device' },
        { path: 'mail', why: 'setuid' },
        { path: 'ping', why: 'capabilities' },
        { path: 'pipe', why: 'pipe' },
        { path: 'shadow', why: 'link' },
        { path: 'su', why: 'setuid' },
      ],
    });
    const tree = await fileTree(path);
    expect([...tree.keys()]).toEqual(['dev', 'mail', 'ping', 'shadow', 'su']);
    expect([tree.get('su')?.mode, tree.get('mail')?.mode]).toEqual([0o755, 0o775]);
    expect(tree.get('shadow')?.content).toBe('etc/shadow');
  });

  it('is kept where that is asked for', async () => {
    const { path, report } = await flattened([odd], { keep: ['setuid', 'links'] });
    const tree = await fileTree(path);
    expect([tree.get('su')?.mode, tree.get('mail')?.mode]).toEqual([0o4755, 0o2775]);
    expect(tree.get('shadow')?.content).toBe('/etc/shadow');
    expect(report.leftOut.counts).toMatchObject({ setuid: 0, link: 0 });
  });

  it('hides what was below it, and is gone when a layer says so', async () => {
    const { path } = await flattened([
      layerOf(file('a', 'a'), file('b', 'b')),
      layerOf({ name: 'a', type: '6' }, { name: 'c', type: '3' }, hardlink('d', 'c')),
      layerOf(file('c', 'c')),
    ]);
    expect(await shortTree(path)).toEqual(['b=b', 'c=c']);
  });

  it('is listed up to a thousand times, and counted beyond', async () => {
    const { report } = await flattened([
      layerOf(...Array.from({ length: 1500 }, (_, i) => ({ name: `p${i}`, type: '6' }))),
    ]);
    expect([report.leftOut.listed.length, report.leftOut.counts.pipe]).toEqual([1000, 1500]);
  });
});

describe('a tar stream of it', () => {
  async function tarred(layers: readonly RawLayer[]): Promise<Buffer> {
    const { store, image } = await layeredStore({ layers });
    const stream = new PassThrough();
    const read = buffer(stream);
    await flatten(store, image, { kind: 'tar', stream });
    expect(stream.writableEnded).toBe(false);
    stream.end();
    return await read;
  }

  it('is always the same, and makes the same file system when it is flattened again', async () => {
    const long = 'l'.repeat(180);
    const layers = [
      layerOf(
        dir('d', { mode: 0o750, id: 7, mtime: 1_600_000_000 }),
        file('d/a', 'a', { mode: 0o600, id: 1000, mtime: 1_700_000_000 }),
        hardlink('d/b', 'd/a'),
        symlink('l', 'd/a'),
        paxEntry(pax('mtime', '1500000000.125'), pax('path', `d/${long}`)),
        file('x', 'long'),
        paxEntry(pax('linkpath', `d/${long}`)),
        symlink('m', 'x'),
        paxEntry(pax('uid', '3000000')),
        file('big', 'owner'),
        paxEntry(pax('path', 'd/ünï')),
        dir('x'),
      ),
      layerOf(whiteout('.wh.nothing'), file('e/f', 'f'.repeat(3000))),
    ];
    const tar = await tarred(layers);
    expect((await tarred(layers)).equals(tar)).toBe(true);
    expect(tar.length % 512).toBe(0);
    const again = await flattened([plainLayer(tar)]);
    const first = await flattened(layers);
    expect(await fileTree(again.path)).toEqual(await fileTree(first.path));
    expect(await tarred([plainLayer(tar)])).toEqual(tar);
  });

  it('tells how far it is', async () => {
    const { store, image } = await layeredStore({ layers: [base, layerOf(dir('only'))] });
    const events: OclEvent[] = [];
    await flatten(
      store,
      image,
      { kind: 'tar', stream: new PassThrough().resume() },
      { emit: (event) => events.push(event) },
    );
    const bytes = events.reduce((sum, event) => (event.type === 'blob.bytes' ? sum + event.bytes : sum), 0);
    const planned = events.find(({ type }) => type === 'image.plan');
    const skipped = events.flatMap((event) =>
      event.type === 'blob.done' && event.outcome === 'present' ? [event.blob.size] : [],
    );
    expect(planned).toMatchObject({ nodes: 2, bytes: bytes + (skipped[0] ?? 0) });
    expect(skipped).toHaveLength(1);
  });
});
