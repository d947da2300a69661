import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stockedLibrary } from '../bundle/support.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { startEmbedded } from '../support/embedded.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

it('carries what a sync file mirrors straight into a bundle, and the same bytes again by its lock', async () => {
  const registry = await startEmbedded(await stockedLibrary(shop));
  const directory = await temporary();
  const path = (name: string): string => join(directory, name);
  try {
    const config = [
      'sync:',
      `  - { source: ${registry.host}/team/web, target: nowhere.invalid/web, type: repository, tags: { allow: ['\\d.*'] } }`,
      `  - { source: ${registry.host}/tool, target: 'ocidir://${path('mirror')}:1', type: image }`,
    ];
    await writeFile(path('sync.yaml'), config.join('\n'));
    await oclDone(['export', '--from', path('sync.yaml'), '-o', path('a.tar'), '--lock', path('a.lock')]);
    expect((await readdir(directory)).toSorted()).toEqual(['a.lock', 'a.tar', 'sync.yaml']);
    const listed = jsonLines<{ reference: string }[]>((await oclDone(['ls', path('a.tar'), '--all', '--json'])).stdout);
    const names = listed[0]?.map(({ reference }) => reference) ?? [];
    expect(names).toEqual(expect.arrayContaining(['team/web:1.0', 'team/web:2.0', 'tool:latest']));
    expect(names).toContain(`team/web:${shop.digestTag}`);
    const { images } = JSON.parse(await readFile(path('a.lock'), 'utf8')) as {
      images: Record<string, { digest: string; platforms: Record<string, string> }>;
    };
    expect(Object.keys(images)).toEqual(
      ['team/web:1.0', 'team/web:2.0', 'tool:latest'].map((name) => `${registry.host}/${name}`),
    );
    expect(images[`${registry.host}/team/web:2.0`]?.digest).toBe(shop.web.digest);
    await oclDone(['export', '--locked', path('a.lock'), '-o', path('b.tar'), '--lock', path('b.lock')]);
    expect(await readFile(path('b.tar'))).toEqual(await readFile(path('a.tar')));
    expect(await readFile(path('b.lock'))).toEqual(await readFile(path('a.lock')));
  } finally {
    await registry.close();
  }
});

it.each([
  [['export', '-o', 'x.tar'], 'nothing is named'],
  [
    ['export', '--from', 'a.yaml', '--locked', 'b', '-o', 'x.tar'],
    'more than one of a sync file, a lock and a request',
  ],
])('refuses %j', async (args, why) => {
  const { status, stderr } = await ocl(args);
  expect([status, stderr]).toEqual([64, expect.stringContaining(why)]);
});

it('plans what it would carry, for people and for programs', async () => {
  const directory = await temporary();
  await writeLibrary(join(directory, 'library'), shop);
  const args = ['plan', join(directory, 'library'), '--volume-size', '64KB', '--speed', 'dvd,1MB/2MB', '-o', directory];
  const { stdout } = await oclDone(args);
  expect(stdout).toMatch(/^images +4$/m);
  expect(stdout).toMatch(/^time, dvd +write \d+ ms, read \d+ ms$/m);
  expect(stdout).toMatch(/^space here +.* are free$/m);
  const [plan] = jsonLines((await oclDone([...args, '--json'])).stdout);
  expect(plan).toMatchObject({
    type: 'plan',
    leftOut: 0,
    missing: [],
    times: [{ medium: 'dvd' }, { medium: '1MB/2MB' }],
    space: { near: [{ path: directory }], far: { waiting: 0 } },
  });
  const { listed, unique, shared, carried } = (plan as { bytes: Record<string, number> }).bytes;
  expect(shared).toBe((listed ?? 0) - (unique ?? 0));
  expect(carried).toBeGreaterThan(unique ?? 0);
});
