import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, oclDone } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

async function stocked(): Promise<string> {
  const root = await temporary();
  await writeLibrary(join(root, 'library'), shop);
  return root;
}

async function json<T = Record<string, unknown>>(...args: string[]): Promise<T[]> {
  return jsonLines<T>((await oclDone([...args, '--json'])).stdout);
}

async function types(...args: string[]): Promise<unknown[]> {
  return (await json(...args)).map(({ type }) => type);
}

describe('--json', () => {
  it('of what copies gives events, and a summary in the last line', async () => {
    const root = await stocked();
    const web = `ocidir://${root}/library/team/web:2.0`;
    const copied = await json('copy', web, `ocidir://${root}/copy:2.0`);
    expect(copied[0]).toMatchObject({ type: 'image.start', image: expect.stringContaining('team/web') });
    expect(copied.at(-1)).toMatchObject({
      type: 'summary',
      outcome: 'copied',
      root: expect.objectContaining({ digest: shop.web.digest }),
    });
    const done = copied.filter(({ type }) => type === 'blob.done');
    expect(new Set(done.map(({ outcome }) => outcome)).size).toBe(1);

    const again = await json('copy', web, `ocidir://${root}/copy:2.0`);
    expect(again.at(-1)).toMatchObject({ type: 'summary', outcome: 'current' });
    expect(await types('copy', '--dry-run', web, `ocidir://${root}/new:2.0`)).toContain('plan');

    const exported = await json('export', `${root}/library`, '-o', `${root}/x.tar`);
    expect(exported.at(-1)).toMatchObject({ type: 'summary', file: `${root}/x.tar`, images: { length: 4 } });
    const imported = await json('import', `${root}/x.tar`, `${root}/far`);
    expect(imported.at(-1)).toMatchObject({ type: 'summary', target: `${root}/far`, failed: [] });
    for (const line of [...copied, ...exported, ...imported]) expect(line['type']).toEqual(expect.any(String));
  });

  it('of what looks gives one value', async () => {
    const root = await stocked();
    const web = `ocidir://${root}/library/team/web`;
    const [listed] = await json<{ reference: string; digest: string; platforms: string[] }[]>('ls', `${root}/library`);
    expect(listed?.map(({ reference }) => reference)).toEqual([
      'team/web:2.0',
      'team/web:1.0',
      `team/web:${shop.digestTag}`,
      'tool:latest',
    ]);
    expect(listed?.[0]).toMatchObject({ digest: shop.web.digest, platforms: ['linux/amd64', 'linux/arm64'] });
    expect(await json('inspect', `${web}:2.0`)).toMatchObject([
      { digest: shop.web.digest, kind: 'index', platforms: ['linux/amd64', 'linux/arm64'] },
    ]);
    const [tree] = await json<{ digest: string; children: { role: string }[] }>('tree', `${web}:2.0`);
    expect(tree?.digest).toBe(shop.web.digest);
    expect(tree?.children.map(({ role }) => role)).toContain('referrer');
    const [referrers] = await json<{ digest: string }[]>('referrers', `${web}:2.0`);
    expect(referrers?.map(({ digest }) => digest)).toEqual([shop.referrers[0]?.digest]);
    expect(await json('referrers', `ocidir://${root}/library/tool:latest`)).toEqual([[]]);
    expect(await json('tag', 'ls', web)).toEqual([expect.arrayContaining(['1.0', '2.0'])]);
    expect(await json('tag', 'add', `${web}:2.0`, 'stable')).toEqual([{ digest: shop.web.digest, tag: 'stable' }]);
    expect(await json('tag', 'rm', `${web}:stable`)).toEqual([{ tag: 'stable', removed: true }]);
    expect((await oclDone(['manifest', 'get', `${web}:2.0`, '--json'])).bytes).toEqual(
      Buffer.from(shop.content.bytes(shop.web)),
    );
  });

  it('of what checks and cleans gives one line a layout', async () => {
    const root = await stocked();
    const checked = await json('check', `${root}/library`);
    expect(checked.filter(({ type }) => type === 'check')).toMatchObject([
      { place: `${root}/library/team/web`, damaged: false, findings: [] },
      { place: `${root}/library/tool`, damaged: false, findings: [] },
    ]);
    await oclDone(['tag', 'rm', `ocidir://${root}/library/tool:latest`]);
    const cleaned = await json('gc', `${root}/library`, '--grace', '0');
    expect(cleaned.filter(({ type }) => type === 'gc')).toMatchObject([
      { layout: `${root}/library/team/web`, removed: [] },
      { layout: `${root}/library/tool`, removed: { length: 3 } },
    ]);
  });

  it('of a sync gives a summary, and of its check the plan', async () => {
    const root = await stocked();
    const stdin = `version: 1\nsync:\n  - {source: "ocidir://${root}/library/team/web", target: "ocidir://${root}/mirror/web", type: repository, tags: {allow: ["[0-9.]+"]}}\n`;
    const plan = await oclDone(['sync', 'check', '--config', '-', '--json'], { stdin });
    expect(jsonLines(plan.stdout).at(-1)).toMatchObject({
      type: 'plan',
      images: [{ action: 'copy' }, { action: 'copy' }],
      registries: [],
    });
    const run = await oclDone(['sync', '--config', '-', '--json'], { stdin });
    expect(jsonLines(run.stdout).at(-1)).toMatchObject({ type: 'summary', copied: 2, current: 0, failed: [] });
  });
});
