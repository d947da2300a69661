import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canLink, Linker } from '../../src/io/link.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

async function inode(path: string): Promise<number> {
  return (await stat(path)).ino;
}

describe('a second name for a file', () => {
  it('is the same file', async () => {
    const directory = await temporary();
    const [from, to] = [join(directory, 'from'), join(directory, 'to')];
    await writeFile(from, 'content', { mode: 0o444 });
    expect(await new Linker().link(from, to)).toBe('linked');
    expect(await inode(to)).toBe(await inode(from));
  });

  it('replaces what had it, by way of a directory that is given', async () => {
    const directory = await temporary();
    const [from, to, work] = ['from', 'to', 'work'].map((name) => join(directory, name)) as [string, string, string];
    await mkdir(work);
    await writeFile(from, 'new', { mode: 0o444 });
    await writeFile(to, 'old', { mode: 0o444 });
    const linker = new Linker();
    expect(await linker.link(from, to, work)).toBe('linked');
    expect(await inode(to)).toBe(await inode(from));
    // A name that is there already as the same file: rename does nothing, and leaves nothing.
    expect(await linker.link(from, to, work)).toBe('linked');
    expect(await readdir(work)).toEqual([]);
    expect((await readdir(directory)).toSorted()).toEqual(['from', 'to', 'work']);
  });

  it.skipIf(!existsSync('/dev/shm'))('is not to be had on another device, which is found out once', async () => {
    const from = join(await temporary(), 'from');
    const elsewhere = await temporary('/dev/shm');
    await writeFile(from, 'content', { mode: 0o444 });
    const linker = new Linker();
    expect(await linker.link(from, join(elsewhere, 'a'))).toBeUndefined();
    expect(await linker.link(from, join(elsewhere, 'b'))).toBeUndefined();
    expect(await readdir(elsewhere)).toEqual([]);
    const near = join(from, '..', 'near');
    expect(await linker.link(from, near)).toBe('linked');
    expect(await readFile(near, 'utf8')).toBe('content');
  });

  it('fails for a file that is not there', async () => {
    const directory = await temporary();
    await expect(new Linker().link(join(directory, 'none'), join(directory, 'to'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('is known beforehand to be possible, or not, and nothing is left of the trial', async () => {
    const [one, two] = [await temporary(), await temporary()];
    expect(await canLink(one, two)).toBe(true);
    expect(await canLink(one, one)).toBe(true);
    expect(await canLink(one, join(two, 'none'))).toBe(false);
    expect(await canLink(join(one, 'none'), two)).toBe(false);
    expect([...(await readdir(one)), ...(await readdir(two))]).toEqual([]);
  });

  it.skipIf(!existsSync('/dev/shm'))('is known not to be possible on another device', async () => {
    expect(await canLink(await temporary(), await temporary('/dev/shm'))).toBe(false);
  });
});
