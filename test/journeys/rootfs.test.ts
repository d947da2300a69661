import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { shortTree } from '../support/fileTrees.ts';
import { dir, file, layeredImage, layerOf, symlink, whiteout } from '../support/layered.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { startServe } from '../support/processes.ts';
import { putRoots } from '../support/shop.ts';

const temporary = temporaryDirectories();

/** A layout with an image for two platforms and one that leads outside. */
async function images(at: string): Promise<string> {
  const content = new Content();
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  const index = content.index(
    platforms.map((platform) => ({
      ...layeredImage(content, {
        platform,
        layers: [
          layerOf(dir('etc'), file('etc/arch', platform.architecture), file('old', 'old'), { name: 'pipe', type: '6' }),
          layerOf(whiteout('.wh.old'), symlink('link', '/etc/arch'), file('su', 'su', { mode: 0o4755 })),
        ],
      }),
      platform,
    })),
  );
  const hostile = layeredImage(content, { layers: [layerOf(file('../outside', 'x'))] });
  const layout = await newLayout(join(at, 'layout'));
  await putRoots(layout, content, [
    [index, { tag: '1' }],
    [hostile, { tag: 'hostile' }],
  ]);
  return `ocidir://${join(at, 'layout')}`;
}

describe('ocl rootfs', () => {
  it('writes a directory, says what it left out, and refuses what leads outside', async () => {
    const at = await temporary();
    const layout = await images(at);
    const out = join(at, 'out');
    const { stderr } = await oclDone(['rootfs', `${layout}:1`, '-o', out, '--platform', 'linux/arm64']);
    expect(await shortTree(out)).toEqual(['etc/', 'etc/arch=arm64', 'link->etc/arch', 'su=su']);
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      `${out}: 2 files, 1 directory, 1 link, 7 B, from 2 layers`,
      'left out or changed: 1 named pipe, 1 setuid or setgid bit, 1 link that leads outside',
    ]);
    const again = await ocl(['rootfs', `${layout}:1`, '-o', out]);
    expect([again.status, again.stderr]).toEqual([8, expect.stringContaining('OCL_EXISTS')]);
    const hostile = await ocl(['rootfs', `${layout}:hostile`, '-o', join(at, 'never'), '--json']);
    expect([hostile.status, jsonLines(hostile.stdout).at(-1)]).toMatchObject([
      6,
      { type: 'error', error: { code: 'OCL_UNSAFE', message: expect.stringContaining('(layer 1, sha256:') } },
    ]);
  });

  it('writes a tar stream, with its report beside it', async () => {
    const at = await temporary();
    const layout = await images(at);
    const { bytes, stderr } = await oclDone([
      'rootfs',
      `${layout}:1`,
      '-o',
      '-',
      '--json',
      '--keep',
      'setuid',
      '--platform',
      'linux/amd64',
    ]);
    const listed = spawnSync('tar', ['-tvf', '-'], { input: bytes, encoding: 'utf8' });
    expect([listed.status, listed.stderr]).toEqual([0, '']);
    const lines = listed.stdout.trimEnd().split('\n');
    expect(lines.map((line) => line.replaceAll(/\s+/g, ' ').replace(/ \S+ \d+ \d{4}-.* \d\d:\d\d /, ' '))).toEqual([
      'drwxr-xr-x etc/',
      '-rw-r--r-- etc/arch',
      '-rwsr-xr-x su',
      'lrwxrwxrwx link -> etc/arch',
    ]);
    expect(jsonLines(stderr).at(-1)).toMatchObject({
      type: 'summary',
      platform: 'linux/amd64',
      output: '-',
      files: 2,
      leftOut: { counts: { pipe: 1, setuid: 0, link: 1 } },
    });
  });

  it('fetches an image of a registry once, and leaves nothing of it', async () => {
    const at = await temporary();
    const layout = await images(at);
    const served = await startServe(layout.slice('ocidir://'.length));
    const tmp = join(at, 'tmp');
    await mkdir(tmp);
    const { stderr } = await oclDone([
      'rootfs',
      `${served.host}/layout:1`,
      '-o',
      join(at, 'out'),
      '--tmpdir',
      tmp,
      '--platform',
      'linux/arm64',
    ]);
    expect(await served.stop()).toBe(0);
    expect(stderr).toContain('copied');
    expect(await shortTree(join(at, 'out'))).toContain('etc/arch=arm64');
    expect(await shortTree(tmp)).toEqual([]);
  });
});
