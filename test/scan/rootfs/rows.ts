import { dir, file, hardlink, layerOf, plainLayer, symlink, whiteout, type RawLayer } from '../../support/layered.ts';
import { pax, paxEntry, rawTar } from '../../support/tarCases.ts';

export interface LayerRow {
  readonly what: string;
  readonly layers: readonly RawLayer[];
  readonly tree: readonly string[];
  /** Why umoci makes something else, or nothing. */
  readonly umoci?: string;
}

export const base = layerOf(
  dir('d'),
  file('d/a', 'a'),
  file('d/b', 'b'),
  dir('d/e'),
  file('d/e/c', 'c'),
  file('f', 'f'),
);

/** Layers, and the file system that they make together in the notation of `shortTree`. */
export const LAYER_ROWS: readonly LayerRow[] = [
  { what: 'no layers', layers: [], tree: [] },
  { what: 'an empty layer', layers: [plainLayer(new Uint8Array(0))], tree: [] },
  { what: 'a layer of zeros', layers: [plainLayer(new Uint8Array(10240))], tree: [] },
  { what: 'a layer without its end', layers: [plainLayer(rawTar([file('a', 'a')], false))], tree: ['a=a'] },
  { what: 'one layer', layers: [base], tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=f'] },
  {
    what: 'names with ./ and the root itself',
    layers: [layerOf(dir('.'), dir('./x'), file('./x/y', 'y'))],
    tree: ['x/', 'x/y=y'],
  },
  { what: 'directories that are only implied', layers: [layerOf(file('x/y/z', 'z'))], tree: ['x/', 'x/y/', 'x/y/z=z'] },
  {
    what: 'a file in place of a file',
    layers: [base, layerOf(file('d/a', 'new'))],
    tree: ['d/', 'd/a=new', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=f'],
  },
  { what: 'a file in place of a directory', layers: [base, layerOf(file('d', 'file'))], tree: ['d=file', 'f=f'] },
  {
    what: 'a directory in place of a file',
    layers: [base, layerOf(dir('f'), file('f/g', 'g'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f/', 'f/g=g'],
  },
  {
    what: 'a directory in place of a link',
    layers: [layerOf(dir('real'), symlink('l', 'real')), layerOf(dir('l'), file('l/x', 'x'))],
    tree: ['l/', 'l/x=x', 'real/'],
  },
  { what: 'a link in place of a directory', layers: [base, layerOf(symlink('d', 'f'))], tree: ['d->f', 'f=f'] },
  {
    what: 'a directory over a directory',
    layers: [base, layerOf(dir('d'), file('d/z', 'z'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'd/z=z', 'f=f'],
  },
  { what: 'the last of two equal names', layers: [layerOf(file('a', '1'), file('a', '2'))], tree: ['a=2'] },
  {
    what: 'a whiteout of a file',
    layers: [base, layerOf(whiteout('d/.wh.a'))],
    tree: ['d/', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=f'],
  },
  { what: 'a whiteout of a directory', layers: [base, layerOf(whiteout('.wh.d'))], tree: ['f=f'] },
  {
    what: 'a whiteout of nothing',
    layers: [base, layerOf(whiteout('.wh.nothing'), whiteout('no/where/.wh.x'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=f'],
  },
  {
    what: 'a whiteout before what its layer brings',
    layers: [base, layerOf(whiteout('.wh.f'), file('f', 'new'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=new'],
  },
  {
    what: 'a whiteout after what its layer brings',
    layers: [base, layerOf(file('f', 'new'), whiteout('.wh.f'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=new'],
  },
  {
    what: 'a whiteout of a directory that its layer fills anew',
    layers: [base, layerOf(file('d/new', 'n'), whiteout('.wh.d'))],
    tree: ['d/', 'd/new=n', 'f=f'],
  },
  {
    what: 'an opaque directory',
    layers: [base, layerOf(dir('d'), whiteout('d/.wh..wh..opq'), file('d/n', 'n'))],
    tree: ['d/', 'd/n=n', 'f=f'],
  },
  {
    what: 'an opaque directory that is said last',
    layers: [base, layerOf(file('d/a', 'new'), whiteout('d/.wh..wh..opq'))],
    tree: ['d/', 'd/a=new', 'f=f'],
  },
  { what: 'an opaque root', layers: [base, layerOf(file('n', 'n'), whiteout('.wh..wh..opq'))], tree: ['n=n'] },
  {
    what: 'opaque and whiteout together',
    layers: [base, layerOf(whiteout('d/.wh.a'), whiteout('d/.wh..wh..opq'), file('d/a', '2'))],
    tree: ['d/', 'd/a=2', 'f=f'],
  },
  {
    what: 'a name that comes back',
    layers: [base, layerOf(whiteout('.wh.f')), layerOf(file('f', '3'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=3'],
  },
  {
    what: 'reserved names of aufs',
    umoci: 'keeps what is below .wh..wh.plnk',
    layers: [
      layerOf(
        file('.wh..wh.aufs', ''),
        dir('.wh..wh.plnk'),
        file('.wh..wh.plnk/12', 'x'),
        dir('.wh..wh.orph'),
        file('a', 'a'),
      ),
    ],
    tree: ['a=a'],
  },
  {
    what: 'a whiteout that travels through a link',
    layers: [
      layerOf(dir('usr/lib'), file('usr/lib/x', 'x'), symlink('lib', 'usr/lib')),
      layerOf(whiteout('lib/.wh.x')),
    ],
    tree: ['lib->usr/lib', 'usr/', 'usr/lib/'],
  },
  {
    what: 'a file that travels through a link',
    layers: [layerOf(dir('usr/lib'), symlink('lib', 'usr/lib')), layerOf(file('lib/y', 'y'))],
    tree: ['lib->usr/lib', 'usr/', 'usr/lib/', 'usr/lib/y=y'],
  },
  {
    what: 'a file that travels through an absolute link',
    layers: [layerOf(symlink('run', '/var/run')), layerOf(file('run/y', 'y'))],
    tree: ['run->var/run', 'var/', 'var/run/', 'var/run/y=y'],
  },
  {
    what: 'a file that travels through a link above the root',
    layers: [layerOf(symlink('run', '../../../var')), layerOf(file('run/y', 'y'))],
    tree: ['run->var', 'var/', 'var/y=y'],
  },
  {
    what: 'hard links',
    layers: [layerOf(file('a', 'a'), hardlink('b', 'a'), dir('d'), hardlink('d/c', './b'))],
    tree: ['a=a', 'b==a', 'd/', 'd/c==a'],
  },
  {
    what: 'a hard link into a lower layer',
    layers: [base, layerOf(hardlink('g', 'd/e/c'))],
    tree: ['d/', 'd/a=a', 'd/b=b', 'd/e/', 'd/e/c=c', 'f=f', 'g==d/e/c'],
  },
  {
    what: 'a hard link whose first name is gone',
    layers: [layerOf(file('a', 'a'), hardlink('b', 'a')), layerOf(whiteout('.wh.a'))],
    tree: ['b=a'],
  },
  {
    what: 'a hard link whose first name is replaced',
    layers: [layerOf(file('a', 'a'), hardlink('b', 'a')), layerOf(file('a', '2'))],
    tree: ['a=2', 'b=a'],
  },
  {
    what: 'a hard link to a link',
    layers: [layerOf(file('a', 'a'), symlink('l', 'a'), hardlink('m', 'l'))],
    tree: ['a=a', 'l->a', 'm->a'],
  },
  {
    what: 'a hard link on the way through a link',
    layers: [layerOf(dir('usr'), symlink('u', 'usr'), file('usr/a', 'a'), hardlink('b', 'u/a'))],
    tree: ['b=a', 'u->usr', 'usr/', 'usr/a==b'],
  },
  {
    what: 'GNU long names',
    layers: [layerOf({ name: '././@LongLink', type: 'L', body: `${'n'.repeat(150)}\0` }, file('short', 'x'))],
    tree: [`${'n'.repeat(150)}=x`],
  },
  {
    what: 'a GNU long link',
    layers: [layerOf({ name: '././@LongLink', type: 'K', body: `${'n'.repeat(150)}\0` }, symlink('l', 'cut'))],
    tree: [`l->${'n'.repeat(150)}`],
  },
  {
    what: 'PAX names',
    layers: [layerOf(paxEntry(pax('path', 'ünï/名前')), file('x', 'y'))],
    tree: ['ünï/', 'ünï/名前=y'],
  },
  { what: 'a PAX link', layers: [layerOf(paxEntry(pax('linkpath', 'a/b')), symlink('l', 'cut'))], tree: ['l->a/b'] },
  {
    what: 'a contiguous file, and a directory by its slash',
    umoci: 'does not know contiguous files',
    layers: [layerOf(file('c', 'c', { type: '7' }), { name: 'old/', type: '0' })],
    tree: ['c=c', 'old/'],
  },
  {
    what: 'a global header',
    umoci: 'does not know global headers',
    layers: [layerOf({ name: 'g', type: 'g', body: pax('comment', 'commit') }, file('a', 'a'))],
    tree: ['a=a'],
  },
];
