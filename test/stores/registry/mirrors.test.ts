import { afterEach, describe, expect, it } from 'vitest';
import { type OclEvent } from '../../../src/core/events.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { type HostSettings } from '../../../src/stores/registry/hosts.ts';
import { createMemory } from '../../../src/stores/memory/store.ts';
import { createMemoryLibrary } from '../../../src/stores/memory/library.ts';
import { startEmbedded, type Embedded } from '../../support/embedded.ts';
import { bytesIn, digestsIn, image, noise, piece, put, rootBytes, signature } from '../../support/graphs.ts';
import { reply, replyJson, type Handler, type ScriptedServer } from '../../support/scriptedServer.ts';
import { newCopier } from '../../support/worlds.ts';
import { cleanUp, connectTo, listAll, openBytes, readAll, repository, serve, type Side } from './harness.ts';

const registries: Embedded[] = [];
afterEach(async () => {
  await cleanUp();
  for (const registry of registries.splice(0)) await registry.close();
});

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const layer = piece(noise(300_000, 7), LAYER);
const graph = image({ layers: [layer] });
const { root } = graph;
const manifestHeaders = { 'content-type': MEDIA.ociManifest, 'docker-content-digest': root.digest };
const found: Handler = reply(200, { ...manifestHeaders, 'content-length': String(root.size) });
const blobPath = `/v2/app/blobs/${layer.descriptor.digest}`;

/** `app` of an upstream whose mirrors are the others, in their order; none of them retries. */
function chain(upstream: string, mirrors: readonly string[], more: Readonly<Record<string, HostSettings>> = {}): Side {
  const hosts = new Map<string, HostSettings>(Object.entries(more));
  hosts.set(upstream, { ...hosts.get(upstream), mirrors });
  return connectTo({ hosts });
}

function warnings(events: readonly OclEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
}

async function upstreamWith(...names: readonly string[]): Promise<Embedded> {
  const library = createMemoryLibrary();
  const sink = await library.sink('app');
  for (const name of names) await put(sink, graph, name);
  await put(sink, signature(root), {});
  const registry = await startEmbedded(library);
  registries.push(registry);
  return registry;
}

describe('the order of hosts', () => {
  async function three(priorities: readonly (number | undefined)[]): Promise<string> {
    const asked: string[] = [];
    const server = async (name: string): Promise<ScriptedServer> =>
      serve({ 'HEAD /v2/app/manifests/v1': (response, request) => (asked.push(name), reply(404)(response, request)) });
    const [upstream, one, two] = await Promise.all(['upstream', 'one', 'two'].map(server));
    if (upstream === undefined || one === undefined || two === undefined) throw new Error('three were started');
    const settings = [upstream, one, two].map(({ host }, i) => [host, { priority: priorities[i] }] as const);
    const side = chain(upstream.host, [one.host, two.host], Object.fromEntries(settings));
    await expect(repository(side, upstream.host).resolve('v1')).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
      message: expect.stringContaining(upstream.host),
    });
    expect(warnings(side.events)).toEqual([]);
    return asked.join(' ');
  }

  it.each([
    [[undefined, undefined, undefined], 'one two upstream'],
    [[0, 2, 1], 'upstream two one'],
    [[5, 5, 1], 'two one upstream'],
    [[1, 0, 2], 'one upstream two'],
  ])('with the priorities %j is %s', async (priorities, order) => expect(await three(priorities)).toBe(order));
});

describe('a mirror', () => {
  it('gives manifests, contents, tags and referrers, and is told for whom', async () => {
    const mirror = await serve({
      'HEAD /v2/cache/hub/app/manifests/v1': found,
      [`GET /v2/cache/hub/app/manifests/${root.digest}`]: reply(200, manifestHeaders, rootBytes(graph)),
      [`GET /v2/cache/hub/app/blobs/${layer.descriptor.digest}`]: reply(200, {}, layer.bytes),
      'GET /v2/cache/hub/app/tags/list': replyJson(200, { tags: ['v1'] }),
      [`GET /v2/cache/hub/app/referrers/${root.digest}`]: replyJson(200, {
        schemaVersion: 2,
        mediaType: MEDIA.ociIndex,
        manifests: [{ ...root, artifactType: 'a/b' }].map((entry) => ({ ...entry, digest: layer.descriptor.digest })),
      }),
    });
    const upstream = await serve({});
    const side = chain(upstream.host, [mirror.host], { [mirror.host]: { pathPrefix: 'cache/hub' } });
    const app = repository(side, upstream.host);
    expect((await app.resolve('v1')).digest).toBe(root.digest);
    expect(Buffer.from(await bytesIn(app, root))).toEqual(Buffer.from(rootBytes(graph)));
    expect((await readAll(await app.open(layer.descriptor))).equals(layer.bytes)).toBe(true);
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect((await listAll(app.referrers(root))).map(({ digest }) => digest)).toEqual([layer.descriptor.digest]);
    expect(upstream.seen).toEqual([]);
    const ns = `ns=${encodeURIComponent(upstream.host)}`;
    expect(mirror.seen.filter(({ path }) => !path.includes(ns))).toEqual([]);
  });

  it('under another name of the same host is not told', async () => {
    const server = await serve({ 'HEAD /v2/copy/app/manifests/v1': found });
    const side = chain(server.host, ['other.example'], {
      'other.example': { hostname: server.host, pathPrefix: 'copy', tls: 'disabled' },
    });
    await repository(side, server.host).resolve('v1');
    expect(server.seen.map(({ path }) => path)).toEqual(['/v2/copy/app/manifests/v1']);
  });

  it('is never asked for what is written, deleted or listed of a whole registry', async () => {
    const mirror = await serve({});
    const { host } = await upstreamWith('v1');
    const side = chain(host, [mirror.host]);
    const app = repository(side, host);
    await app.put(layer.descriptor, openBytes(layer.bytes));
    await app.tag(root, { tag: 'v2' }, openBytes(rootBytes(graph)));
    expect(await app.has(root)).toBe(true);
    expect((await app.find('v2'))?.digest).toBe(root.digest);
    expect(await app.untag('v2')).toBe(true);
    expect(await listAll(side.registries.catalog(host))).toEqual(['app']);
    expect(mirror.seen).toEqual([]);
  });

  it.each<[string, Handler, boolean]>([
    ['lacks it', reply(404), false],
    ['asks for a login', reply(401), true],
    ['says no', reply(403), true],
    ['fails', reply(500), true],
    ['answers nonsense', reply(418), true],
    ['breaks off', (response) => response.socket?.destroy() as never, true],
  ])('that %s is passed over', async (_why, handler, told) => {
    const mirror = await serve({ 'HEAD /v2/app/manifests/v1': handler });
    const { host } = await upstreamWith('v1');
    const side = chain(host, [mirror.host]);
    const app = repository(side, host);
    for (let i = 0; i < 3; i++) expect((await app.resolve('v1')).digest).toBe(root.digest);
    expect(
      warnings(side.events).filter((line) => line.includes(`the mirror ${mirror.host} is passed over`)),
    ).toHaveLength(told ? 1 : 0);
  });

  it('that failed rests for half a minute, and is asked again then', async () => {
    const mirror = await serve({ 'HEAD /v2/app/manifests/v1': [reply(503), reply(503), found] });
    const { host } = await upstreamWith('v1');
    const side = chain(host, [mirror.host]);
    const app = repository(side, host);
    for (let i = 0; i < 20; i++) await app.resolve('v1');
    expect(mirror.seen).toHaveLength(2);
    side.clock.advance(30_000);
    await app.resolve('v1');
    expect(mirror.seen).toHaveLength(3);
  });

  it('that rests is still there when the registry fails', async () => {
    const mirror = await serve({ 'HEAD /v2/app/manifests/v1': [reply(503), reply(503), found] });
    const upstream = await serve({ 'HEAD /v2/app/manifests/v1': reply(404) });
    const side = chain(upstream.host, [mirror.host]);
    const app = repository(side, upstream.host);
    await expect(app.resolve('v1')).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
    expect((await app.resolve('v1')).digest).toBe(root.digest);
  });

  it('does not decide alone that there are no referrers or tags', async () => {
    const mirror = await serve({ 'GET /v2/app/tags/list': replyJson(200, { tags: null }) });
    const { host } = await upstreamWith('v1');
    const app = repository(chain(host, [mirror.host]), host);
    expect(await listAll(app.referrers(root))).toHaveLength(1);
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(mirror.calls()).toContain(`GET /v2/app/referrers/${root.digest}`);
  });

  it('that breaks off in a content is taken up where it stood', async () => {
    const half = layer.bytes.subarray(0, 100_000);
    let cut = (): void => {};
    const mirror = await serve({
      [`GET ${blobPath}`]: [
        (response) => {
          response.writeHead(200, { 'content-length': String(layer.bytes.length) });
          response.write(half);
          cut = () => response.socket?.destroy();
        },
        reply(500),
      ],
    });
    const upstream = await serve({
      [`GET ${blobPath}`]: reply(
        206,
        { 'content-range': `bytes ${half.length}-${layer.bytes.length - 1}/${layer.bytes.length}` },
        layer.bytes.subarray(half.length),
      ),
    });
    const side = chain(upstream.host, [mirror.host]);
    const pieces: Uint8Array[] = [];
    for await (const piece of (await repository(side, upstream.host).open(
      layer.descriptor,
    )) as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      if (Buffer.concat(pieces).length === half.length) cut();
    }
    expect(Buffer.concat(pieces).equals(layer.bytes)).toBe(true);
    expect(upstream.seen.map(({ headers }) => headers.range)).toEqual([`bytes=${half.length}-`]);
    expect(warnings(side.events)).toContainEqual(expect.stringContaining('passed over'));
  });

  it('that breaks off in a list is taken up with what was not told yet', async () => {
    const mirror = await serve({
      'GET /v2/app/tags/list': [
        replyJson(200, { tags: ['v0', 'v1'] }, { link: '</v2/app/tags/list?last=v1>; rel="next"' }),
        reply(500),
      ],
    });
    const upstream = await serve({ 'GET /v2/app/tags/list': replyJson(200, { tags: ['v1', 'v2'] }) });
    const app = repository(chain(upstream.host, [mirror.host]), upstream.host);
    expect(await listAll(app.tags())).toEqual(['v0', 'v1', 'v2']);
  });

  it('has its own limit of transfers at a time', async () => {
    let inside = 0;
    let most = 0;
    const mirror = await serve({
      [`GET ${blobPath}`]: async (response, request) => {
        most = Math.max(most, ++inside);
        // Time enough for the others, if they were let in.
        for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setImmediate(resolve));
        inside--;
        await reply(200, {}, layer.bytes)(response, request);
      },
    });
    const { host } = await upstreamWith('v1');
    const app = repository(chain(host, [mirror.host], { [mirror.host]: { concurrency: 1 } }), host);
    await Promise.all(Array.from({ length: 5 }, async () => readAll(await app.open(layer.descriptor))));
    expect(most).toBe(1);
    expect(mirror.seen).toHaveLength(5);
  });
});

describe('wrong bytes of a mirror', () => {
  const wrong = Buffer.from(layer.bytes);
  wrong[1000] = (wrong[1000] ?? 0) ^ 1;

  it('in a document are fetched from the next host', async () => {
    const bad = Buffer.from(rootBytes(graph));
    bad[bad.length - 2] = 0x20;
    const path = `GET /v2/app/manifests/${root.digest}`;
    const mirror = await serve({ [path]: reply(200, manifestHeaders, bad) });
    const { host } = await upstreamWith('v1');
    const side = chain(host, [mirror.host]);
    expect(Buffer.from(await bytesIn(repository(side, host), root))).toEqual(Buffer.from(rootBytes(graph)));
    expect(mirror.calls()).toEqual([path]);
    expect(warnings(side.events)).toHaveLength(1);
  });

  it('in a content are noticed where it is stored, and fetched from the next host', async () => {
    const mirror = await serve({ [`GET ${blobPath}`]: reply(200, {}, wrong) });
    const { host } = await upstreamWith('v1');
    const side = chain(host, [mirror.host]);
    const from = repository(side, host);
    const to = createMemory();
    await newCopier(4).copy({ from, to, root, name: { tag: 'v1' }, image: 'app:v1' });
    await to.commit();
    expect(await digestsIn(to)).toContain(layer.descriptor.digest);
    expect(mirror.calls().filter((call) => call === `GET ${blobPath}`)).toHaveLength(1);
    expect(warnings(side.events)).toContainEqual(expect.stringContaining('not what its digest promises'));
  });

  it('that the registry gives too are an error', async () => {
    const script = { [`GET ${blobPath}`]: reply(200, {}, wrong) };
    const [mirror, upstream] = [await serve(script), await serve(script)];
    const from = repository(chain(upstream.host, [mirror.host]), upstream.host);
    const to = createMemory();
    for (const { descriptor, bytes } of graph.pieces.slice(1)) await to.put(descriptor, openBytes(bytes));
    const copied = newCopier(4).copy({ from, to, root, name: { tag: 'v1' }, image: 'app:v1' });
    await expect(copied).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH', side: 'source' });
    expect([mirror.calls().length, upstream.calls().length]).toEqual([1, 1]);
  });
});
