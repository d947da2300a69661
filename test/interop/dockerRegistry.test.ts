import { mkdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { startDockerRegistry, whyNoDockerRegistry, type DockerRegistry } from '../support/dockerRegistry.ts';
import { foreignImage, put } from '../support/graphs.ts';
import { newLayout } from '../support/layoutTools.ts';
import { entriesOf, makeShop, putRoots, writeLibrary } from '../support/shop.ts';
import {
  checked,
  cosignSignature,
  listed,
  manifestOf,
  reach,
  referrersOf,
  runSkopeo,
  skopeo,
  skopeoDigest,
  skopeoTakes,
  workspace,
  type ManifestJson,
} from './support.ts';

const why = whyNoDockerRegistry();
const path = workspace();
const shop = makeShop();
const { content, web, tool, digestTag } = shop;
const [firstChild] = entriesOf(content, web);
const [signature, sbom, ofSignature] = shop.referrers;
const LIBRARY = path('library');

let registry: DockerRegistry;
const at = (name: string): string => `${registry.host}/${name}`;

/** What happened to each part of a copy: how often it was streamed, mounted or there already. */
async function outcomes(args: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const events = jsonLines<OclEvent>((await oclDone([...args, '--json'])).stdout);
  const counts: Record<string, number> = {};
  for (const event of events)
    if (event.type === 'blob.done') counts[event.outcome] = (counts[event.outcome] ?? 0) + 1;
    else if (event.type === 'image.done') counts[event.outcome] = (counts[event.outcome] ?? 0) + 1;
  return counts;
}

async function get(name: string, accept?: string): Promise<Response> {
  return await fetch(`http://${registry.host}/v2/${name}`, accept === undefined ? {} : { headers: { accept } });
}

describe.skipIf(why !== undefined)(`Debian's docker-registry${why === undefined ? '' : ` (${why})`}`, () => {
  beforeAll(async () => {
    const started = await startDockerRegistry();
    if (started === undefined) throw new Error('it does not start');
    registry = started;
    await mkdir(path('dirs'));
    await writeLibrary(LIBRARY, shop);
    for (const name of ['team/web:2.0', 'team/web:1.0', 'tool:latest'])
      await oclDone(['copy', `ocidir://${LIBRARY}/${name}`, at(name)]);
  });
  afterAll(() => registry.stop());

  it.each([
    ['an index', 'team/web:2.0', web],
    ["an image of Docker's types", 'tool:latest', tool],
  ])('holds %s whole, and gives it back', async (what, name, root) => {
    expect((await listed(at(name)))[at(name)]).toBe(root.digest);
    if (!skopeo.missing) {
      const taken = skopeoTakes(
        `docker://${at(name)}`,
        path('dirs', what.replaceAll(/\W/g, '-')),
        '--src-tls-verify=false',
      );
      expect(taken).toEqual({ root: root.digest, digests: reach(content, root) });
    }
    const back = path('back', name.replaceAll(/\W/g, '-'));
    await oclDone(['copy', at(name), `ocidir://${back}:x`]);
    expect(Object.values(await listed(back))).toContain(root.digest);
    expect(await checked(back)).toMatchObject({ damaged: false, findings: [] });
  });

  it('lists repositories and tags', async () => {
    expect((await oclDone(['ls', registry.host])).stdout.split('\n')).toEqual(
      expect.arrayContaining(['team/web', 'tool']),
    );
    expect((await oclDone(['tag', 'ls', at('team/web')])).stdout.split('\n')).toEqual(
      expect.arrayContaining(['1.0', '2.0', digestTag]),
    );
  });

  it('has no referrers API, so that referrers are listed under a tag', async () => {
    expect((await get(`team/web/referrers/${web.digest}`)).status).toBe(404);
    for (const [subject, referrer] of [
      [web, signature],
      [firstChild, sbom],
      [signature, ofSignature],
    ]) {
      const digest = subject?.digest ?? '';
      const answer = await get(
        `team/web/manifests/${digest.replace(':', '-')}`,
        'application/vnd.oci.image.index.v1+json',
      );
      const { manifests } = (await answer.json()) as { readonly manifests: readonly Descriptor[] };
      expect(manifests.map(({ digest: found, artifactType }) => [found, artifactType])).toEqual([
        [referrer?.digest, referrer === undefined ? '' : typeOf(referrer)],
      ]);
      expect(await referrersOf(`${at('team/web')}@${digest}`)).toEqual([referrer?.digest]);
    }
  });

  it('gives referrers, those of children and of referrers, and digest tags back', async () => {
    const layout = path('with-referrers');
    await oclDone(['copy', at('team/web:2.0'), `ocidir://${layout}:2.0`]);
    expect(await referrersOf(`ocidir://${layout}:2.0`)).toEqual([signature?.digest]);
    expect(await referrersOf(`ocidir://${layout}@${firstChild?.digest ?? ''}`)).toEqual([sbom?.digest]);
    expect(await referrersOf(`ocidir://${layout}@${signature?.digest ?? ''}`)).toEqual([ofSignature?.digest]);
    // The lists of referrers belong to the registry that needs them.
    expect((await oclDone(['tag', 'ls', `ocidir://${layout}`])).stdout.trim().split('\n').toSorted()).toEqual(
      ['2.0', digestTag].toSorted(),
    );
    expect(await checked(layout)).toMatchObject({ damaged: false });
  });

  it('adds to a list of referrers that another client has begun', async () => {
    const more = new Content();
    const app = more.image({ layers: ['listed'] });
    const theirs = more.artifact({ type: 'application/vnd.test.theirs', subject: app });
    const ours = more.artifact({ type: 'application/vnd.test.ours', subject: app });
    const layout = await newLayout(path('lists'));
    await putRoots(layout, more, [
      [app, { tag: '1' }],
      [theirs, { tag: 'theirs' }],
    ]);
    await layout.close();
    await oclDone(['copy', `ocidir://${path('lists')}:1`, at('lists:1'), '--no-referrers']);
    await oclDone(['copy', `ocidir://${path('lists')}:theirs`, at('lists:theirs')]);
    const again = await newLayout(path('lists'));
    await putRoots(again, more, [[ours, {}]]);
    await again.close();
    await oclDone(['copy', `ocidir://${path('lists')}:1`, at('lists:1')]);
    expect(await referrersOf(at('lists:1'))).toEqual([theirs.digest, ours.digest].toSorted());
    expect(await referrersOf(at('lists:1'), '--artifact-type', 'application/vnd.test.ours')).toEqual([ours.digest]);
  });

  it('keeps signatures of cosign under their tags, those of children too', async () => {
    const goods = new Content();
    const index = goods.platforms([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ]);
    const signed = [index, ...entriesOf(goods, index)];
    const tags = signed.map(({ digest }) => `${digest.replace(':', '-')}.sig`);
    const layout = await newLayout(path('cosign'));
    await putRoots(layout, goods, [
      [index, { tag: '1' }],
      ...signed.map((each, i) => [cosignSignature(goods, each), { tag: tags[i] }] as const),
    ]);
    await layout.close();
    await oclDone(['copy', `ocidir://${path('cosign')}:1`, at('cosign:1')]);
    await oclDone(['copy', at('cosign:1'), `ocidir://${path('cosign-back')}:1`]);
    for (const place of [at('cosign'), `ocidir://${path('cosign-back')}`])
      expect((await oclDone(['tag', 'ls', place])).stdout.trim().split('\n').toSorted()).toEqual(
        ['1', ...tags].toSorted(),
      );
    await oclDone(['copy', at('cosign:1'), at('unsigned:1'), '--no-digest-tags']);
    expect((await oclDone(['tag', 'ls', at('unsigned')])).stdout).toBe('1\n');
  });

  it('takes all tags of a repository, over several pages', async () => {
    const many = new Content();
    const roots = Array.from({ length: 25 }, (_, i) => [many.image({ layers: [`v${i}`] }), { tag: `v${i}` }] as const);
    const layout = await newLayout(path('many'));
    await putRoots(layout, many, roots);
    await layout.close();
    const tags = roots.map(([, { tag }]) => tag).toSorted();
    await oclDone(['export', path('many'), '-o', path('many.tar')]);
    await oclDone(['import', path('many.tar'), `${registry.host}/paged`]);
    expect((await oclDone(['tag', 'ls', at('paged/many')])).stdout.trim().split('\n').toSorted()).toEqual(tags);
    const images = await listed(at('paged/many'));
    expect(images).toEqual(Object.fromEntries(roots.map(([root, { tag }]) => [at(`paged/many:${tag}`), root.digest])));
  });

  it('is left alone when it has everything', async () => {
    for (const name of ['team/web:2.0', 'tool:latest']) {
      const args = ['copy', `ocidir://${LIBRARY}/${name}`, at(name)];
      const counts = await outcomes(args);
      expect(counts).toMatchObject({ current: 1 });
      expect(Object.keys(counts).filter((each) => !['current', 'present'].includes(each))).toEqual([]);
      const forced = await outcomes([...args, '--force']);
      expect(forced['streamed'] ?? 0).toBe(0);
    }
  });

  it('mounts what another of its repositories has', async () => {
    const counts = await outcomes(['copy', at('team/web:1.0'), at('team/mounted:1.0')]);
    // Two layers and a config; the manifest, which is no blob there, arrives with its tag.
    expect(counts).toEqual({ mounted: 3, copied: 1 });
    expect(Object.values(await listed(at('team/mounted:1.0')))).toEqual(
      Object.values(await listed(at('team/web:1.0'))),
    );
  });

  it.each([
    { urls: 'refused, as it does unless it is told otherwise', more: [], done: false },
    { urls: 'allowed', more: ["validation: { manifests: { urls: { allow: ['.*'] } } }"], done: true },
  ])('layers that may not be given away, with addresses $urls', async ({ more, done }) => {
    const graph = foreignImage();
    const layout = path(`windows-${String(done)}`);
    const sink = await newLayout(layout);
    await put(sink, graph, { tag: '1' });
    await sink.close();
    const strict = await startDockerRegistry(more);
    if (strict === undefined) throw new Error('it does not start');
    try {
      const { stderr } = await ocl(['copy', `ocidir://${layout}:1`, `${strict.host}/windows:1`]);
      expect(stderr).toContain(done ? 'copied' : 'OCL_MISSING_BLOBS');
      if (!done) return;
      await oclDone(['copy', `${strict.host}/windows:1`, `ocidir://${layout}-back:1`]);
      expect(Object.values(await listed(`${layout}-back`))).toEqual([graph.root.digest]);
      expect((await checked(`${layout}-back`)).damaged).toBe(false);
    } finally {
      await strict.stop();
    }
  });

  it('takes a tag away although it deletes by digest alone, and leaves its siblings', async () => {
    await oclDone(['tag', 'add', at('team/web:1.0'), 'passing']);
    await oclDone(['tag', 'rm', at('team/web:passing')]);
    const { stdout } = await ocl(['tag', 'ls', at('team/web')]);
    expect(stdout.split('\n')).toContain('1.0');
    expect(stdout.split('\n')).not.toContain('passing');
    expect(Object.values(await listed(at('team/web:1.0')))).toHaveLength(1);
  });

  it.skipIf(skopeo.missing)(`takes what skopeo has pushed into archives and layouts${skopeo.note}`, async () => {
    skopeoTakes(`oci:${LIBRARY}/team/web:2.0`, path('dirs', 'source'));
    runSkopeo(
      'copy',
      '--quiet',
      '--all',
      '--preserve-digests',
      '--dest-tls-verify=false',
      `dir:${path('dirs', 'source')}`,
      `docker://${at('by-skopeo:2')}`,
    );
    expect(skopeoDigest(`docker://${at('by-skopeo:2')}`, '--tls-verify=false')).toBe(web.digest);
    await oclDone(['export', at('by-skopeo:2'), at('tool:latest'), '-o', path('by-skopeo.tar')]);
    expect(skopeoDigest(`oci-archive:${path('by-skopeo.tar')}:${at('by-skopeo:2')}`)).toBe(web.digest);
    const { config } = JSON.parse(
      runSkopeo('inspect', '--raw', `docker-archive:${path('by-skopeo.tar')}:${at('tool:latest')}`),
    ) as ManifestJson;
    expect(config.digest).toBe((await manifestOf(at('tool:latest'))).config.digest);
  });

  it('serves as the source of a sync', async () => {
    const config = [
      'version: 1',
      'sync:',
      `  - { source: '${at('team/web')}', target: 'ocidir://${path('synced')}', type: repository, referrers: true, digestTags: true }`,
    ];
    const args = ['sync', '--config', '-', '--json'];
    const summary = async (): Promise<unknown> =>
      jsonLines((await oclDone(args, { stdin: config.join('\n') })).stdout).at(-1);
    expect(await summary()).toMatchObject({ failed: [], current: 0 });
    expect(await referrersOf(`ocidir://${path('synced')}:2.0`)).toEqual([signature?.digest]);
    expect(await checked(path('synced'))).toMatchObject({ damaged: false });
    const before = await readFile(path('synced', 'index.json'), 'utf8');
    expect(await summary()).toMatchObject({ failed: [], copied: 0 });
    expect(await readFile(path('synced', 'index.json'), 'utf8')).toBe(before);
  });
});

function typeOf(referrer: Descriptor): string {
  return (JSON.parse(Buffer.from(content.bytes(referrer)).toString()) as { readonly artifactType: string })
    .artifactType;
}
