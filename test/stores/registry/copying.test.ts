import { afterEach, describe, expect, it } from 'vitest';
import { Copier } from '../../../src/copy/copier.ts';
import { type CopyRequest } from '../../../src/copy/request.ts';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { silent, type Emit, type OclEvent } from '../../../src/core/events.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { type Http } from '../../../src/io/httpMessages.ts';
import { createHttp } from '../../../src/io/http.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { createMemoryLibrary } from '../../../src/stores/memory/library.ts';
import { createMemory, type MemoryStore } from '../../../src/stores/memory/store.ts';
import { startEmbedded } from '../../support/embedded.ts';
import { image, multiPlatform, piece, put, signature, type Graph } from '../../support/graphs.ts';
import { reply, type Handler } from '../../support/scriptedServer.ts';
import { bare, cleanUp, connectTo, repository, scripted, type Side } from './harness.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await cleanUp();
  for (const end of ends.splice(0)) await end();
});

interface World {
  readonly host: string;
  readonly side: Side;
  /** `METHOD path?query` of all requests since the last look. */
  readonly seen: () => readonly string[];
}

/** The embedded registry, and a client whose requests are written down. */
async function embedded(): Promise<World> {
  const registry = await startEmbedded(createMemoryLibrary());
  const inner = createHttp({ userAgent: 'ocl-test', timeouts: { connect: 5000, headers: 5000, idle: 5000 } });
  const seen: string[] = [];
  const http: Http = {
    request(request) {
      seen.push(`${request.method} ${request.url.pathname.replace('/v2/', '')}${request.url.search}`);
      return inner.request(request);
    },
    close: () => inner.close(),
  };
  ends.push(
    () => inner.close(),
    () => registry.close(),
  );
  return { host: registry.host, side: connectTo({ http }), seen: () => seen.splice(0) };
}

async function holding(...graphs: readonly Graph[]): Promise<MemoryStore> {
  const store = createMemory();
  for (const [i, graph] of graphs.entries()) await put(store, graph, `v${i + 1}`);
  await store.commit();
  return store;
}

async function copy(request: Omit<CopyRequest, 'image'>, emit: Emit = silent): Promise<void> {
  await new Copier({ clock: connectTo().clock, emit }).copy({ image: 'it', ...request });
}

const writes = (seen: readonly string[]): readonly string[] => seen.filter((call) => !/^(?:GET|HEAD) /.test(call));

describe('a second tag in the same repository', () => {
  it.each<[string, Graph]>([
    ['an image', image()],
    ['an image of several platforms', multiPlatform()],
  ])('of %s is one PUT, and nothing else is written', async (_name, graph) => {
    const { host, side, seen } = await embedded();
    const [from, to] = [repository(side, host), repository(side, host)];
    await copy({ from: await holding(graph), to, root: graph.root, name: { tag: 'v1' } });
    seen();
    await copy({ from, to, root: await from.resolve('v1'), name: { tag: 'v2' } });
    const calls = seen();
    expect(writes(calls)).toEqual(['PUT app/manifests/v2']);
    expect(calls.filter((call) => call.includes('/blobs/'))).toEqual([]);
  });
});

describe('layers that a registry has in another repository', () => {
  const base = piece('a base that many share', MEDIA.ociLayerGzip);
  const [one, two] = ['one', 'two'].map((name) =>
    image({ name, layers: [base, piece(`of ${name}`, MEDIA.ociLayerGzip)] }),
  ) as [Graph, Graph];

  it('are mounted, although the image comes from a layout', async () => {
    const { host, side, seen } = await embedded();
    const from = await holding(one, two);
    await copy({ from, to: repository(side, host, 'one'), root: one.root, name: { tag: 'v1' } });
    seen();
    await copy({ from, to: repository(side, host, 'two'), root: two.root, name: { tag: 'v1' } });
    const calls = writes(seen());
    const mount = `POST two/blobs/uploads/?mount=${encodeURIComponent(base.descriptor.digest)}&from=one`;
    expect(calls).toContain(mount);
    // The config and the layer of its own are sent.
    expect(calls.filter((call) => call.startsWith('PUT two/blobs/uploads/'))).toHaveLength(2);
  });

  it('are mounted from where the image lies, when that is the same registry', async () => {
    const { host, side, seen } = await embedded();
    await copy({ from: await holding(one), to: repository(side, host, 'one'), root: one.root, name: { tag: 'v1' } });
    seen();
    const from = repository(side, host, 'one');
    await copy({ from, to: repository(side, host, 'copy'), root: one.root, name: { tag: 'v1' } });
    const calls = writes(seen());
    expect(calls.filter((call) => call.includes('?mount='))).toHaveLength(3);
    expect(calls.filter((call) => call.startsWith('PUT'))).toEqual(['PUT copy/manifests/v1']);
  });
});

describe('what a registry says of a document must fit', () => {
  const config = bare(describeBytes(Buffer.from('{}'), MEDIA.ociConfig));
  const untyped = { schemaVersion: 2 };
  const document = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

  /** Copies `v1` of a registry that gives `type` to these bytes. */
  async function pull(bytes: Buffer, type: string): Promise<void> {
    const { digest } = describeBytes(bytes, type);
    const answer: Handler = reply(200, { 'content-type': type, 'docker-content-digest': digest }, bytes);
    const { app } = await scripted({
      'HEAD /v2/app/manifests/v1': answer,
      [`GET /v2/app/manifests/${digest}`]: answer,
    });
    await copy({ from: app, to: createMemory(), root: await app.resolve('v1'), name: { tag: 'v1' } });
  }

  it.each<[string, unknown, string, string]>([
    [
      'an image that is announced as an index',
      { ...untyped, config, layers: [] },
      MEDIA.ociIndex,
      'OCL_DOCUMENT_INVALID',
    ],
    [
      'an index that is announced as an image',
      { ...untyped, manifests: [] },
      MEDIA.ociManifest,
      'OCL_DOCUMENT_INVALID',
    ],
    ['both in one', { ...untyped, config, layers: [], manifests: [] }, MEDIA.ociManifest, 'OCL_DOCUMENT_INVALID'],
    [
      'another type within',
      { ...untyped, mediaType: MEDIA.dockerManifest, config, layers: [] },
      MEDIA.ociManifest,
      'OCL_DOCUMENT_INVALID',
    ],
    ['a schema 1 manifest', { schemaVersion: 1, fsLayers: [] }, MEDIA.dockerManifestV1Signed, 'OCL_UNSUPPORTED'],
  ])('%s is refused', async (_name, value, type, code) => {
    await expect(pull(document(value), type)).rejects.toMatchObject({ code, side: 'source' });
  });

  it('schema 1 comes with what to do', async () => {
    await expect(pull(document({ schemaVersion: 1, fsLayers: [] }), MEDIA.dockerManifestV1)).rejects.toMatchObject({
      hint: expect.stringContaining('push the image again with a current tool'),
    });
  });

  it('a size or a digest that lies is found', async () => {
    const bytes = document({ ...untyped, config, layers: [] });
    const { digest } = describeBytes(bytes, MEDIA.ociManifest);
    const headers = { 'content-type': MEDIA.ociManifest, 'docker-content-digest': digest };
    const lies: readonly (readonly [Handler, string])[] = [
      [reply(200, headers, Buffer.concat([bytes, Buffer.from(' ')])), 'OCL_SIZE_MISMATCH'],
      [reply(200, headers, Buffer.from(bytes.toString().replace('2', '3'))), 'OCL_DIGEST_MISMATCH'],
    ];
    for (const [lie, code] of lies) {
      const { app } = await scripted({
        'HEAD /v2/app/manifests/v1': reply(200, headers, bytes),
        [`GET /v2/app/manifests/${digest}`]: lie,
      });
      await expect(
        copy({ from: app, to: createMemory(), root: await app.resolve('v1'), name: { tag: 'v1' } }),
      ).rejects.toMatchObject({ code });
    }
  });
});

it('a referrer that refers to something else is left out, and that is told', async () => {
  const subject = image();
  const [honest, liar] = [signature(subject.root, 'honest'), signature(image({ name: 'other' }).root, 'liar')];
  const script: Record<string, Handler> = {};
  for (const { descriptor, bytes } of [subject, honest, liar].flatMap(({ pieces }) => pieces)) {
    const answer = reply(
      200,
      { 'content-type': descriptor.mediaType, 'docker-content-digest': descriptor.digest },
      Buffer.from(bytes),
    );
    script[`GET /v2/app/manifests/${descriptor.digest}`] = answer;
    script[`GET /v2/app/blobs/${descriptor.digest}`] = answer;
  }
  const list = (entries: readonly Descriptor[]): Handler =>
    reply(
      200,
      { 'content-type': MEDIA.ociIndex },
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries.map(bare) }),
    );
  for (const { root } of [honest, liar]) script[`GET /v2/app/referrers/${root.digest}`] = list([]);
  script[`GET /v2/app/referrers/${subject.root.digest}`] = list([honest.root, liar.root]);
  const { app } = await scripted(script);
  const to = createMemory();
  const events: OclEvent[] = [];
  const request = { from: app, to, root: subject.root, name: { tag: 'v1' }, select: { referrers: true } };
  await copy(request, (event) => events.push(event));
  expect(await to.size(honest.root.digest)).toBeGreaterThan(0);
  expect(await to.size(liar.root.digest)).toBeUndefined();
  expect(events).toContainEqual(
    expect.objectContaining({
      type: 'notice',
      message: expect.stringContaining(`lists ${liar.root.digest} as a referrer`),
    }),
  );
});
