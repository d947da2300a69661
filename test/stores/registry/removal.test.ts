import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_BLOB } from '../../../src/core/descriptor.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes, digestOf } from '../../../src/io/verify.ts';
import { reply, replyJson, type Handler, type Seen } from '../../support/scriptedServer.ts';
import { DOCKER_REGISTRY, whyNoDockerRegistry } from '../../support/dockerRegistry.ts';
import { startDistribution } from '../../support/serversDistribution.ts';
import { bare, cleanUp, connectTo, openBytes, repository, serve } from './harness.ts';

afterEach(cleanUp);

const config = { ...EMPTY_BLOB.descriptor };
const said = (status: number, code: string, message = ''): Handler =>
  replyJson(status, { errors: [{ code, message }] });

interface Manners {
  /** To DELETE of a tag. */
  readonly untag?: (() => Handler) | undefined;
  /** To DELETE of a digest that is not there. */
  readonly unknown?: Handler;
  /** To DELETE of one that is. */
  readonly remove?: Handler;
  readonly signs?: Record<string, string>;
  readonly type?: string;
}

/** A registry of one repository that holds an image under two tags, and its ways to delete. */
function registryWith(manners: Manners): { handler: Handler; tags: Map<string, string>; seen: Seen[] } {
  const type = manners.type ?? MEDIA.ociManifest;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [] }));
  const manifests = new Map<string, { bytes: Uint8Array; type: string }>([[digestOf(bytes), { bytes, type }]]);
  const tags = new Map<string, string>([
    ['v1', digestOf(bytes)],
    ['v2', digestOf(bytes)],
  ]);
  const seen: Seen[] = [];
  const handler: Handler = (response, request) => {
    seen.push(request);
    const [path = ''] = request.path.split('?');
    const name = path.split('/').at(-1) ?? '';
    const digest = tags.get(name) ?? name;
    const there = manifests.get(digest);
    const answer = ((): Handler => {
      if (request.method === 'POST') return reply(202, { location: '/v2/app/blobs/uploads/1' });
      if (path.includes('/blobs/uploads/')) return reply(201);
      if (request.method === 'GET' || request.method === 'HEAD') {
        return there === undefined
          ? said(404, 'MANIFEST_UNKNOWN')
          : reply(200, { 'content-type': there.type, ...manners.signs }, there.bytes);
      }
      if (request.method === 'PUT') {
        const put = digestOf(request.body);
        manifests.set(put, { bytes: request.body, type: request.headers['content-type'] ?? '' });
        tags.set(name, put);
        return reply(201, { 'docker-content-digest': put });
      }
      if (!name.startsWith('sha256:')) return (manners.untag ?? (() => said(405, 'UNSUPPORTED')))();
      if (there === undefined) return manners.unknown ?? said(404, 'MANIFEST_UNKNOWN');
      if (manners.remove !== undefined) return manners.remove;
      manifests.delete(digest);
      for (const [tag, named] of tags) if (named === digest) tags.delete(tag);
      return reply(202);
    })();
    return answer(response, request);
  };
  return { handler, tags, seen };
}

async function world(manners: Manners): Promise<{
  app: ReturnType<typeof repository>;
  tags: Map<string, string>;
  seen: Seen[];
}> {
  const { handler, tags, seen } = registryWith(manners);
  const server = await serve({ '*': handler });
  return { app: repository(connectTo(), server.host), tags, seen };
}

const steps = (seen: readonly Seen[]): readonly string[] =>
  seen.map(
    ({ method, path }) =>
      `${method} ${/\/uploads\//.test(path) ? 'upload' : (path.split('/').at(-1) ?? '').replace(/^sha256:.*/, 'digest')}`,
  );

describe('a tag', () => {
  it('is deleted as such where that is possible', async () => {
    const { app, seen } = await world({ untag: () => reply(202) });
    expect(await app.untag('v1')).toBe(true);
    expect(steps(seen)).toEqual(['DELETE v1']);
  });

  it.each<[string, Manners, readonly string[]]>([
    ['docker-registry 2.8', { untag: () => said(400, 'DIGEST_INVALID') }, ['DELETE v1', 'DELETE digest']],
    ['one that says 405', {}, ['DELETE v1', 'DELETE digest']],
    ['one that says 501', { untag: () => reply(501) }, ['DELETE v1', 'DELETE digest']],
  ])('goes by a stand-in where digests alone are deleted, and its siblings stay: %s', async (_name, manners, first) => {
    const { app, tags, seen } = await world(manners);
    const before = tags.get('v2');
    expect(await app.untag('v1')).toBe(true);
    expect([...tags]).toEqual([['v2', before]]);
    expect(steps(seen).slice(0, 2)).toEqual(first);
    expect(steps(seen).slice(-2)).toEqual(['PUT v1', 'DELETE digest']);
  });

  it.each([
    ['Harbor', { 'x-harbor-csrf-token': 'x' }],
    ['ECR', { 'www-authenticate': 'Basic realm="https://x/",service="ecr.amazonaws.com"' }],
  ])('of %s is not even tried to be deleted as such', async (_name, signs) => {
    const { app, tags, seen } = await world({ signs, untag: () => said(500, 'it must not be asked') });
    await app.resolve('v1');
    expect(await app.untag('v1')).toBe(true);
    expect([...tags.keys()]).toEqual(['v2']);
    expect(steps(seen)).not.toContain('DELETE v1');
  });

  it.each([
    [MEDIA.dockerManifest, MEDIA.dockerManifest],
    [MEDIA.ociManifest, MEDIA.ociManifest],
  ])('that names a %s is taken by a stand-in of that family', async (type, expected) => {
    const { app, seen } = await world({ type });
    await app.untag('v1');
    const put = seen.find(({ method, path }) => method === 'PUT' && path.endsWith('/v1'));
    expect(put?.headers['content-type']).toBe(expected);
    expect(JSON.parse(put?.body.toString() ?? '')).toMatchObject({ mediaType: expected });
  });

  it('gets a stand-in that no other is like', async () => {
    const [one, two] = [await world({}), await world({})];
    await one.app.untag('v1');
    await two.app.untag('v1');
    const body = (seen: readonly Seen[]): string | undefined =>
      seen.find(({ method, path }) => method === 'PUT' && path.endsWith('/v1'))?.body.toString();
    expect(body(one.seen)).not.toBe(body(two.seen));
  });

  it('that is not there is not there', async () => {
    const { app, seen } = await world({});
    expect(await app.untag('never')).toBe(false);
    expect(steps(seen)).not.toContain('PUT never');
  });

  it('stays as it was where deletion is switched off', async () => {
    const { app, tags, seen } = await world({ unknown: said(405, 'UNSUPPORTED') });
    await expect(app.untag('v1')).rejects.toMatchObject({
      code: 'OCL_UNSUPPORTED',
      hint: expect.stringContaining('REGISTRY_STORAGE_DELETE_ENABLED'),
    });
    expect(tags.get('v1')).toBe(tags.get('v2'));
    expect(seen.every(({ method }) => method === 'DELETE')).toBe(true);
  });

  it.each<[string, Handler]>([
    ['is refused', said(403, 'DENIED')],
    ['fails', said(500, 'UNKNOWN')],
    ['finds nothing', said(404, 'MANIFEST_UNKNOWN')],
  ])('is put back where the removal of the stand-in %s', async (_name, remove) => {
    const { app, tags } = await world({ remove });
    await expect(app.untag('v1')).rejects.toThrow(/Cannot/);
    expect(tags.get('v1')).toBe(tags.get('v2'));
  });

  it('that cannot be put back is told with the command that does it', async () => {
    const { handler, tags } = registryWith({ remove: said(403, 'DENIED') });
    const before = tags.get('v1');
    let puts = 0;
    const server = await serve({
      '*': (response, request) =>
        request.method === 'PUT' && request.path.endsWith('/v1') && ++puts > 1
          ? said(403, 'DENIED')(response, request)
          : handler(response, request),
    });
    await expect(repository(connectTo(), server.host).untag('v1')).rejects.toMatchObject({
      message: expect.stringContaining('now names an empty image'),
      hint: `ocl copy ${server.host}/app@${before} ${server.host}/app:v1`,
    });
  });

  it('that is immutable stays, and it is said', async () => {
    const { app, seen } = await world({ untag: () => said(412, 'PRECONDITION', "'app:v1' configured as immutable") });
    await expect(app.untag('v1')).rejects.toMatchObject({
      code: 'OCL_DENIED',
      message: expect.stringContaining('the tag is immutable there'),
    });
    expect(steps(seen)).toEqual(['DELETE v1']);
  });
});

describe('where a registry deletes nothing', () => {
  const digest = digestOf(Buffer.from('x'));

  it('Quay says that it removes blobs by itself', async () => {
    const quay = { 'www-authenticate': 'Bearer realm="https://127.0.0.1/v2/auth"' };
    const server = await serve({
      [`DELETE /v2/app/blobs/${digest}`]: reply(405, quay, '{"errors":[{"code":"UNSUPPORTED"}]}'),
    });
    await expect(repository(connectTo(), server.host).removeBlob(digest)).rejects.toMatchObject({
      code: 'OCL_UNSUPPORTED',
      hint: expect.stringContaining('Quay removes blobs by itself'),
    });
  });

  it('Google wants the tags to go first', async () => {
    const image = describeBytes(
      Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [] })),
      MEDIA.ociManifest,
    );
    const path = `/v2/app/manifests/${image.digest}`;
    const server = await serve({
      [`GET ${path}`]: reply(
        200,
        { 'content-type': MEDIA.ociManifest },
        JSON.stringify({ schemaVersion: 2, config, layers: [] }),
      ),
      [`DELETE ${path}`]: said(400, 'GOOGLE_MANIFEST_DANGLING_TAG', 'Manifest is still referenced by tag: v1'),
    });
    await expect(repository(connectTo(), server.host).remove(image.digest)).rejects.toMatchObject({
      hint: `take its tags away first: ocl tag rm ${server.host}/app:TAG`,
    });
  });
});

const why = whyNoDockerRegistry();

describe.skipIf(why !== undefined)(
  `docker-registry with deletion switched off${why === undefined ? '' : ` (${why})`}`,
  () => {
    it('keeps its tags', async () => {
      const registry = await startDistribution(DOCKER_REGISTRY, { deletes: false });
      try {
        const app = repository(connectTo(), registry.host, 'kept');
        await app.put(config, openBytes(Buffer.from('{}')));
        const bytes = Buffer.from(
          JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config: bare(config), layers: [] }),
        );
        const image = describeBytes(bytes, MEDIA.ociManifest);
        await app.tag(image, { tag: 'v1' }, openBytes(bytes));
        await expect(app.untag('v1')).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
        await expect(app.remove(image.digest)).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
        expect(await app.find('v1')).toEqual(image);
      } finally {
        await registry.stop();
      }
    });
  },
);
