import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/copy/check.ts';
import { type OclEvent } from '../../../src/core/events.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { silent } from '../../../src/core/events.ts';
import { collectGarbage } from '../../../src/stores/layout/gc.ts';
import { openLayout } from '../../../src/stores/layout/layout.ts';
import { bundle, ended, firstLine, type Program } from '../../support/child.ts';
import { all, codeOf, image, put } from '../../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const gc = { clock: systemClock, emit: silent, grace: 0, dryRun: false, timeout: 100 };
let program: Program;

beforeAll(async () => {
  program = await bundle('layoutProgram.ts');
});

afterAll(async () => {
  await program.close();
});

describe('several processes at one layout', () => {
  it('lose no tag when they commit at once, not even while they make the layout', async () => {
    const root = join(await temporary(), 'layout');
    const runs = await Promise.all([
      program.run(['tags', root, 'a', '8']),
      program.run(['tags', root, 'b', '8']),
      program.run(['visits', root, '10']),
    ]);
    expect(runs).toEqual([0, 0, 0].map((status) => ({ status, output: '' })));
    const layout = await openLayout(root, layoutOptions());
    const expected = ['a', 'b'].flatMap((prefix) => Array.from({ length: 8 }, (_, i) => `${prefix}-${i}`));
    expect((await all(layout.tags())).toSorted()).toEqual(expected.toSorted());
    expect((await checkStore(layout)).findings).toEqual([]);
    expect((await readdir(root)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it('keep the garbage collector away while one of them writes, and no longer', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    await put(layout, image(), 'a');
    await layout.close();
    const writer = program.start(['hold', root]);
    const digest = await firstLine(writer);
    expect(await codeOf(() => collectGarbage(layout, gc))).toBe('OCL_LOCKED');
    expect((await all(layout.blobs())).map((blob) => blob.digest)).toContain(digest);
    writer.kill('SIGKILL');
    await ended(writer);
    const report = await collectGarbage(layout, gc);
    expect(report.removed.map((blob) => blob.digest)).toEqual([digest]);
    expect(await readdir(root)).not.toContain('.ocl');
  });

  it('take over the lock of one that died, and say so', async () => {
    const root = join(await temporary(), 'layout');
    const { status } = await program.run(['fill', root]);
    expect(status).toBe(0);
    const dead = program.start(['fill', join(root, 'elsewhere')]);
    const { pid } = dead;
    await ended(dead);
    await mkdir(join(root, '.ocl'), { recursive: true });
    await writeFile(join(root, '.ocl', 'lock'), JSON.stringify({ pid, host: hostname(), started: '1', nonce: 'x' }));
    const events: OclEvent[] = [];
    const layout = await newLayout(root, { emit: (event) => void events.push(event) });
    await put(layout, image({ name: 'after' }), 'after');
    await layout.close();
    expect(events).toMatchObject([{ type: 'notice', level: 'warning', message: expect.stringContaining(String(pid)) }]);
    expect((await all((await openLayout(root, layoutOptions())).tags())).toSorted()).toEqual(['1.0', 'after']);
  });

  it('wait for the lock of a living one, and give up in time', async () => {
    const root = join(await temporary(), 'layout');
    await mkdir(join(root, '.ocl'), { recursive: true });
    const path = join(root, '.ocl', 'lock');
    for (const [owner, hint] of [
      [{ pid: process.pid, host: hostname(), started: '', nonce: 'x' }, /wait until/],
      [{ pid: 1, host: 'another.example', started: '', nonce: 'x' }, /is over.*: rm .*lock$/],
    ] as const) {
      await writeFile(path, JSON.stringify(owner));
      const layout = await newLayout(root, { lockTimeout: 60 });
      const failure = await put(layout, image(), 'a').catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'OCL_LOCKED', hint: expect.stringMatching(hint) });
      await layout.close();
    }
  });
});
