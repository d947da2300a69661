import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { layered } from '../bundle/deltaWorld.ts';
import { jsonLines, ocl, oclDone, startOcl } from '../support/cli.ts';
import { startEmbedded } from '../support/embedded.ts';
import { put } from '../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const LAYER = 100_000;

/** The near side's mirror at a version: one image that changes in one layer, and one that never does. */
async function mirror(root: string, version: number, bytes = LAYER): Promise<void> {
  const app = await newLayout(join(root, 'team/app'));
  const generations = Array.from({ length: 8 }, (_, i) => (i < version ? 1 : 0));
  const graph = layered('app', generations, bytes, { created: `2026-0${version + 1}-01T00:00:00Z` });
  for (const tag of ['latest', `v${version}`]) await put(app, graph, tag);
  await app.close();
  const base = await newLayout(join(root, 'base'));
  await put(base, layered('base', [0, 0], bytes), '1');
  await base.close();
}

interface Summary {
  readonly delta: {
    readonly basis: { readonly kind: string; readonly assumed: boolean };
    readonly provides: { readonly blobs: number; readonly bytes: number };
    readonly unchanged: number;
  };
}

async function exported(args: readonly string[]): Promise<Summary> {
  const { stdout } = await oclDone(['export', ...args, '--json']);
  return jsonLines<Summary>(stdout).at(-1) as Summary;
}

/** Nothing of the mirror is missing there, and no tag is another. */
async function isLike(mirrored: string, far: string): Promise<boolean> {
  const { stdout } = await oclDone(['diff', far, mirrored, '--json']);
  const [found] = jsonLines<{ added: unknown[]; moved: unknown[]; flow: { blobs: number } }>(stdout);
  return found?.added.length === 0 && found.moved.length === 0 && found.flow.blobs === 0;
}

describe('a monthly delta', () => {
  it('goes by inventories, receipts or a ledger, and brings what is new', async () => {
    const directory = await temporary();
    const at = (...names: string[]): string => join(directory, ...names);
    await mirror(at('mirror'), 0);
    await oclDone(['export', at('mirror'), '-o', at('full.tar'), '--ledger', at('site.ledger')]);
    await oclDone(['import', at('full.tar'), at('far'), '--receipt', at('receipt.json'), '--reread', 'all']);
    await oclDone(['inventory', at('far'), '-o', at('have.ocli')]);
    expect((await readFile(at('have.ocli'))).length).toBeLessThan(1000);

    await mirror(at('mirror'), 1);
    const sizes: number[] = [];
    for (const [name, ...basis] of [
      ['inventory', '--have', at('have.ocli')],
      ['receipt', '--since', at('receipt.json')],
      ['bundle', '--since', at('full.tar')],
      ['ledger', '--since', at('site.ledger'), '--ledger', at('site.ledger')],
    ]) {
      const { delta } = await exported([at('mirror'), ...basis, '-o', at(`${name}.tar`)]);
      expect(delta.basis).toMatchObject({ kind: name, assumed: name === 'bundle' || name === 'ledger' });
      // Under both tags of version 0 and under that of the base there is nothing new.
      expect([delta.provides.blobs, delta.unchanged]).toEqual([3, 2]);
      sizes.push(delta.provides.bytes);
    }
    expect(Math.max(...sizes)).toBeLessThan(LAYER + 5000);
    const told = await oclDone(['export', at('mirror'), '--since', at('full.tar'), '-o', at('again.tar')]);
    expect(told.stderr).toContain('ASSUMED');

    expect((await ocl(['diff', at('far'), at('mirror'), '--exit-code'])).status).toBe(2);
    const { stdout: plan } = await oclDone(['import', '--check', at('ledger.tar'), at('far'), '--json']);
    expect(jsonLines(plan).at(-1)).toMatchObject({ type: 'check', complete: true });
    await oclDone(['import', at('ledger.tar'), at('far')]);
    expect(await isLike(at('mirror'), at('far'))).toBe(true);

    // Another month, and the far side is a registry that was filled from the first two bundles.
    const registry = await startEmbedded(createMemoryLibrary());
    try {
      const far = `${registry.host}/mirror`;
      await oclDone(['import', at('full.tar'), at('ledger.tar'), far]);
      await mirror(at('mirror'), 2);
      await exported([
        at('mirror'),
        '--since',
        at('site.ledger'),
        '--ledger',
        at('site.ledger'),
        '-o',
        at('third.tar'),
      ]);
      await oclDone(['import', at('third.tar'), far, '--receipt', at('third.json')]);
      expect(await isLike(at('mirror'), far)).toBe(true);
      const listed = await oclDone(['inventory', far, '--repository', 'base', '--json']);
      expect(jsonLines(listed.stdout).at(-1)).toMatchObject({ tags: 1, repositories: { base: {} } });
    } finally {
      await registry.close();
    }
  });

  it('on a lost disc is named by the next, asked for and sent again', async () => {
    const directory = await temporary();
    const at = (...names: string[]): string => join(directory, ...names);
    await mirror(at('mirror'), 0);
    const ledger = ['--ledger', at('site.ledger')];
    await exported([at('mirror'), ...ledger, '-o', at('full.tar')]);
    await oclDone(['import', at('full.tar'), at('far')]);
    await mirror(at('mirror'), 1);
    await exported([at('mirror'), '--since', at('site.ledger'), ...ledger, '-o', at('lost.tar')]);
    await rm(at('lost.tar'));
    await mirror(at('mirror'), 2);
    await exported([at('mirror'), '--since', at('site.ledger'), ...ledger, '-o', at('next.tar')]);

    const before = await readdir(at('far'), { recursive: true });
    const refused = await ocl(['import', at('next.tar'), at('far'), '--request', at('missing.json')]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/team\/app:latest.*\[OCL_MISSING_BLOBS\]/s);
    // What is to be typed is a file only where it is there, and alone.
    const typed = (file: string): string => `ocl import ${file} ${at('far')} --request missing.json`;
    expect(refused.stderr).toContain(typed(at('next.tar')));
    const piped = await ocl(['import', '-', at('far')], { stdin: await readFile(at('next.tar')) });
    expect(piped.stderr).toContain(typed('FILE...'));
    const several = await ocl(['import', at('full.tar'), at('next.tar'), at('far')]);
    expect(several.stderr).toContain(typed('FILE...'));
    expect(await readdir(at('far'), { recursive: true })).toEqual(before);
    const { delta } = await exported([at('mirror'), '--request', at('missing.json'), '-o', at('mend.tar')]);
    // The layer that the lost one had, the image of that month, which a tag still names, and documents.
    expect(delta.basis).toMatchObject({ kind: 'request', assumed: false });
    expect(delta.provides.bytes).toBeLessThan(LAYER + 10_000);
    const mended = await oclDone(['import', at('mend.tar'), at('far')]);
    expect(mended.stderr).toContain('import the bundle that was refused once more');
    expect((await oclDone(['check', at('far')])).stderr).toContain('imports are not complete');
    await oclDone(['import', at('next.tar'), at('far')]);
    expect(await isLike(at('mirror'), at('far'))).toBe(true);
  });

  it('in volumes comes in any order', async () => {
    const directory = await temporary();
    const at = (...names: string[]): string => join(directory, ...names);
    await mirror(at('mirror'), 0);
    await oclDone(['export', at('mirror'), '-o', at('full.tar')]);
    await oclDone(['import', at('full.tar'), at('far')]);
    await mirror(at('mirror'), 3);
    const { delta } = await exported([
      at('mirror'),
      '--since',
      at('full.tar'),
      '-o',
      at('d.tar'),
      '--volume-size',
      '150KB',
    ]);
    expect(delta.unchanged).toBe(2);
    const volumes = (await readdir(directory)).filter((name) => name.startsWith('d.vol')).toReversed();
    expect(volumes.length).toBeGreaterThan(2);
    // Together they are one place, with what no volume has whole.
    const whole = await oclDone(['inventory', ...volumes.map((name) => at(name)), '--json']);
    expect(jsonLines(whole.stdout).at(-1)).toMatchObject({ tags: 2, blobs: delta.provides.blobs });
    const [last = '', ...others] = volumes.map((name) => at(name));
    expect((await ocl(['import', last, at('far')])).status).toBe(2);
    await oclDone(['import', ...others, at('far')]);
    expect(await isLike(at('mirror'), at('far'))).toBe(true);
    const { stdout } = await oclDone(['diff', at('full.tar'), last, '--json']);
    expect(jsonLines<{ added: { name: string }[] }>(stdout)[0]?.added.map(({ name }) => name)).toEqual(['team/app:v3']);
  });

  it('that is killed while it is written is not in the ledger', async () => {
    const directory = await temporary();
    const at = (...names: string[]): string => join(directory, ...names);
    await mirror(at('mirror'), 0, 2_000_000);
    // Nobody reads on: it waits in the middle of a blob.
    const child = startOcl(['export', at('mirror'), '-o', '-', '--ledger', at('site.ledger')]);
    await once(child.stdout, 'readable');
    child.kill('SIGKILL');
    await once(child, 'close');
    const since = ['export', at('mirror'), '--since', at('site.ledger'), '-o', at('delta.tar')];
    expect((await ocl(since)).stderr).toContain('OCL_NOT_FOUND');
    await oclDone(['export', at('mirror'), '-o', at('full.tar'), '--ledger', at('site.ledger')]);
    await oclDone(since);
  });
});
