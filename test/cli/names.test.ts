import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { ocl, oclDone } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

async function stocked(): Promise<string> {
  const root = await temporary();
  await writeLibrary(join(root, 'library'), shop);
  return root;
}

describe('a bare name that is there on disk', () => {
  it('is that place for every command that looks', async () => {
    const cwd = await stocked();
    const web = 'library/team/web';
    for (const [args, answer] of [
      [['inspect', `${web}:2.0`], shop.web.digest],
      [['inspect', `${web}@${shop.web.digest}`], shop.web.digest],
      [['tree', `${web}:2.0`], shop.web.digest.slice(0, 19)],
      [['referrers', `${web}:2.0`], String(shop.referrers[0]?.digest)],
      [['manifest', 'get', `${web}:2.0`], '"schemaVersion"'],
      [['blob', 'get', `${web}:2.0`, shop.web.digest], '"schemaVersion"'],
      [['tag', 'ls', web], '2.0'],
      [['tag', 'add', `${web}:2.0`, 'new'], shop.web.digest],
      [['ls', `${web}:new`], 'new'],
    ] as const) {
      const { stdout } = await oclDone(args, { cwd });
      expect([args, stdout]).toEqual([args, expect.stringContaining(answer)]);
    }
    await oclDone(['tag', 'rm', `${web}:new`], { cwd });
  });

  it('may be left out for copy where a place has one image, which keeps its tag', async () => {
    const cwd = await stocked();
    await oclDone(['export', 'library/team/web:2.0', '--no-referrers', '--no-digest-tags', '-o', 'web.tar'], { cwd });
    await oclDone(['copy', './web.tar', 'ocidir://new'], { cwd });
    expect((await oclDone(['tag', 'ls', 'ocidir://new'], { cwd })).stdout).toBe('2.0\n');
    const several = await ocl(['copy', 'ocidir://library/team/web', 'ocidir://newer'], { cwd });
    expect([several.status, several.stderr]).toEqual([EXIT.unsupported, expect.stringContaining('2.0')]);
  });

  it('is an image for copy, which says how the place is written', async () => {
    const cwd = await stocked();
    const tool = 'ocidir://library/tool:latest';
    const plan = ['copy', '--dry-run', '--plain-http', 'docker.io'];
    const warned = async (source: string, target: string): Promise<string> =>
      (await ocl([...plan, source, target], { cwd })).stderr;
    expect(await warned(tool, 'b.tar')).toContain('write ./b.tar for the file');
    expect(await warned('library/tool:latest', './b.tar')).toContain('write ./library/tool:latest for the place');
    expect(await warned(tool, './b.tar')).toBe('');
  });
});

describe('what a command is asked for in vain', () => {
  it('a compressed archive: it is written, and said to be uncompressed', async () => {
    const cwd = await stocked();
    for (const [name, warned] of [
      ['m.tar.gz', true],
      ['m.tgz', true],
      ['m.tar.zst', true],
      ['m.tar', false],
    ] as const) {
      const { stderr } = await oclDone(['export', './library', '-o', name], { cwd });
      expect(stderr.includes(`warning: ${name} is written uncompressed`)).toBe(warned);
    }
    const { stderr } = await oclDone(['export', './library', '-o', '-'], { cwd });
    expect(stderr).toContain('standard output: 4 images');
  });

  it('a sync file without steps: it does nothing, and says so', async () => {
    const { stderr } = await oclDone(['sync', '--config', '-'], { stdin: 'version: 1\n' });
    expect(stderr).toContain('so it does nothing');
  });

  it('a directory as a sync file', async () => {
    const cwd = await stocked();
    const { status, stderr } = await ocl(['sync', '-c', 'library'], { cwd });
    expect([status, stderr]).toEqual([EXIT.disk, 'error: Cannot read library: it is a directory [OCL_IO]\n']);
  });

  it('a blob by what is no digest', async () => {
    const cwd = await stocked();
    const { status, stderr } = await ocl(['blob', 'get', './library/tool', 'abc'], { cwd });
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringContaining('OCL_USAGE')]);
  });
});

it('an archive whose name promises compression is written all the same, with a warning', async () => {
  const cwd = await stocked();
  for (const args of [
    ['copy', './library/team/web:2.0', 'oci-archive:copied.tar.gz'],
    ['export', './library/team/web:2.0', '-o', 'exported.tgz'],
  ]) {
    const { status, stderr } = await ocl(args, { cwd });
    expect([status, stderr]).toEqual([EXIT.done, expect.stringContaining('is written uncompressed')]);
  }
});
