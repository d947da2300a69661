import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { startEmbedded } from '../support/embedded.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { countConnections } from '../support/processes.ts';
import { makeShop, putRoots, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

/** A bundle in which the two images are known by these names. */
async function bundleOf(directory: string, web: string, tool: string): Promise<string> {
  const layout = await newLayout(join(directory, 'layout'));
  const [signature] = shop.referrers;
  if (signature === undefined) throw new Error('the shop has a signature');
  await putRoots(layout, shop.content, [
    [shop.web, { tag: web, imageName: web }],
    [shop.tool, { tag: tool, imageName: tool }],
    [signature, {}],
  ]);
  await layout.close();
  const file = join(directory, 'bundle.tar');
  await oclDone(['export', join(directory, 'layout'), '-o', file]);
  return file;
}

describe('an import', () => {
  it('into a registry goes below the prefix, with referrers and digest tags', async () => {
    const directory = await temporary();
    await writeLibrary(join(directory, 'origin'), shop);
    await oclDone(['export', join(directory, 'origin'), '-o', join(directory, 'bundle.tar')]);
    const target = await startEmbedded(createMemoryLibrary());
    try {
      await oclDone(['import', join(directory, 'bundle.tar'), `${target.host}/mirror/x`]);
      expect((await oclDone(['ls', target.host])).stdout).toBe('mirror/x/team/web\nmirror/x/tool\n');
      const { stdout: tags } = await oclDone(['tag', 'ls', `${target.host}/mirror/x/team/web`]);
      expect(tags.trim().split('\n').toSorted()).toEqual(['1.0', '2.0', shop.digestTag].toSorted());
      const { stdout } = await oclDone(['tree', `${target.host}/mirror/x/team/web:2.0`]);
      for (const { digest } of shop.referrers) expect(stdout).toContain(digest.slice(0, 19));
    } finally {
      await target.close();
    }
  });

  it('of only some names takes no others', async () => {
    const directory = await temporary();
    const file = await bundleOf(directory, 'a.example/team/web:2.0', 'b.example/tool:1');
    await oclDone(['import', file, join(directory, 'one'), '--only', 'b.example/tool:1']);
    expect(await readdir(join(directory, 'one'))).toEqual(['tool']);
    const none = await ocl(['import', file, join(directory, 'none'), '--only', 'c.example/x:1']);
    expect([none.status, none.stderr]).toEqual([3, expect.stringContaining('a.example/team/web:2.0')]);
  });

  it('takes the names that ls prints', async () => {
    const directory = await temporary();
    const file = await bundleOf(directory, 'a.example/team/web:2.0', 'b.example/tool:1');
    const listed = jsonLines<{ reference: string }[]>((await oclDone(['ls', file, '--all', '--json'])).stdout)[0] ?? [];
    expect(listed.map(({ reference }) => reference)).toContain('tool:1');
    for (const [i, { reference }] of listed.entries())
      await oclDone(['import', file, join(directory, `${i}`), '--only', reference]);
    expect(await readdir(join(directory, `${listed.findIndex(({ reference }) => reference === 'tool:1')}`))).toEqual([
      'tool',
    ]);
  });

  it('that cannot write tells each image once', async () => {
    const directory = await temporary();
    const file = await bundleOf(directory, 'a.example/team/web:2.0', 'a.example/tool:1');
    await mkdir(join(directory, 'library'));
    await writeFile(join(directory, 'library', 'tool'), 'in the way');
    const { status, stdout } = await ocl(['import', file, join(directory, 'library'), '--json']);
    const summary = jsonLines<{ type: string; failed: { image: string }[]; images: unknown[] }>(stdout).at(-1);
    expect([status, summary?.failed.map(({ image }) => image)]).toEqual([1, ['a.example/tool:1']]);
  });

  it('in which two repositories would become one is refused, and --scoped keeps them apart', async () => {
    const directory = await temporary();
    const file = await bundleOf(directory, 'a.example/app:1', 'b.example/app:1');
    const target = join(directory, 'library');
    const refused = await ocl(['import', file, target]);
    expect(refused.status).toBe(8);
    expect(refused.stderr).toMatch(/a\.example\/app.*\[OCL_AMBIGUOUS\]\nhint: .*--scoped/s);
    expect(await readdir(directory)).not.toContain('library');
    await oclDone(['import', file, target, '--scoped']);
    const listed = jsonLines<{ reference: string; digest: string }[]>((await oclDone(['ls', target, '--json'])).stdout);
    expect(listed[0]?.map(({ reference, digest }) => [reference, digest])).toEqual([
      ['a.example/app:1', shop.web.digest],
      ['b.example/app:1', shop.tool.digest],
    ]);
    // One layout can hold both, for there the full names tell them apart.
    await oclDone(['import', file, `ocidir://${join(directory, 'flat')}`]);
    expect((await oclDone(['inspect', `ocidir://${join(directory, 'flat')}:b.example/app:1`])).stdout).toContain(
      shop.tool.digest,
    );
  });

  it('never asks the registry that the names are of', async () => {
    const directory = await temporary();
    const door = await countConnections();
    const target = await startEmbedded(createMemoryLibrary());
    try {
      const file = await bundleOf(directory, `${door.host}/team/web:2.0`, `${door.host}/tool:1`);
      const flat = `ocidir://${join(directory, 'flat')}`;
      for (const args of [
        ['ls', file, '--all'],
        ['check', file],
        ['import', file, join(directory, 'library')],
        ['import', file, flat],
        ['import', file, `${target.host}/mirror`],
        ['export', join(directory, 'library'), '-o', join(directory, 'again.tar')],
        ['tree', `${flat}:${door.host}/tool:1`],
      ])
        await oclDone(args);
      expect(door.count()).toBe(0);
      // The door is a real one: who knocks is counted.
      await once(connect(Number(door.host.split(':')[1]), '127.0.0.1').resume(), 'close');
      expect(door.count()).toBe(1);
    } finally {
      await target.close();
      await door.close();
    }
  });
});
