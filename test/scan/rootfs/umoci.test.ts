import { spawnSync } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openLayout } from '../../../src/stores/layout/layout.ts';
import { flatten } from '../../../src/scan/rootfs/flatten.ts';
import { Content } from '../../support/content.ts';
import { fileTree } from '../../support/fileTrees.ts';
import {
  dir,
  file,
  hardlink,
  layeredImage,
  layerOf,
  plainLayer,
  symlink,
  whiteout,
  type RawLayer,
} from '../../support/layered.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../../support/layouts.ts';
import { peer } from '../../support/peers.ts';
import { putRoots } from '../../support/shop.ts';
import { type RawEntry } from '../../support/tarCases.ts';
import { LAYER_ROWS } from './rows.ts';

const temporary = temporaryDirectories();
const umoci = peer('umoci');

/** What both make of some layers; undefined where one of them refuses. */
async function both(layers: readonly RawLayer[]) {
  const at = await temporary();
  const content = new Content();
  const image = layeredImage(content, { layers });
  const layout = await newLayout(join(at, 'layout'));
  await putRoots(layout, content, [[image, { tag: '1' }]]);
  const ours = await flatten(
    layout,
    image,
    { kind: 'directory', path: join(at, 'ours') },
    { keep: ['links', 'setuid'] },
  )
    .then(async () => await comparable(join(at, 'ours')))
    .catch((error: Error) => error.message);
  const { status, stderr } = umoci.tries([
    'raw',
    'unpack',
    '--rootless',
    '--image',
    `${join(at, 'layout')}:1`,
    join(at, 'theirs'),
  ]);
  const theirs = status === 0 ? await comparable(join(at, 'theirs')) : stderr;
  return { ours, theirs };
}

/** An image of files of this machine in three layers: umoci finds out what changed, writes whiteouts, and makes a directory opaque. */
function buildWithUmoci(at: string): string {
  const layout = join(at, 'layout');
  const image = `${layout}:1`;
  const bundle = join(at, 'bundle');
  const root = join(bundle, 'rootfs');
  umoci.run(['init', '--layout', layout]);
  umoci.run(['new', '--image', image]);
  umoci.run(['unpack', '--rootless', '--image', image, bundle]);
  shell(
    `for from in /usr/bin /usr/share/doc /etc; do
      find "$from" -xdev -size -48k ! -type s | sort | awk 'NR % 2' | head -900
    done | tar -C / -cf - --no-recursion --ignore-failed-read -T - 2>/dev/null | tar -C "$0" -xf -`,
    root,
  );
  umoci.run(['repack', '--refresh-bundle', '--image', image, bundle]);
  shell(
    `cd "$0"
    rm -rf usr/share/doc/[a-d]*
    find etc -type f | sort | head -20 | xargs -d '\\n' rm -f
    mkdir -p usr/share/new/deep && echo new > usr/share/new/deep/file && chmod 600 usr/share/new/deep/file
    ln usr/share/new/deep/file usr/share/new/again && ln -s deep/file usr/share/new/link && ln -s /etc/passwd usr/share/new/outside
    rm -rf etc/default && echo file > etc/default
    touch -d 2001-02-03 usr/bin && chmod 2755 usr/share/new`,
    root,
  );
  umoci.run(['repack', '--refresh-bundle', '--image', image, bundle]);
  umoci.run(['insert', '--rootless', '--opaque', '--image', image, join(root, 'usr/share/new'), '/etc']);
  return image;
}

function shell(script: string, argument: string): void {
  const { status, stderr } = spawnSync('sh', ['-c', script, argument], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** Without what umoci decides otherwise: the time of directories that are only implied, and one inode for equal links. */
async function comparable(root: string): Promise<Record<string, unknown>> {
  const tree = await fileTree(root);
  return Object.fromEntries(
    [...tree].map(([path, facts]) => {
      const { mtime, same, ...rest } = facts;
      return [
        path,
        { ...rest, ...(facts.kind === 'directory' ? {} : { mtime }), ...(facts.kind === 'file' ? { same } : {}) },
      ];
    }),
  );
}

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const entry: fc.Arbitrary<RawEntry> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(path, fc.constantFrom('1', '2', '3')).map(([at, body]) => file(at, body)) },
  { weight: 3, arbitrary: path.map((at) => dir(at)) },
  { weight: 2, arbitrary: path.map((at) => whiteout(at.replace(/[^/]*$/, '.wh.$&'))) },
  { weight: 1, arbitrary: path.map((at) => whiteout(at.replace(/[^/]*$/, '.wh..wh..opq'))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(path, fc.constantFrom('a', '../b', '/c', 'a/b', '..', '.', '/'))
      .map(([at, to]) => symlink(at, to)),
  },
  { weight: 1, arbitrary: fc.tuple(path, path).map(([at, to]) => hardlink(at, to)) },
);
const layers = fc
  .array(fc.array(entry, { maxLength: 6 }), { minLength: 1, maxLength: 3 })
  .map((all) => all.map((entries) => layerOf(...(hasLinks(all) ? markersFirst(entries) : entries))));

/**
 * A layer that writes through a link and hides it as well: for umoci it matters which comes first, for the specification (and here) it
 * does not. No writer of layers makes such a thing.
 */
function markersFirst(entries: readonly RawEntry[]): readonly RawEntry[] {
  const isMarker = (each: RawEntry): boolean => each.name.includes('.wh.');
  return [...entries.filter(isMarker), ...entries.filter((each) => !isMarker(each))];
}

function hasLinks(all: readonly (readonly RawEntry[])[]): boolean {
  return all.flat().some(({ type }) => type === '2');
}

describe.skipIf(umoci.missing)(`umoci${umoci.note}`, () => {
  it.each(LAYER_ROWS.filter((row) => row.umoci === undefined))(
    'makes the same of the same layers: $what',
    async (row) => {
      const { ours, theirs } = await both(row.layers);
      expect(ours).toEqual(theirs);
    },
  );

  it('makes the same of any layers that both take', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(layers, async (some) => {
        const { ours, theirs } = await both(some);
        if (typeof ours === 'string' || typeof theirs === 'string') return;
        taken++;
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 30 },
    );
    expect(taken).toBeGreaterThan(3);
  }, 300_000);

  it('makes the same of an image that it built from files of this machine', async () => {
    const at = await temporary();
    const image = buildWithUmoci(at);
    const layout = await openLayout(join(at, 'layout'), layoutOptions());
    const path = join(at, 'ours');
    const report = await flatten(
      layout,
      await layout.resolve('1'),
      { kind: 'directory', path },
      { keep: ['links', 'setuid'], names: 'any' },
    );
    umoci.run(['raw', 'unpack', '--rootless', '--image', image, join(at, 'theirs')]);
    const ours = await comparable(path);
    expect(ours).toEqual(await comparable(join(at, 'theirs')));
    expect(report.layers).toBe(3);
    expect(report.files).toBeGreaterThan(50);
    expect(Object.keys(ours).filter((name) => name.startsWith('etc/'))).toEqual([
      'etc/again',
      'etc/deep',
      'etc/deep/file',
      'etc/link',
      'etc/outside',
    ]);
  }, 120_000);

  const debian = process.env['OCL_TEST_DEBIAN'];
  const noDebian = debian === undefined ? ' (OCL_TEST_DEBIAN names no tree of debootstrap)' : '';

  it.skipIf(debian === undefined)(
    `makes the same of a base of Debian${noDebian}`,
    async () => {
      const at = await temporary();
      const tar = spawnSync('tar', ['-C', debian ?? '', '--numeric-owner', '--xattrs', '-cf', '-', '.'], {
        maxBuffer: 1 << 30,
      });
      const content = new Content();
      // What Debian's second stage would make, and then some.
      const links = {
        a: '/usr/bin/env',
        b: '../../../etc',
        c: '/bin/sh',
        d: '/lib/../share',
        e: 'b/../../../usr',
        f: '/opt/a',
      };
      const added = layerOf(dir('opt'), ...Object.entries(links).map(([name, to]) => symlink(`opt/${name}`, to)));
      const image = layeredImage(content, { layers: [plainLayer(tar.stdout), added] });
      const layout = await newLayout(join(at, 'layout'));
      await putRoots(layout, content, [[image, { tag: '1' }]]);
      const root = process.getuid?.() === 0;
      const ours = join(at, 'ours');
      const report = await flatten(
        layout,
        image,
        { kind: 'directory', path: ours },
        { keep: ['links', 'setuid'], owner: root },
      );
      expect(report.files).toBeGreaterThan(3000);
      const theirs = join(at, 'theirs');
      umoci.run(['raw', 'unpack', ...(root ? [] : ['--rootless']), '--image', `${join(at, 'layout')}:1`, theirs]);
      const tree = await comparable(ours);
      const expected = await comparable(theirs);
      for (const { path, why } of report.leftOut.listed) if (why === 'device' || why === 'pipe') delete expected[path];
      expect(tree).toEqual(expected);

      const safe = join(at, 'safe');
      const { leftOut } = await flatten(layout, image, { kind: 'directory', path: safe });
      expect(leftOut.counts.link).toBeGreaterThanOrEqual(Object.keys(links).length);
      const changed = leftOut.listed.filter(({ why }) => why === 'link').map(({ path }) => path);
      const real = await Promise.all(changed.map(async (path) => await realpath(join(safe, path)).catch(() => safe)));
      expect(real.filter((path) => !`${path}/`.startsWith(`${safe}/`))).toEqual([]);
      // What the machine makes of our links is what a container makes of the image's.
      if (root) {
        const { stdout } = spawnSync(
          'chroot',
          [ours, '/usr/bin/readlink', '-m', ...changed.map((path) => `/${path}`)],
          {
            encoding: 'utf8',
          },
        );
        const inside = stdout.trimEnd().split('\n');
        const there = changed
          .map((_, i) => [real[i], `${safe}${inside[i] ?? ''}`] as const)
          .filter(([path]) => path !== safe);
        expect(there.map(([path]) => path)).toEqual(there.map(([, path]) => path));
        expect(there.length).toBeGreaterThanOrEqual(Object.keys(links).length);
      }
    },
    300_000,
  );
});
