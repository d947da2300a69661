import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flatten } from '../../../src/scan/rootfs/flatten.ts';
import { insideText } from '../../../src/scan/rootfs/links.ts';
import { Tree } from '../../../src/scan/rootfs/tree.ts';
import { dir, file, layeredStore, layerOf, symlink as link } from '../../support/layered.ts';
import { temporaryDirectories } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const ATTRIBUTES = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/** Directories by their paths, and links by path and target. */
function treeWith(directories: readonly string[], links: Readonly<Record<string, string>>): Tree {
  const tree = new Tree(1000);
  tree.apply([
    ...directories.map((path) => ({ kind: 'directory', path, attributes: ATTRIBUTES }) as const),
    ...Object.entries(links).map(
      ([path, target]) => ({ kind: 'node', path, node: { kind: 'symlink', target, ...ATTRIBUTES } }) as const,
    ),
  ]);
  return tree;
}

describe('a link', () => {
  it.each([
    { what: 'beside it', at: 'd/l', to: 'x', text: 'x' },
    { what: 'below it, with odd slashes', at: 'd/l', to: './x//y/', text: './x//y/' },
    { what: 'to its own directory', at: 'd/l', to: '.', text: '.' },
    { what: 'up and down inside', at: 'd/e/l', to: '../../usr/lib/x', text: '../../usr/lib/x' },
    { what: 'to what is not there', at: 'd/l', to: 'no/../where', text: 'no/../where' },
    { what: 'to an absolute path', at: 'd/l', to: '/usr/lib/x', text: '../usr/lib/x' },
    { what: 'to an absolute path beside it', at: 'usr/l', to: '/usr/lib', text: 'lib' },
    { what: 'to the root', at: 'd/e/l', to: '/', text: '../..' },
    { what: 'to the root from the root', at: 'l', to: '/', text: '.' },
    { what: 'to an absolute path through a link', at: 'd/l', to: '/lib/x', text: '../usr/lib/x' },
    { what: 'to an absolute path through an absolute link', at: 'd/l', to: '/abs/x', text: '../usr/lib/x' },
    { what: 'to a link, which is not followed', at: 'd/l', to: '/lib', text: '../lib' },
    { what: 'above the root', at: 'd/l', to: '../../../etc/passwd', text: '../etc/passwd' },
    { what: 'above the root and back by letters', at: 'd/l', to: '../../x/d', text: '../x/d' },
    { what: 'above the root through a link to the root', at: 'd/l', to: 'root/../etc', text: '../etc' },
    { what: 'above the root through a link up', at: 'd/l', to: 'up/../etc', text: '../etc' },
    { what: 'above the root by letters alone', at: 'l', to: 'deep/../../usr', text: 'd/usr' },
    { what: 'above the root after what is not there', at: 'd/l', to: 'no/../../../etc', text: '../etc' },
    { what: 'above the root after a circle', at: 'd/l', to: 'circle/../../../etc', text: '../etc' },
    { what: 'into a circle', at: 'd/l', to: './circle/x', text: './circle/x' },
    { what: 'into a circle by an absolute path', at: 'd/l', to: '/d/circle/x', text: 'circle/x' },
    { what: 'up after a circle', at: 'd/l', to: 'circle/../x', text: 'x' },
  ])('$what leads to the same place, and nowhere else', ({ at, to, text }) => {
    const { root } = treeWith(['usr/lib', 'd/e/f'], {
      lib: 'usr/lib',
      abs: '/usr/lib',
      deep: 'd/e/f',
      'd/root': '/',
      'd/up': '..',
      'd/circle': 'circle',
    });
    expect(insideText(root, at, to)).toBe(text);
  });

  it('never leaves the directory, whatever the links of a tree say together', async () => {
    const at = await temporary();
    await writeFile(join(at, 'secret'), 'outside');
    const part = fc.constantFrom('a', 'b', 'l', 'm', '..', '.', '', 'secret');
    const target = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/') || '/');
    const place = fc.constantFrom('l', 'm', 'a/l', 'a/m', 'a/b/l', 'b/m', 'a/b/m');
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.dictionary(place, target, { minKeys: 1, maxKeys: 6 }), async (links) => {
        const { root } = treeWith(['a/b', 'b'], links);
        const base = join(at, String(run++));
        await mkdir(join(base, 'a/b'), { recursive: true });
        await mkdir(join(base, 'b'));
        for (const [path, to] of Object.entries(links)) await symlink(insideText(root, path, to), join(base, path));
        for (const path of Object.keys(links)) {
          const real = await realpath(join(base, path)).catch(() => base);
          expect(`${real}/`.startsWith(`${base}/`)).toBe(true);
        }
      }),
      {
        numRuns: 300,
        // A circle that opens when one of its links gets another text.
        examples: [[{ l: '..', 'a/b/l': 'm/..', 'a/b/m': 'l/a/../l/..' }]],
      },
    );
  });

  it('of an image is changed in the directory that is written, and its own way is followed before', async () => {
    const { store, image } = await layeredStore({
      layers: [layerOf(dir('etc'), file('etc/passwd', 'inside'), dir('d'), link('d/l', '/../../etc/passwd'))],
    });
    const path = join(await temporary(), 'root');
    await flatten(store, image, { kind: 'directory', path });
    expect(await realpath(join(path, 'd/l'))).toBe(join(path, 'etc/passwd'));
  });
});
