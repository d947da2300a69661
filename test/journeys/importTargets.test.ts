import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { oclDone, PROGRAM } from '../support/cli.ts';
import { startConnectProxy } from '../support/connectProxy.ts';
import { Content } from '../support/content.ts';
import { startEmbedded } from '../support/embedded.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { makeShop, putRoots, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();
const shop = makeShop();

/** A bundle of two registries; one of its layers is said to lie at an address of a third. */
async function bundleIn(directory: string): Promise<string> {
  const content = new Content();
  const elsewhere = {
    ...content.add('somewhere', 'application/vnd.oci.image.layer.nondistributable.v1.tar'),
    urls: ['http://third.test/layer'],
  };
  const config = content.json({ os: 'linux', architecture: 'amd64' }, 'application/vnd.oci.image.config.v1+json');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const windows = content.json({ schemaVersion: 2, mediaType, config, layers: [elsewhere] }, mediaType);
  const layout = await newLayout(join(directory, 'layout'));
  await putRoots(layout, shop.content, [
    [shop.web, { tag: 'a.test/web:2', imageName: 'a.test/web:2' }],
    [shop.tool, { tag: 'docker.io/library/tool:1', imageName: 'docker.io/library/tool:1' }],
  ]);
  await putRoots(layout, content, [[windows, { tag: 'b.test/win:1', imageName: 'b.test/win:1' }]]);
  await layout.close();
  const file = join(directory, 'bundle.tar');
  await oclDone(['export', join(directory, 'layout'), '-o', file]);
  return file;
}

describe('an import contacts its target, and nothing else', () => {
  it('as a proxy sees that takes all that is asked of anybody', async () => {
    const file = await bundleIn(await temporary());
    const target = await startEmbedded(createMemoryLibrary(), { allowedHosts: ['target.test'] });
    const proxy = await startConnectProxy();
    const host = `target.test:${target.port}`;
    const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, http_proxy: proxy.url, https_proxy: proxy.url };
    try {
      await oclDone(['import', file, `${host}/mirror`, '--plain-http', host], { env });
      expect((await oclDone(['ls', target.host])).stdout.split('\n')).toEqual(
        expect.arrayContaining(['mirror/library/tool', 'mirror/web', 'mirror/win']),
      );
      const asked = proxy.lines.map((line) => new URL(line.replace(/^\w+ /, '')).host);
      expect(asked.length).toBeGreaterThan(10);
      expect([...new Set(asked)]).toEqual([host]);
    } finally {
      await proxy.close();
      await target.close();
    }
  });

  const namespaces = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']).status === 0;
  it.skipIf(!namespaces)(
    `and works where there is no network at all${namespaces ? '' : ' (network namespaces need root and iproute2)'}`,
    async () => {
      const directory = await temporary();
      const file = await bundleIn(directory);
      const at = (name: string): string => join(directory, name);
      // The loopback device of a new namespace leads to what is started in it, and to nothing else.
      const script = [
        'ip link set lo up',
        `"$0" "$1" serve ${at('served')} --listen 127.0.0.1:5000 --json >${at('events')} & server=$!`,
        `until grep -q listening ${at('events')} 2>/dev/null; do read -t 0.05 <> <(:) || :; done`,
        `"$0" "$1" import ${file} 127.0.0.1:5000/mirror && "$0" "$1" import ${file} ${at('library')} && "$0" "$1" import ${file} ocidir://${at('one')}`,
        'status=$?; kill $server; wait $server; exit $status',
      ];
      const { status, stderr } = spawnSync(
        'unshare',
        ['-n', 'bash', '-c', script.join('\n'), process.execPath, PROGRAM],
        { encoding: 'utf8' },
      );
      expect([status, stderr.match(/error:.*/)?.[0]]).toEqual([0, undefined]);
      const { stdout } = await oclDone(['ls', at('served')]);
      expect(stdout).toContain('mirror/library/tool');
      expect((await oclDone(['ls', at('one')])).stdout).toContain('win:1');
    },
  );
});

it('gives images new names by map and rule, and signatures of the old kind go with them', async () => {
  const directory = await temporary();
  const path = (name: string): string => join(directory, name);
  await writeLibrary(path('origin'), shop);
  await oclDone(['export', path('origin'), '-o', path('bundle.tar')]);
  await writeFile(path('map.yaml'), 'localhost/team/web:2.0: base/web:stable\n');
  const rules = ['--rewrite', 's#tool#tools/it#', '--rewrite', 's#^docker.io/#hub/#'];
  const { stderr } = await oclDone([
    'import',
    path('bundle.tar'),
    path('library'),
    '--map',
    path('map.yaml'),
    ...rules,
    '--prefix',
    'x',
  ]);
  expect(stderr.match(/warning: .*/g)).toEqual([expect.stringContaining('s#^docker.io/#hub/# fits no image')]);
  expect(stderr).toMatch(/^localhost\/team\/web:2\.0 +x\/base\/web:stable$/m);
  const { stdout } = await oclDone(['ls', path('library'), '--all', '--json']);
  const listed = (JSON.parse(stdout) as { reference: string }[]).map(({ reference }) => reference);
  expect(listed).toEqual(
    expect.arrayContaining([
      'x/base/web:stable',
      'x/team/web:1.0',
      'x/tools/it:latest',
      `x/base/web:${shop.digestTag}`,
    ]),
  );
  expect(listed).not.toContain(`x/team/web:${shop.digestTag}`);
  expect(await readFile(path('library/x/base/web/index.json'), 'utf8')).toContain(shop.web.digest);
});

it.each(['ocidir://', 'docker-archive:'])(
  'lists the names that images have got in %s, as they can be typed',
  async (kind) => {
    const directory = await temporary();
    const path = (name: string): string => join(directory, name);
    await writeLibrary(path('origin'), shop);
    await oclDone(['export', path('origin/tool'), '-o', path('bundle.tar')]);
    const rule = ['--rewrite', 's#.*:latest#tools/it:stable#'];
    const target = `${kind}${path('out')}`;
    const { stderr } = await oclDone(['import', path('bundle.tar'), target, ...rule]);
    expect(stderr).toMatch(/^IMAGE +IS THERE$/m);
    expect(stderr).toMatch(/ localhost\/tools\/it:stable$/m);
    const { stdout } = await oclDone(['import', path('bundle.tar'), target, ...rule, '--json', '--overwrite']);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      type: 'summary',
      arrived: [{ repository: '', as: 'localhost/tools/it:stable' }],
    });
    await oclDone(['inspect', `${target}:localhost/tools/it:stable`]);
  },
);
