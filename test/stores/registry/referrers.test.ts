import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_BLOB, type Descriptor } from '../../../src/core/descriptor.ts';
import { referrersTag } from '../../../src/core/digest.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes, digestOf } from '../../../src/io/verify.ts';
import { type RegistryStore } from '../../../src/stores/registry/repository.ts';
import { reply, replyJson, type Handler, type Seen } from '../../support/scriptedServer.ts';
import { bare, cleanUp, connectTo, listAll, openBytes, repository, scripted, serve } from './harness.ts';

afterEach(cleanUp);

const config = { ...EMPTY_BLOB.descriptor };
const image = describeBytes(Buffer.from('{"an":"image"}'), MEDIA.ociManifest);
const other = describeBytes(Buffer.from('{"another":"image"}'), MEDIA.ociManifest);
const entry = { ...bare(describeBytes(Buffer.from('{"a":"signature"}'), MEDIA.ociManifest)), artifactType: 'test/sig' };
const api = (subject: Descriptor): string => `GET /v2/app/referrers/${subject.digest}`;
const tag = (subject: Descriptor): string => `/v2/app/manifests/${referrersTag(subject.digest)}`;
const list = (entries: unknown, headers: Record<string, string> = {}): Handler =>
  reply(
    200,
    { 'content-type': MEDIA.ociIndex, ...headers },
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries }),
  );
const said = (status: number, code: string): Handler => replyJson(status, { errors: [{ code }] });
const count = (calls: readonly string[], call: string): number => calls.filter((one) => one === call).length;

describe('what may pass is no absence of referrers', () => {
  it.each<[string, Handler, string]>([
    ['too many requests', reply(429, { 'retry-after': '1' }), 'OCL_RATE_LIMITED'],
    ['500', reply(500), 'OCL_REGISTRY'],
    ['500 that is explained', said(500, 'MANIFEST_UNKNOWN'), 'OCL_REGISTRY'],
    ['502 of a gateway', reply(502, {}, '<html><title>Bad Gateway</title></html>'), 'OCL_REGISTRY'],
    ['503', reply(503), 'OCL_REGISTRY'],
    ['504', reply(504), 'OCL_REGISTRY'],
    ['401', reply(401), 'OCL_UNAUTHORIZED'],
    ['a connection that breaks', (response) => void response.socket?.resetAndDestroy(), 'OCL_UNREACHABLE'],
    [
      'a list that breaks off',
      reply(200, { 'content-type': MEDIA.ociIndex }, '{"schemaVersion":2,"manifests":['),
      'OCL_DOCUMENT_INVALID',
    ],
    ['an index that is none', reply(200, { 'content-type': MEDIA.ociIndex }, '{}'), 'OCL_REGISTRY'],
  ])('%s', async (_name, handler, code) => {
    const { app, server } = await scripted({ [api(image)]: handler, [`GET ${tag(image)}`]: list([entry]) });
    await expect(listAll(app.referrers(image))).rejects.toMatchObject({ code });
    expect(server.calls()).not.toContain(`GET ${tag(image)}`);
  });

  it('and costs one more try where it passed', async () => {
    const { app } = await scripted({ [api(image)]: [reply(503), reply(429), list([entry])] });
    expect(await listAll(app.referrers(image))).toEqual([entry]);
  });

  it.each<[string, Handler]>([
    ['405', reply(405)],
    ['501', reply(501)],
    ['403', reply(403)],
    ['a web page', reply(200, { 'content-type': 'text/html' }, '<html>')],
    ['another answer', replyJson(200, { hello: 'world' })],
  ])('nor is %s where the API was there before', async (_name, handler) => {
    const { app } = await scripted({
      [api(image)]: list([]),
      [api(other)]: handler,
      [`GET ${tag(other)}`]: list([]),
    });
    expect(await listAll(app.referrers(image))).toEqual([]);
    await expect(listAll(app.referrers(other))).rejects.toThrow(/Cannot/);
  });

  it('nor is a later page that is no list', async () => {
    const next = { link: `</v2/app/referrers/${image.digest}?page=2>; rel="next"` };
    const { app } = await scripted({ [api(image)]: [list([entry], next), replyJson(200, {})] });
    await expect(listAll(app.referrers(image))).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
  });
});

describe('the absence of the API', () => {
  it.each([404, 405, 501])('is remembered for the repository, when it is said by %i', async (status) => {
    const { app, server } = await scripted({ [api(image)]: reply(status), [api(other)]: list([entry]) });
    expect(await listAll(app.referrers(image))).toEqual([]);
    expect(await listAll(app.referrers(other))).toEqual([]);
    expect(server.calls()).toEqual([api(image), `GET ${tag(image)}`, `GET ${tag(other)}`]);
  });

  it('is asked again after an hour', async () => {
    const { app, clock } = await scripted({ [api(image)]: [reply(404), list([entry])] });
    expect(await listAll(app.referrers(image))).toEqual([]);
    clock.advance(61 * 60_000);
    expect(await listAll(app.referrers(image))).toEqual([entry]);
  });

  it.each<[string, Handler]>([
    ['an unknown manifest', said(404, 'MANIFEST_UNKNOWN')],
    ['an unknown repository', said(404, 'NAME_UNKNOWN')],
    ["Quay's unknown subject", said(400, 'MANIFEST_INVALID')],
    ['a refusal', reply(403)],
    ['a web page', reply(200, { 'content-type': 'text/html' }, '<html>')],
  ])('is not learnt from %s', async (_name, handler) => {
    const { app } = await scripted({ [api(image)]: handler, [api(other)]: list([entry]) });
    expect(await listAll(app.referrers(image))).toEqual([]);
    expect(await listAll(app.referrers(other))).toEqual([entry]);
  });

  it('is one for all repositories where the registry is known to have none', async () => {
    const signs = { 'gitlab-container-registry-version': 'v4' };
    const server = await serve({ [api(image)]: reply(404, signs) });
    const side = connectTo();
    await listAll(repository(side, server.host, 'app').referrers(image));
    await listAll(repository(side, server.host, 'second').referrers(image));
    expect(server.calls().filter((call) => call.includes('/referrers/'))).toEqual([api(image)]);
  });

  it('does not hide what Quay says of one subject where others have some', async () => {
    const { app } = await scripted({ [api(image)]: list([entry]), [api(other)]: said(400, 'MANIFEST_INVALID') });
    expect(await listAll(app.referrers(image))).toEqual([entry]);
    expect(await listAll(app.referrers(other))).toEqual([]);
  });
});

it('an empty answer of the API counts: a registry takes over what the tag lists (spec oci.md 2.6)', async () => {
  const { app, server } = await scripted({ [api(image)]: list([]), [`GET ${tag(image)}`]: list([entry]) });
  expect(await listAll(app.referrers(image))).toEqual([]);
  expect(server.calls()).toEqual([api(image)]);
});

it('a filter of the registry is not relied on: nothing is filtered there', async () => {
  const { app, server } = await scripted({ [api(image)]: list([entry], { 'oci-filters-applied': 'artifactType' }) });
  expect(await listAll(app.referrers(image))).toEqual([entry]);
  expect(server.seen[0]?.path).not.toContain('?');
});

/** A signature like no other. */
function signature(by: string): { readonly descriptor: Descriptor; readonly bytes: Buffer } {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType: 'test/sig',
      config,
      layers: [],
      subject: bare(image),
      annotations: { by },
    }),
  );
  return { descriptor: describeBytes(bytes, MEDIA.ociManifest), bytes };
}

/** A registry without the API that keeps one tag; `conditional`: it holds writes against their conditions. */
function keeper(
  conditional: boolean,
  more: readonly string[],
): {
  readonly script: Record<string, Handler>;
  readonly listed: () => readonly string[];
  readonly overwrite: (entries: readonly Descriptor[]) => void;
} {
  let index: Buffer | undefined;
  const etag = (): string => (index === undefined ? '' : `"${digestOf(index)}"`);
  const head = (): Record<string, string> =>
    index === undefined
      ? {}
      : {
          'content-type': MEDIA.ociIndex,
          'docker-content-digest': digestOf(index),
          'content-length': String(index.length),
          ...(conditional ? { etag: etag() } : {}),
        };
  const read: Handler = (response, request) =>
    (index === undefined ? reply(404) : reply(200, head(), index))(response, request);
  const holds = ({ headers }: Seen): boolean => {
    if (headers['if-match'] !== undefined) return headers['if-match'] === etag();
    return headers['if-none-match'] === undefined || index === undefined;
  };
  const script: Record<string, Handler> = {
    [`GET ${tag(image)}`]: read,
    [`HEAD ${tag(image)}`]: read,
    [`PUT ${tag(image)}`]: (response, request) => {
      if (conditional && !holds(request)) return reply(412)(response, request);
      index = request.body;
      return reply(201)(response, request);
    },
  };
  for (const digest of more) script[`PUT /v2/app/manifests/${digest}`] = reply(201);
  const listed = (): readonly string[] =>
    index === undefined
      ? []
      : (JSON.parse(index.toString()) as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest);
  const overwrite = (entries: readonly Descriptor[]): void => {
    index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries.map(bare) }));
  };
  return { script, listed, overwrite };
}

describe('two clients that list referrers at the same time', () => {
  const many = Array.from({ length: 12 }, (_, i) => signature(`client ${i}`));
  const digests = many.map(({ descriptor }) => descriptor.digest);

  async function putAll(stores: readonly RegistryStore[]): Promise<void> {
    await Promise.all(
      many.map(async ({ descriptor, bytes }, i) => {
        await stores[i % stores.length]?.put(descriptor, openBytes(bytes));
      }),
    );
  }

  it('lose nothing where the registry holds writes against their conditions', async () => {
    const { script, listed } = keeper(true, digests);
    const server = await serve(script);
    await putAll([repository(connectTo(), server.host), repository(connectTo(), server.host)]);
    expect(listed().toSorted()).toEqual(digests.toSorted());
    expect(server.seen.some(({ headers }) => headers['if-match'] !== undefined)).toBe(true);
  });

  it('see elsewhere what the other one overwrote, and add it again', async () => {
    const [mine, theirs] = [signature('me'), signature('them')];
    const { script, listed, overwrite } = keeper(false, [mine.descriptor.digest, theirs.descriptor.digest]);
    let isOverwritten = false;
    const { app } = await scripted({
      ...script,
      [`HEAD ${tag(image)}`]: (response, request) => {
        // The other one had read before this one wrote.
        if (!isOverwritten) overwrite([theirs.descriptor]);
        isOverwritten = true;
        return script[`GET ${tag(image)}`]?.(response, request);
      },
    });
    await app.put(mine.descriptor, openBytes(mine.bytes));
    expect(listed().toSorted()).toEqual([mine.descriptor.digest, theirs.descriptor.digest].toSorted());
  });

  it('give up where others never stop', async () => {
    const mine = signature('me');
    const { script } = keeper(true, [mine.descriptor.digest]);
    const server = await serve({ ...script, [`PUT ${tag(image)}`]: reply(412) });
    await expect(
      repository(connectTo(), server.host).put(mine.descriptor, openBytes(mine.bytes)),
    ).rejects.toMatchObject({ code: 'OCL_REGISTRY', message: expect.stringContaining('others keep changing') });
    expect(count(server.calls(), `PUT ${tag(image)}`)).toBe(10);
  });
});
