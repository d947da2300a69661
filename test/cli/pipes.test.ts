import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { ended } from '../support/child.ts';
import { ocl, oclDone, startOcl } from '../support/cli.ts';
import { digestsIn } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { makeShop, partsOf, putRoots, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

describe('a pipe', () => {
  it('carries an archive from export to import without a file in between', async () => {
    const root = await temporary();
    await writeLibrary(join(root, 'library'), shop);
    const exporting = startOcl(['export', join(root, 'library'), '-o', '-']);
    const imported = ocl(['import', '-', join(root, 'far')], { stdin: exporting.stdout });
    expect(await ended(exporting)).toBe(0);
    expect((await imported).status).toBe(0);
    for (const { repository } of shop.repositories) {
      const [near, far] = await Promise.all(
        ['library', 'far'].map(async (place) => await openLayout(join(root, place, repository), layoutOptions())),
      );
      if (near === undefined || far === undefined) throw new Error('two were opened');
      expect(await digestsIn(far)).toEqual(await digestsIn(near));
    }
  });

  it('gets the same bytes that a file gets, and nothing else', async () => {
    const root = await temporary();
    await writeLibrary(join(root, 'library'), shop);
    await oclDone(['export', join(root, 'library'), '-o', join(root, 'x.tar')]);
    const { bytes, stderr } = await oclDone(['export', join(root, 'library'), '-o', '-']);
    expect(bytes.equals(await readFile(join(root, 'x.tar')))).toBe(true);
    expect(stderr).toContain('4 images');
    const { bytes: quiet } = await oclDone(['export', join(root, 'library'), '-o', '-', '--json']);
    expect(quiet.equals(bytes)).toBe(true);
  });

  it('may bring an archive that is compressed, or none at all', async () => {
    const root = await temporary();
    const none = await ocl(['import', '-', join(root, 'far')], { stdin: '' });
    expect([none.status, none.stderr]).toEqual([6, expect.stringContaining('OCL_ARCHIVE_INVALID')]);
    await writeLibrary(join(root, 'library'), shop);
    await oclDone(['export', join(root, 'library'), '-o', join(root, 'x.tar')]);
    const gzip = spawn('gzip', ['-c'], { stdio: ['pipe', 'pipe', 'inherit'] });
    createReadStream(join(root, 'x.tar')).pipe(gzip.stdin);
    const { stderr } = await oclDone(['import', '-', join(root, 'far')], { stdin: gzip.stdout });
    expect(stderr).toContain('imported');
  });

  it('may be closed by who reads it: `ocl ls | head` is no failure', async () => {
    const root = await temporary();
    const layout = await newLayout(join(root, 'many'));
    const parts = partsOf(shop.content, shop.tool);
    for (const part of parts) await layout.put(part, shop.content.opener(part));
    // More than a pipe holds, so that it is written to after it was closed.
    const names = Array.from({ length: 700 }, (_, i) => `${'so-that-there-is-much-to-say-'.repeat(4)}${i}`);
    await putRoots(
      layout,
      shop.content,
      names.map((tag) => [shop.tool, { tag }]),
    );
    await layout.close();
    for (const args of [
      ['ls', join(root, 'many')],
      ['tag', 'ls', `ocidir://${root}/many`],
      ['ls', join(root, 'many'), '--json'],
    ]) {
      const child = startOcl(args);
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.stdout.once('data', () => child.stdout.destroy());
      expect({ args, status: await ended(child), said }).toEqual({ args, status: 0, said: '' });
    }
  });

  it('that nobody reads stops nothing that acts: the work is done, and its status is kept', async () => {
    const root = await temporary();
    await writeLibrary(join(root, 'library'), shop);
    await oclDone(['export', join(root, 'library'), '-o', join(root, 'x.tar')]);
    const web = `ocidir://${root}/library/team/web:2.0`;
    const config = join(root, 'sync.yaml');
    await writeFile(
      config,
      `version: 1\nsync:\n  - {source: "${web}", target: "ocidir://${root}/s:1", type: image}\n  - {source: "ocidir://${root}/library/tool:9", target: "ocidir://${root}/t:1", type: image}\n`,
    );
    for (const [status, args] of [
      [0, ['copy', web, `ocidir://${root}/copy:1`, '--json']],
      [0, ['import', join(root, 'x.tar'), join(root, 'far'), '--json']],
      [0, ['export', join(root, 'library'), '-o', join(root, 'y.tar'), '--json']],
      [1, ['sync', '--config', config, '--json']],
      [0, ['check', join(root, 'library'), '--json']],
    ] as const) {
      for (const deaf of ['stdout', 'stderr'] as const) {
        const child = startOcl(
          deaf === 'stdout' ? args : args.slice(0, -1).concat(args[0] === 'export' ? ['--overwrite'] : []),
        );
        child.stdout.resume();
        child.stderr.resume();
        child[deaf].destroy();
        expect({ args, deaf, status: await ended(child) }).toEqual({ args, deaf, status });
      }
    }
    await oclDone(['check', join(root, 'y.tar')]);
    for (const place of ['copy', 'far', 's']) await oclDone(['check', join(root, place)]);
  });

  it('that closes in the middle of an archive is a failure: half an archive is none', async () => {
    const root = await temporary();
    const content = makeShop().content;
    const big = content.image({ layers: ['x'.repeat(4 << 20)], compression: 'none' });
    const layout = await newLayout(join(root, 'big'));
    await putRoots(layout, content, [[big, { tag: '1' }]]);
    await layout.close();
    const child = startOcl(['export', join(root, 'big'), '-o', '-']);
    child.stderr.resume();
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended(child)).not.toBe(0);
  });
});
