import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LayoutTree } from '../../../src/stores/layout/library.ts';
import { codeOf, image, put } from '../../support/graphs.ts';
import { layoutOptions, temporaryDirectories, treeOf } from '../../support/layouts.ts';

const temporary = temporaryDirectories();

describe('a tree of layouts', () => {
  it('names its repositories by their paths, one below another as well', async () => {
    const root = await temporary();
    const library = new LayoutTree(root, layoutOptions());
    expect(await library.repositories()).toEqual([]);
    for (const name of ['library/alpine', 'library', 'a/b/c', 'library/alpine/edge']) {
      const sink = await library.sink(name);
      await put(sink, image({ name }), '1');
      await sink.close();
    }
    expect(await library.repositories()).toEqual(['a/b/c', 'library', 'library/alpine', 'library/alpine/edge']);
    for (const name of await library.repositories())
      expect((await (await library.source(name))?.resolve('1'))?.digest).toBe(image({ name }).root.digest);
    expect(await library.source('a/b')).toBeUndefined();
    expect(await library.source('nothing')).toBeUndefined();
  });

  it('is empty where there is no directory', async () => {
    expect(await new LayoutTree(join(await temporary(), 'none'), layoutOptions()).repositories()).toEqual([]);
  });

  it.each([
    ['../outside', 'OCL_REFERENCE_INVALID'],
    ['/etc', 'OCL_REFERENCE_INVALID'],
    ['a/../../b', 'OCL_REFERENCE_INVALID'],
    ['.ocl', 'OCL_REFERENCE_INVALID'],
    ['A', 'OCL_REFERENCE_INVALID'],
    ['', 'OCL_REFERENCE_INVALID'],
    ['a/blobs/sha256', 'OCL_UNSUPPORTED'],
    ['blobs', 'OCL_UNSUPPORTED'],
  ])('has no repository %j', async (name, code) => {
    const root = await temporary();
    const library = new LayoutTree(root, layoutOptions());
    expect(await codeOf(() => library.source(name))).toBe(code);
    expect(await codeOf(() => library.sink(name))).toBe(code);
    expect(await treeOf(root)).toEqual({});
  });

  it('lists no links, files or contents as repositories', async () => {
    const root = await temporary();
    const library = new LayoutTree(root, layoutOptions());
    const sink = await library.sink('real');
    await put(sink, image(), '1');
    await sink.close();
    await symlink(join(root, 'real'), join(root, 'linked'));
    await symlink(root, join(root, 'loop'));
    await writeFile(join(root, 'file'), '');
    await mkdir(join(root, 'real', 'blobs', 'inner'), { recursive: true });
    await writeFile(join(root, 'real', 'blobs', 'inner', 'oci-layout'), '{}');
    expect(await library.repositories()).toEqual(['real']);
  });
});
