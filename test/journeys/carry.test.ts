import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { EXIT } from '../../src/cli/exit.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { all, digestsIn } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';
import { startServe } from '../support/processes.ts';
import { reply, startScriptedServer } from '../support/scriptedServer.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

/** The tags with their digests, and the digests of everything: what must be equal wherever it has been carried. */
async function holdings(path: string): Promise<unknown> {
  const layout = await openLayout(path, layoutOptions());
  const tags = await all(layout.tags());
  const named = await Promise.all(tags.toSorted().map(async (tag) => [tag, (await layout.resolve(tag)).digest]));
  return { tags: named, digests: await digestsIn(layout) };
}

describe('over the gap', () => {
  it('goes by sync, export, check, import, serve and pull, and nothing changes on the way', async () => {
    const root = await temporary();
    const at = (...names: string[]): string => join(root, ...names);
    await writeLibrary(at('origin'), shop);
    const origin = await startServe(at('origin'), ['--read-only']);
    await writeFile(
      at('sync.yaml'),
      `version: 1
creds: [{registry: origin.example, hostname: "${origin.host}", tls: disabled}]
defaults: {referrers: true, digestTags: true}
sync:
  - {type: repository, source: origin.example/team/web, target: "ocidir://${at('mirror/team/web')}", tags: {allow: ["\\\\d\\\\.\\\\d"]}}
  - {type: image, source: "origin.example/tool:latest", target: "ocidir://${at('mirror/tool')}:latest"}
`,
    );
    await oclDone(['sync', '--config', at('sync.yaml')]);
    expect(await origin.stop()).toBe(0);

    await oclDone(['export', at('mirror'), '-o', at('bundle.tar')]);
    await oclDone(['check', at('bundle.tar'), '--strict']);
    await oclDone(['import', at('bundle.tar'), at('library')]);
    const far = await startServe(at('library'));
    for (const { repository, roots } of shop.repositories) {
      for (const tag of roots.flatMap(([, name]) => name.tag ?? [])) {
        await oclDone(['copy', `${far.host}/${repository}:${tag}`, `ocidir://${at('pulled', repository)}:${tag}`]);
      }
    }
    const { stdout } = await oclDone(['referrers', `${far.host}/team/web:2.0`, '--json']);
    expect(jsonLines<{ digest: string }[]>(stdout)[0]?.map(({ digest }) => digest)).toEqual([
      shop.referrers[0]?.digest,
    ]);
    expect(await far.stop()).toBe(0);

    for (const { repository } of shop.repositories) {
      const expected = await holdings(at('origin', repository));
      expect(await holdings(at('mirror', repository))).toEqual(expected);
      expect(await holdings(at('library', repository))).toEqual(expected);
      expect(await holdings(at('pulled', repository))).toEqual(expected);
    }
    expect((await ocl(['check', at('pulled'), '--strict'])).status).toBe(0);
  });

  it('serves a bundle as it lies, for who only reads', async () => {
    const root = await temporary();
    await writeLibrary(join(root, 'origin'), shop);
    await oclDone(['export', join(root, 'origin'), '-o', join(root, 'bundle.tar')]);
    const served = await startServe(join(root, 'bundle.tar'));
    const { stdout } = await oclDone(['ls', served.host]);
    expect(stdout).toBe('team/web\ntool\n');
    const below = await oclDone(['ls', `${served.host}/team`]);
    expect([below.stdout, below.stderr]).toEqual([
      'team/web\n',
      expect.stringContaining('/team is no repository; below it: 1'),
    ]);
    const none = await ocl(['ls', `${served.host}/tea`]);
    expect([none.status, none.stderr]).toEqual([
      EXIT.notFound,
      expect.stringMatching(/has no repository of that name.*\nhint: {2}ocl ls [\d.:]+\/ lists its repositories/),
    ]);
    const nameless = (await oclDone(['ls', join(root, 'bundle.tar'), '--all'])).stdout.match(/bundle@sha256/g);
    expect(nameless).toHaveLength(shop.referrers.length);
    await oclDone(['copy', `${served.host}/team/web:2.0`, `ocidir://${join(root, 'pulled')}:2.0`]);
    const pushed = await ocl(['copy', `ocidir://${join(root, 'origin/tool')}:latest`, `${served.host}/new:1`]);
    expect([pushed.status, pushed.stderr]).toEqual([8, expect.stringContaining('OCL_UNSUPPORTED')]);
    expect(await served.stop()).toBe(0);
    const { stdout: tree } = await oclDone(['tree', `ocidir://${join(root, 'pulled')}:2.0`]);
    for (const { digest } of shop.referrers) expect(tree).toContain(digest.slice(0, 19));
  });

  it('does not list a part of the repositories below a name as all of them', async () => {
    const registry = await startScriptedServer({
      'GET /v2/_catalog': [
        reply(200, { link: '</v2/_catalog?last=team%2Fa>; rel="next"' }, '{"repositories":["team/a"]}'),
        reply(400),
      ],
    });
    const { status, stdout, stderr } = await ocl(['ls', `${registry.host}/team`]);
    await registry.close();
    expect([status === 0, stdout, stderr]).toEqual([false, '', expect.stringContaining('list the repositories')]);
  });

  it('carries an older state on top of nothing twice, and the second time moves nothing', async () => {
    const root = await temporary();
    await writeLibrary(join(root, 'origin'), shop);
    await oclDone(['export', join(root, 'origin'), '-o', join(root, 'bundle.tar')]);
    await oclDone(['import', join(root, 'bundle.tar'), join(root, 'library')]);
    const { stdout } = await oclDone(['import', join(root, 'bundle.tar'), join(root, 'library'), '--json']);
    const lines = jsonLines<{ type: string; outcome?: string; images?: { streamed: number }[] }>(stdout);
    expect(lines.filter(({ outcome }) => outcome === 'streamed' || outcome === 'linked')).toEqual([]);
    expect(lines.at(-1)?.images?.map(({ streamed }) => streamed)).toEqual([0, 0, 0, 0]);
  });
});
