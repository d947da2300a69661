import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oclDone } from '../support/cli.ts';
import { startDockerRegistry, whyNoDockerRegistry, type DockerRegistry } from '../support/dockerRegistry.ts';
import { newLayout } from '../support/layoutTools.ts';
import { startServe, type Served } from '../support/processes.ts';
import { entriesOf, makeShop, putRoots, writeLibrary } from '../support/shop.ts';
import {
  checked,
  listed,
  reach,
  referrersOf,
  runSkopeo,
  skopeo,
  skopeoDigest,
  skopeoTakes,
  workspace,
} from './support.ts';

const path = workspace();
const shop = makeShop();
const { content, web, tool, digestTag } = shop;
const older = shop.repositories[0]?.roots[1]?.[0] ?? web;
const [firstChild] = entriesOf(content, web);
const LIBRARY = path('library');

/** The tags that skopeo sees, sorted. */
function tags(repository: string): readonly string[] {
  const answer = runSkopeo('list-tags', '--tls-verify=false', `docker://${repository}`);
  return (JSON.parse(answer) as { readonly Tags: readonly string[] }).Tags.toSorted();
}

function push(from: string, to: string): void {
  runSkopeo('copy', '--quiet', '--all', '--preserve-digests', '--dest-tls-verify=false', from, `docker://${to}`);
}

beforeAll(async () => {
  await mkdir(path('dirs'));
  await writeLibrary(LIBRARY, shop);
  const layout = await newLayout(path('alone'));
  await putRoots(layout, content, [
    [web, { tag: '2.0' }],
    [older, { tag: '1.0' }],
  ]);
  await layout.close();
  await oclDone(['export', LIBRARY, '-o', path('bundle.tar')]);
});

/** Everything that can be served as it lies. */
const PLACES = [
  { what: 'a library', place: LIBRARY, repository: 'team/web' },
  { what: 'a single layout', place: path('alone'), repository: 'alone' },
  { what: 'a layout that is named as such', place: `ocidir://${path('alone')}`, repository: 'alone' },
  { what: 'a bundle', place: path('bundle.tar'), repository: 'team/web' },
];

describe.skipIf(skopeo.missing)(`skopeo pulls from ocl serve${skopeo.note}:`, () => {
  it.each(PLACES)('$what', async ({ what, place, repository }) => {
    const served = await startServe(place, ['--read-only']);
    try {
      const name = `${served.host}/${repository}`;
      expect(tags(name)).toEqual(expect.arrayContaining(['1.0', '2.0']));
      expect(skopeoDigest(`docker://${name}:1.0`, '--tls-verify=false')).toBe(older.digest);
      expect(skopeoDigest(`docker://${name}@${web.digest}`, '--tls-verify=false')).toBe(web.digest);
      const directory = path('dirs', what.replaceAll(' ', '-'));
      const taken = skopeoTakes(`docker://${name}:2.0`, directory, '--src-tls-verify=false');
      expect(taken).toEqual({ root: web.digest, digests: reach(content, web) });
      const denied = skopeo.tries([
        '--insecure-policy',
        'copy',
        '--dest-tls-verify=false',
        `dir:${directory}`,
        `docker://${name}:new`,
      ]);
      expect(denied.status).not.toBe(0);
      expect(tags(name)).not.toContain('new');
    } finally {
      expect(await served.stop()).toBe(0);
    }
  });

  it("a bundle's image of Docker's types, and its signatures in the old way", async () => {
    const served = await startServe(path('bundle.tar'));
    try {
      expect(skopeoDigest(`docker://${served.host}/tool`, '--tls-verify=false')).toBe(tool.digest);
      expect(tags(`${served.host}/team/web`)).toContain(digestTag);
    } finally {
      await served.stop();
    }
  });
});

describe.skipIf(skopeo.missing)(`skopeo pushes to ocl serve${skopeo.note}:`, () => {
  it.each([
    { what: 'an empty library', place: path('empty'), repository: 'deep/er/app', reference: path('empty/deep/er/app') },
    { what: 'a layout', place: path('alone'), repository: 'alone', reference: path('alone') },
  ])('$what', async ({ place, repository, reference }) => {
    await mkdir(path('empty'), { recursive: true });
    const served = await startServe(place);
    const name = `${served.host}/${repository}`;
    try {
      push(`oci:${LIBRARY}/team/web:2.0`, `${name}:multi`);
      push(`oci:${LIBRARY}/team/web:1.0`, `${name}:single`);
      push(`oci:${LIBRARY}/team/web:1.0`, `${name}:moved`);
      push(`oci:${LIBRARY}/team/web:2.0`, `${name}:moved`);
      push(`oci:${LIBRARY}/tool`, `${name}:docker`);
      expect(tags(name)).toEqual(expect.arrayContaining(['docker', 'moved', 'multi', 'single']));
      expect(skopeoDigest(`docker://${name}:moved`, '--tls-verify=false')).toBe(web.digest);
      expect(skopeoDigest(`docker://${name}:docker`, '--tls-verify=false')).toBe(tool.digest);
      // skopeo deletes by digest: every tag of it goes.
      runSkopeo('delete', '--tls-verify=false', `docker://${name}:single`);
      expect(tags(name)).not.toContain('single');
    } finally {
      expect(await served.stop()).toBe(0);
    }
    const names = await listed(`ocidir://${reference}`);
    const base = repository.slice(repository.lastIndexOf('/') + 1);
    expect(names).toMatchObject({
      [`${base}:multi`]: web.digest,
      [`${base}:moved`]: web.digest,
      [`${base}:docker`]: tool.digest,
    });
    expect(names).not.toHaveProperty(`${base}:single`);
    expect(await checked(reference)).toMatchObject({ damaged: false });
    expect(skopeoDigest(`oci:${reference}:multi`)).toBe(web.digest);
  });
});

const why = whyNoDockerRegistry();

describe.skipIf(why !== undefined)(`ocl serve and docker-registry${why === undefined ? '' : ` (${why})`}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    const started = await startDockerRegistry();
    if (started === undefined) throw new Error('it does not start');
    registry = started;
  });
  afterAll(() => registry.stop());

  async function serving(place: string, action: (served: Served) => Promise<void>): Promise<void> {
    const served = await startServe(place);
    try {
      await action(served);
    } finally {
      await served.stop();
    }
  }

  it.each([
    { what: 'a library', place: LIBRARY },
    { what: 'a bundle', place: path('bundle.tar') },
  ])('carry $what there and back, with all that refers to it', async ({ what, place }) => {
    const repository = `${registry.host}/${what.replace(' ', '-')}`;
    await serving(place, async ({ host }) => {
      expect(await referrersOf(`${host}/team/web:2.0`)).toEqual([shop.referrers[0]?.digest]);
      await oclDone(['copy', `${host}/team/web:2.0`, `${repository}:2.0`]);
    });
    await mkdir(path(what, 'back'), { recursive: true });
    await serving(path(what, 'back'), async ({ host }) => {
      await oclDone(['copy', `${repository}:2.0`, `${host}/web:2.0`]);
      expect(await referrersOf(`${host}/web:2.0`)).toEqual([shop.referrers[0]?.digest]);
      expect(await referrersOf(`${host}/web@${firstChild?.digest ?? ''}`)).toEqual([shop.referrers[1]?.digest]);
      expect((await oclDone(['tag', 'ls', `${host}/web`])).stdout.trim().split('\n').toSorted()).toEqual(
        ['2.0', digestTag].toSorted(),
      );
    });
    expect(await checked(path(what, 'back'))).toMatchObject({ damaged: false });
  });

  it.skipIf(skopeo.missing)(`take what skopeo copies between them${skopeo.note}`, async () => {
    await mkdir(path('third'));
    await serving(LIBRARY, async ({ host }) => {
      await serving(path('third'), ({ host: third }) => {
        const between = (from: string, to: string): void =>
          void runSkopeo(
            'copy',
            '--quiet',
            '--all',
            '--preserve-digests',
            '--src-tls-verify=false',
            '--dest-tls-verify=false',
            `docker://${from}`,
            `docker://${to}`,
          );
        between(`${host}/team/web:2.0`, `${registry.host}/between:2`);
        between(`${registry.host}/between:2`, `${third}/x/y:2`);
        between(`${third}/x/y:2`, `${third}/x/z:2`);
        expect(skopeoDigest(`docker://${third}/x/z:2`, '--tls-verify=false')).toBe(web.digest);
        return Promise.resolve();
      });
    });
    expect(await listed(path('third'))).toEqual({ 'x/y:2': web.digest, 'x/z:2': web.digest });
  });
});
