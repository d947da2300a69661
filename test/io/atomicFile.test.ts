import { buffer } from 'node:stream/consumers';
import { chmod, link, mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { makeDirectory, syncDirectory, TemporaryFile, writeFileAtomic } from '../../src/io/atomicFile.ts';
import { bytesOf, noise } from '../support/graphs.ts';
import { temporaryDirectories, treeOf } from '../support/layouts.ts';

const temporary = temporaryDirectories();

describe('a temporary file', () => {
  it('gets its name with its whole content, its mode, and leaves nothing else', async () => {
    const directory = await temporary();
    const file = await TemporaryFile.create(directory, 0o444);
    const bytes = noise(3_000_000, 1);
    for (let at = 0; at < bytes.length; at += 700_001) await file.write(bytes.subarray(at, at + 700_001));
    expect(await readdir(directory)).not.toContain('final');
    await file.moveTo(join(directory, 'final'));
    await file.discard();
    expect(await readdir(directory)).toEqual(['final']);
    expect((await readFile(join(directory, 'final'))).equals(bytes)).toBe(true);
    expect((await stat(join(directory, 'final'))).mode & 0o777).toBe(0o444);
  });

  /** Linux tells of lost bytes once: what asks first is told, and the sync after it works. */
  it('does not get its name when the disk has lost something under way', async () => {
    const directory = await temporary();
    const handle = await open(directory, 'r');
    const methods = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
    await handle.close();
    const lost = Object.assign(new Error('i/o error'), { code: 'EIO' });
    const datasync = vi.spyOn(methods, 'datasync').mockRejectedValueOnce(lost);
    try {
      const file = await TemporaryFile.create(directory, 0o444);
      await file.write(Buffer.alloc(64 << 20, 1));
      expect(datasync).toHaveBeenCalledOnce();
      await expect(file.moveTo(join(directory, 'final'))).rejects.toBe(lost);
      await file.discard();
      expect(await readdir(directory)).toEqual([]);
    } finally {
      datasync.mockRestore();
    }
  });

  it('is gone when it is discarded, twice as well', async () => {
    const directory = await temporary();
    const file = await TemporaryFile.create(directory, 0o444);
    await file.write(bytesOf('half'));
    await file.discard();
    await file.discard();
    expect(await readdir(directory)).toEqual([]);
  });

  it('replaces a file as a whole, a read-only one as well', async () => {
    const directory = await temporary();
    const path = join(directory, 'final');
    await writeFile(path, 'old');
    await chmod(path, 0o444);
    const file = await TemporaryFile.create(directory, 0o444);
    await file.write(bytesOf('new'));
    expect(await readFile(path, 'utf8')).toBe('old');
    await file.moveTo(path);
    expect(await readFile(path, 'utf8')).toBe('new');
  });

  it('keeps large content in order while the disk is set to work', async () => {
    const directory = await temporary();
    const file = await TemporaryFile.create(directory, 0o644);
    const chunk = noise(1 << 20, 2);
    for (let i = 0; i < 70; i++) {
      chunk[0] = i;
      await file.write(chunk);
    }
    await file.moveTo(join(directory, 'final'));
    const bytes = await readFile(join(directory, 'final'));
    expect(bytes.length).toBe(70 << 20);
    expect(Array.from({ length: 70 }, (_, i) => bytes[i << 20])).toEqual(Array.from({ length: 70 }, (_, i) => i));
  });
});

describe('a temporary file of an earlier process', () => {
  const bytes = noise(3_000_000, 4);

  async function left(directory: string, mode: number): Promise<string> {
    const file = await TemporaryFile.create(directory, mode, 'mine.part');
    await file.write(bytes.subarray(0, 1_800_000));
    await file.leaveAs(join(directory, 'left.part'));
    await chmod(join(directory, 'left.part'), mode);
    return join(directory, 'left.part');
  }

  it.each([0o444, 0o644, 0o400])(
    'is read and gone on with, and has no right to write in the end (%o)',
    async (mode) => {
      const directory = await temporary();
      const file = await TemporaryFile.resume(await left(directory, mode));
      expect(file.size).toBe(1_800_000);
      expect((await buffer(file.read())).equals(bytes.subarray(0, 1_800_000))).toBe(true);
      await file.write(bytes.subarray(1_800_000));
      await file.moveTo(join(directory, 'final'));
      expect(await readdir(directory)).toEqual(['final']);
      expect((await readFile(join(directory, 'final'))).equals(bytes)).toBe(true);
      expect((await stat(join(directory, 'final'))).mode & 0o777).toBe(mode & 0o444);
    },
  );

  it('is left once more with what came', async () => {
    const directory = await temporary();
    const path = await left(directory, 0o444);
    const file = await TemporaryFile.resume(path);
    await file.write(bytes.subarray(1_800_000, 2_000_000));
    await file.leaveAs(path);
    const again = await TemporaryFile.resume(path);
    expect(again.size).toBe(2_000_000);
    await again.discard();
  });

  it.each<readonly [string, (path: string, other: string) => Promise<unknown>]>([
    ['a link', (path, other) => symlink(other, path)],
    ['a further name', (path, other) => link(other, path)],
    ['a directory', (path) => mkdir(path)],
  ])('is not touched where it is %s', async (_, make) => {
    const directory = await temporary();
    const other = await left(directory, 0o444);
    await make(join(directory, 'planted'), other);
    const before = await treeOf(directory);
    await expect(TemporaryFile.resume(join(directory, 'planted'))).rejects.toThrow(/ELOOP|of its own/);
    expect(await treeOf(directory)).toEqual(before);
  });
});

describe('a file that is replaced', () => {
  it('is the old or the new one at any time, and nothing is left beside it', async () => {
    const directory = await temporary();
    const path = join(directory, 'index.json');
    const versions = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(100_000));
    await writeFileAtomic(path, bytesOf(versions[0] ?? ''));
    const state = { done: false };
    const reading = (async () => {
      const seen = new Set<string>();
      while (!state.done) seen.add(await readFile(path, 'utf8'));
      return seen;
    })();
    for (const version of versions) await writeFileAtomic(path, bytesOf(version));
    state.done = true;
    for (const text of await reading) expect(versions.includes(text)).toBe(true);
    expect(await readFile(path, 'utf8')).toBe(versions.at(-1));
    expect(await readdir(directory)).toEqual(['index.json']);
  });

  it('stays as it is when the new one cannot be given its name', async () => {
    const directory = await temporary();
    await mkdir(join(directory, 'taken', 'below'), { recursive: true });
    await expect(writeFileAtomic(join(directory, 'taken'), bytesOf('x'))).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(await treeOf(directory)).toEqual({ taken: 'directory', 'taken/below': 'directory' });
  });
});

describe('directories', () => {
  it('are made with their parents, and may be there already', async () => {
    const path = join(await temporary(), 'a', 'b', 'c');
    await Promise.all([makeDirectory(path), makeDirectory(path)]);
    await syncDirectory(path);
    expect((await stat(path)).isDirectory()).toBe(true);
    await expect(syncDirectory(join(path, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['/proc/ocl-test/a', '/proc/self/ocl/a/b'])('that cannot be made are an error, at once: %s', async (path) => {
    await expect(makeDirectory(path)).rejects.toThrow(/ENOENT|EACCES|EPERM|EROFS/);
  });

  it('are not made of a file', async () => {
    const file = join(await temporary(), 'file');
    await writeFileAtomic(file, bytesOf('x'));
    await expect(makeDirectory(file)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});
