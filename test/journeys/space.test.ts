import { spawnSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ocl, oclDone } from '../support/cli.ts';
import { image, noise, piece, put } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const layer = piece(noise(3 << 20, 1), 'application/vnd.oci.image.layer.v1.tar');
const graph = image({ name: 'large', layers: [layer] });
const mount = (...args: readonly string[]): boolean => spawnSync('mount', args).status === 0;

const canMount = process.getuid?.() === 0 && process.platform === 'linux';

describe.skipIf(!canMount)(`a disk that is too small${canMount ? '' : ' (mounting needs root)'}`, () => {
  it.each<[string, (path: (name: string) => string) => readonly string[]]>([
    ['export', (path) => ['export', path('layout'), '-o', path('small/x.tar')]],
    ['copy', (path) => ['copy', `ocidir://${path('layout')}:1`, `oci-archive:${path('small/x.tar')}`]],
    ['import into a library', (path) => ['import', path('whole.tar'), path('small/library')]],
    ['import into a layout', (path) => ['import', path('whole.tar'), `ocidir://${path('small/one')}`]],
  ])('stops %s before it begins, or when it is full, and has room for it afterwards', async (_, argsOf) => {
    const directory = await temporary();
    const path = (name: string): string => join(directory, name);
    const layout = await newLayout(path('layout'));
    await put(layout, graph, { tag: '1' });
    await layout.close();
    await mkdir(path('small'));
    expect(mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path('small'))).toBe(true);
    try {
      await oclDone(['export', path('layout'), '-o', path('whole.tar')]);
      const args = argsOf(path);
      const refused = await ocl(args);
      expect([refused.status, refused.stderr]).toEqual([
        7,
        expect.stringMatching(/3\.2 MB \(\d+ bytes\) are needed, and 1\.0 MB \(1048576\) are free/),
      ]);
      expect(await readdir(path('small'))).toEqual([]);
      const full = await ocl([...args, '--no-space-check']);
      expect(full.stderr).toContain('OCL_NO_SPACE');
      expect(await readdir(path('small'))).not.toContain('x.tar');
      mount('-o', 'remount,size=32m', path('small'));
      await oclDone(args);
    } finally {
      spawnSync('umount', [path('small')]);
    }
  });
});
