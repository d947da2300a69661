import { afterEach, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../../src/core/descriptor.ts';
import { type Digest } from '../../../../src/core/digest.ts';
import { OclError } from '../../../../src/core/errors.ts';
import { MEDIA } from '../../../../src/core/mediaTypes.ts';
import { type Place } from '../../../../src/core/store.ts';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { Holders } from '../../../../src/stores/registry/holders.ts';
import { type RegistryStore } from '../../../../src/stores/registry/repository.ts';
import { fakeClock } from '../../../support/fakeClock.ts';
import { reply, replyJson, type Handler, type ScriptedServer } from '../../../support/scriptedServer.ts';
import { bare, cleanUp, connectTo, openBytes, readAll, repository, serve, type Side } from '../harness.ts';

afterEach(cleanUp);

const content = Buffer.from('a layer');
const blob = describeBytes(content, MEDIA.ociLayer);
const config = describeBytes(Buffer.from('{}'), MEDIA.ociConfig);
const foreign = { ...describeBytes(Buffer.from('far'), MEDIA.dockerForeignLayerGzip), urls: ['https://x.example/'] };
const bytes = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [bare(blob), foreign] }),
);
const image = describeBytes(bytes, MEDIA.ociManifest);

/** Not of a registry: a layout, an archive. */
const file: Place = { kind: 'file', path: '/layout/blobs/sha256/abc' };
const uploads = 'POST /v2/app/blobs/uploads/';
const mounted: Handler = reply(201, { location: '/v2/app/blobs/x' });
const declined: Handler = reply(202, { location: '/up/1' });

interface World extends Side {
  readonly server: ScriptedServer;
  readonly app: RegistryStore;
  readonly base: RegistryStore;
  /** The queries of mounts that were asked for. */
  readonly mounts: () => readonly string[];
}

async function world(script: Parameters<typeof serve>[0]): Promise<World> {
  const server = await serve(script);
  const side = connectTo();
  const mounts = (): readonly string[] =>
    server.seen.filter(({ path }) => path.includes('mount=')).map(({ path }) => new URL(path, server.url).search);
  return { ...side, server, app: repository(side, server.host), base: repository(side, server.host, 'base'), mounts };
}

const asked = ({ digest }: Descriptor, from: string): string => `?mount=${encodeURIComponent(digest)}&from=${from}`;

describe('a blob that another repository of the registry is known to have is mounted', () => {
  it.each<[string, Parameters<typeof serve>[0], (side: World) => Promise<unknown>]>([
    ['it was found there', { [`HEAD /v2/base/blobs/${blob.digest}`]: reply(200) }, ({ base }) => base.has(blob)],
    [
      'it was sent there',
      { 'POST /v2/base/blobs/uploads/': reply(202, { location: '/up/2' }), 'PUT /up/2': reply(201) },
      ({ base }) => base.put(blob, openBytes(content)),
    ],
    [
      'it was mounted there',
      { 'POST /v2/base/blobs/uploads/': mounted },
      ({ base, server }) => base.adopt(blob, { kind: 'repository', registry: server.host, repository: 'first' }),
    ],
    [
      'a manifest with it was stored there',
      { [`PUT /v2/base/manifests/${image.digest}`]: reply(201) },
      ({ base }) => base.put(image, openBytes(bytes)),
    ],
    [
      'a manifest with it was read there',
      { [`GET /v2/base/manifests/${image.digest}`]: reply(200, { 'content-type': MEDIA.ociManifest }, bytes) },
      async ({ base }) => readAll(await base.open(image)),
    ],
  ])('since %s', async (_name, script, learn) => {
    const side = await world({ ...script, [uploads]: mounted });
    const { app, mounts, server } = side;
    await learn(side);
    const before = server.seen.length;
    expect(await app.adopt(blob, file)).toBe('mounted');
    expect(server.seen).toHaveLength(before + 1);
    expect(mounts().at(-1)).toBe(asked(blob, 'base'));
  });

  it('but not a layer that lies elsewhere, a manifest, or what nobody has', async () => {
    const { app, base, server } = await world({ [`PUT /v2/base/manifests/${image.digest}`]: reply(201) });
    await base.put(image, openBytes(bytes));
    const before = server.seen.length;
    for (const nothing of [foreign, image, describeBytes(Buffer.from('never seen'), MEDIA.ociLayer)])
      expect(await app.adopt(nothing, file)).toBeUndefined();
    expect(server.seen).toHaveLength(before);
  });

  it('not from where it is gone', async () => {
    const { app, base, mounts } = await world({ [`HEAD /v2/base/blobs/${blob.digest}`]: [reply(200), reply(404)] });
    await base.has(blob);
    await base.has(blob);
    expect(await app.adopt(blob, file)).toBeUndefined();
    expect(mounts()).toEqual([]);
  });
});

describe('a mount', () => {
  const known = { [`HEAD /v2/base/blobs/${blob.digest}`]: reply(200) };

  it('that is declined goes on with the session that it opened', async () => {
    const { app, base, server } = await world({ ...known, [uploads]: declined, 'PUT /up/1': reply(201) });
    await base.has(blob);
    expect(await app.adopt(blob, file)).toBeUndefined();
    await app.put(blob, openBytes(content));
    expect(server.calls()).toEqual([`HEAD /v2/base/blobs/${blob.digest}`, uploads, 'PUT /up/1']);
    expect(server.seen.at(-1)?.body.equals(content)).toBe(true);
  });

  it.each<[string, Handler]>([
    ['a failure of the registry', reply(500)],
    ['too many requests', reply(429, { 'retry-after': '30' })],
    ['a refusal', replyJson(403, { errors: [{ code: 'DENIED' }] })],
    ['a broken connection', (response) => void response.socket?.resetAndDestroy()],
    ['no address', reply(202)],
    ['an address inside', reply(202, { location: 'ftp://x/' })],
  ])('that ends in %s is tried once, and fails nothing', async (_name, handler) => {
    const { app, base, mounts } = await world({ ...known, [uploads]: [handler, declined], 'PUT /up/1': reply(201) });
    await base.has(blob);
    expect(await app.adopt(blob, file)).toBeUndefined();
    expect(mounts()).toHaveLength(1);
    await app.put(blob, openBytes(content));
  });

  it('is not asked for again for an hour once three were declined in a row', async () => {
    const blobs = Array.from({ length: 5 }, (_, i) => describeBytes(Buffer.from(`layer ${i}`), MEDIA.ociLayer));
    const { app, mounts, server, clock } = await world({ [uploads]: declined });
    const at: Place = { kind: 'repository', registry: server.host, repository: 'base' };
    for (const one of blobs) expect(await app.adopt(one, at)).toBeUndefined();
    expect(mounts()).toHaveLength(3);
    clock.advance(3_600_000);
    for (const one of blobs) expect(await app.adopt(one, at)).toBeUndefined();
    expect(mounts()).toHaveLength(4);
  });

  it('that succeeds makes up for those that were declined', async () => {
    const { app, mounts, server } = await world({ [uploads]: [declined, declined, mounted, declined] });
    const at: Place = { kind: 'repository', registry: server.host, repository: 'base' };
    for (let i = 0; i < 8; i++) await app.adopt(describeBytes(Buffer.from(`layer ${i}`), MEDIA.ociLayer), at);
    expect(mounts()).toHaveLength(6);
  });

  it('of a run that was stopped does not go on', async () => {
    const stop = new AbortController();
    const server = await serve({ [uploads]: () => stop.abort(new OclError('OCL_CANCELLED', 'Stopped by hand')) });
    const app = repository(connectTo({ signal: stop.signal }), server.host);
    await expect(
      app.adopt(blob, { kind: 'repository', registry: server.host, repository: 'base' }),
    ).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
  });
});

describe('the memory of who has what', () => {
  const digest = (i: number): Digest => `sha256:${String(i).padStart(64, '0')}`;

  it('forgets the oldest', () => {
    const holders = new Holders(fakeClock(), 3);
    for (const i of [1, 2, 3, 1, 4]) holders.add(digest(i), 'a');
    expect([1, 2, 3, 4].map((i) => holders.find(digest(i), 'b'))).toEqual(['a', undefined, 'a', 'a']);
  });

  it('gives the latest other repository', () => {
    const holders = new Holders(fakeClock());
    for (const name of ['a', 'b', 'c', 'd', 'e', 'b']) holders.add(digest(1), name);
    expect(holders.find(digest(1), 'x')).toBe('b');
    expect(holders.find(digest(1), 'b')).toBe('e');
    for (const name of ['b', 'e', 'd', 'c']) holders.forget(digest(1), name);
    expect(holders.find(digest(1), 'x')).toBeUndefined();
  });
});
