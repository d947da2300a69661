import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { packThick } from '../../src/artifact/cnab/pack.ts';
import { unpackThick } from '../../src/artifact/cnab/thick.ts';
import { TAR_END, tarEntryHeader, tarFileHeader, tarPadding } from '../../src/io/tarball.ts';
import { digestOf } from '../../src/io/verify.ts';
import { temporaryDirectories, treeOf } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const BUNDLE = '{"schemaVersion":"v1","invocationImages":[]}';
const blob = Buffer.from('a blob');
const hex = digestOf(blob).slice('sha256:'.length);
const LAYOUT = 'artifacts/layout';
const WHOLE: readonly (readonly [string, string | Buffer])[] = [
  ['bundle.json', BUNDLE],
  [`${LAYOUT}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}'],
  [`${LAYOUT}/index.json`, '{"schemaVersion":2,"manifests":[]}'],
  [`${LAYOUT}/blobs/sha256/${hex}`, blob],
];

function tar(files: readonly (readonly [string, string | Buffer])[]): Buffer {
  const parts = files.flatMap(([name, content]) => {
    const bytes = Buffer.from(content);
    return [tarFileHeader(name, bytes.length, 0o644), bytes, new Uint8Array(tarPadding(bytes.length))];
  });
  return Buffer.concat([...parts, TAR_END]);
}

async function unpack(
  bytes: Uint8Array,
): Promise<{ readonly directory: string; readonly result: Awaited<ReturnType<typeof unpackThick>> }> {
  const root = await temporary();
  const path = join(root, 'x.tgz');
  await writeFile(path, bytes);
  const directory = join(root, 'out');
  await mkdir(directory);
  return { directory, result: await unpackThick(path, directory) };
}

describe('a thick bundle', () => {
  it.each([
    ['packed with gzip', gzipSync(tar(WHOLE))],
    ['not packed', tar(WHOLE)],
    ['below a directory', gzipSync(tar(WHOLE.map(([name, content]) => [`shop-1.0.0/${name}`, content])))],
    ['with ./ before its names', gzipSync(tar(WHOLE.map(([name, content]) => [`./${name}`, content])))],
    ['with other files', gzipSync(tar([['README.md', 'x'], ['artifacts/other', 'x'], ...WHOLE]))],
  ])('%s is unpacked, and nothing but what belongs to it', async (_what, bytes) => {
    const { directory, result } = await unpack(bytes);
    expect(Buffer.from(result?.bundle ?? []).toString()).toBe(BUNDLE);
    expect(result?.layout).toBe(join(directory, 'layout'));
    expect(
      Object.keys(await treeOf(directory)).filter((name) => !/^layout(?:\/blobs(?:\/sha256)?)?$/.test(name)),
    ).toEqual([`layout/blobs/sha256/${hex}`, 'layout/index.json', 'layout/oci-layout']);
  });

  it('without a layout has none', async () => {
    expect((await unpack(gzipSync(tar([['bundle.json', BUNDLE]])))).result).toMatchObject({ layout: undefined });
  });

  it.each([
    ['an image layout', [['oci-layout', '{}'], ...WHOLE]],
    ['what docker save writes', [['manifest.json', '[]'], ...WHOLE]],
  ] as const)('is told from %s', async (_what, files) => {
    expect((await unpack(tar(files))).result).toBeUndefined();
  });

  const link = (name: string, target: string) =>
    Buffer.concat([
      tarEntryHeader({ kind: 'symlink', path: name, target, mode: 0o777, uid: 0, gid: 0, mtime: 0 }),
      tar(WHOLE),
    ]);
  it.each([
    ['no bundle.json', tar(WHOLE.slice(1)), 'OCL_ARCHIVE_INVALID'],
    ['two of them', tar([...WHOLE, ['bundle.json', BUNDLE]]), 'OCL_ARCHIVE_INVALID'],
    [
      'a blob with other bytes',
      tar([...WHOLE.slice(0, 3), [`${LAYOUT}/blobs/sha256/${hex}`, 'other!']]),
      'OCL_DIGEST_MISMATCH',
    ],
    ['a blob whose digest cannot be told', tar([...WHOLE, [`${LAYOUT}/blobs/md5/abc`, 'x']]), 'OCL_ARCHIVE_INVALID'],
    ['a name that leads out', tar([...WHOLE, ['../evil', 'x']]), 'OCL_UNSAFE'],
    ['a name in the layout that leads out', tar([...WHOLE, [`${LAYOUT}/blobs/../../../evil`, 'x']]), 'OCL_UNSAFE'],
    ['an absolute name', tar([...WHOLE, ['/etc/evil', 'x']]), 'OCL_UNSAFE'],
    ['a link for a bundle.json', link('bundle.json', '/etc/passwd'), 'OCL_ARCHIVE_INVALID'],
    ['a link for the index', link(`${LAYOUT}/index.json`, '/etc/passwd'), 'OCL_ARCHIVE_INVALID'],
    ['an end before the end', tar(WHOLE).subarray(0, 1000), 'OCL_ARCHIVE_INVALID'],
    ['a gzip that is broken', gzipSync(tar(WHOLE)).subarray(0, 100), 'OCL_ARCHIVE_INVALID'],
    ['a bundle.json of 9 MiB', tar([['bundle.json', Buffer.alloc(9 << 20, 'x')]]), 'OCL_LIMIT'],
    ['nothing', Buffer.alloc(0), 'OCL_ARCHIVE_INVALID'],
  ])('with %s is refused', async (_what, bytes, code) => {
    await expect(unpack(bytes)).rejects.toMatchObject({ code });
  });

  it('takes no link for a file', async () => {
    await expect(unpack(link('bundle.json', 'x'))).rejects.toMatchObject({
      message: expect.stringContaining('bundle.json is no regular file') as string,
    });
  });

  it('that is written is read again, and the same each time', async () => {
    const { directory, result } = await unpack(tar(WHOLE));
    const root = await temporary();
    const packed: Uint8Array[] = [];
    for (const name of ['a.tgz', 'b.tgz']) {
      const layout = result?.layout ?? directory;
      await packThick(join(root, name), Buffer.from(BUNDLE), { layout, entries: [] });
      packed.push(await readFile(join(root, name)));
    }
    expect(packed[0]).toEqual(packed[1]);
    expect(await readdir(root)).toEqual(['a.tgz', 'b.tgz']);
    const again = await unpack(packed[0] ?? new Uint8Array());
    expect(Object.keys(await treeOf(again.directory))).toContain(`layout/blobs/sha256/${hex}`);
  });
});
