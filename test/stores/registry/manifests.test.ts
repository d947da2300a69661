import { afterEach, describe, expect, it } from 'vitest';
import { EMPTY_BLOB } from '../../../src/core/descriptor.ts';
import { referrersTag } from '../../../src/core/digest.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes, digestOf } from '../../../src/io/verify.ts';
import { reply, replyJson, type Handler, type ScriptedServer } from '../../support/scriptedServer.ts';
import { bare, cleanUp, connectTo, listAll, openBytes, readAll, repository, scripted, serve } from './harness.ts';

afterEach(cleanUp);

const config = { ...EMPTY_BLOB.descriptor };
const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [] }));
const image = describeBytes(bytes, MEDIA.ociManifest);
const byTag = '/v2/app/manifests/v1';
const byDigest = `/v2/app/manifests/${image.digest}`;
const headers = { 'content-type': MEDIA.ociManifest, 'docker-content-digest': image.digest };
const head: Handler = reply(200, { ...headers, 'content-length': String(bytes.length) });

describe('resolving', () => {
  it('a tag takes one HEAD', async () => {
    const { app, server } = await scripted({ [`HEAD ${byTag}`]: head });
    expect(await app.resolve('v1')).toEqual(image);
    expect(server.calls()).toEqual([`HEAD ${byTag}`]);
    expect(server.seen[0]?.headers.accept).toContain(MEDIA.ociIndex);
    expect(server.seen[0]?.headers.accept).not.toContain('*');
  });

  it('a digest does too', async () => {
    const { app } = await scripted({ [`HEAD ${byDigest}`]: head });
    expect(await app.resolve(image.digest)).toEqual(image);
  });

  it('says how to see the tags where there is no such tag', async () => {
    const { app, server } = await scripted({
      [`HEAD ${byTag}`]: reply(404),
      [`HEAD ${byDigest}`]: reply(404),
      [`HEAD /v2/app/manifests/locked`]: reply(403),
    });
    await expect(app.resolve('v1')).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
      message: `Cannot resolve ${server.host}/app:v1: ${server.host} answered 404`,
      hint: `ocl tag ls ${server.host}/app`,
    });
    await expect(app.resolve(image.digest)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND', hint: undefined });
    await expect(app.resolve('locked')).rejects.toMatchObject({ code: 'OCL_DENIED' });
    expect(await app.find('v1')).toBeUndefined();
  });

  it.each([
    ['the digest', { 'docker-content-digest': '' }],
    ['a usable digest', { 'docker-content-digest': 'md5:abc' }],
    ['a length', { 'content-length': '0' }],
    ['a type', { 'content-type': 'application/json' }],
  ])('goes on with GET where HEAD lacks %s', async (_name, lack) => {
    const { app } = await scripted({
      [`HEAD ${byTag}`]: reply(200, { ...headers, 'content-length': String(bytes.length), ...lack }),
      [`GET ${byTag}`]: reply(200, { 'content-type': MEDIA.ociManifest }, bytes),
    });
    expect(await app.resolve('v1')).toEqual(image);
  });

  it.each([405, 501])('goes on with GET where HEAD is answered %i', async (status) => {
    const { app } = await scripted({ [`HEAD ${byTag}`]: reply(status), [`GET ${byTag}`]: reply(200, headers, bytes) });
    expect(await app.resolve('v1')).toEqual(image);
  });

  it('spares HEAD where the settings say so', async () => {
    const server = await serve({
      [`GET ${byTag}`]: reply(200, headers, bytes),
      [`GET ${byDigest}`]: reply(200, headers, bytes),
    });
    const app = repository(connectTo({ hosts: new Map([[server.host, { head: false }]]) }), server.host);
    expect(await app.resolve('v1')).toEqual(image);
    expect(await app.has(image)).toBe(true);
    expect(server.seen.every(({ method }) => method === 'GET')).toBe(true);
  });

  it('takes the type from the document where the answer does not tell', async () => {
    const { app } = await scripted({
      [`HEAD ${byTag}`]: reply(405),
      [`GET ${byTag}`]: reply(200, { 'content-type': 'text/plain' }, bytes),
    });
    expect(await app.resolve('v1')).toEqual(image);
  });

  it('keeps to the algorithm of the registry', async () => {
    const digest = digestOf(bytes, 'sha512');
    const { app } = await scripted({
      [`HEAD ${byTag}`]: reply(405),
      [`GET ${byTag}`]: reply(200, { ...headers, 'docker-content-digest': digest }, bytes),
    });
    expect(await app.resolve('v1')).toEqual({ ...image, digest });
  });

  it('finds lies about digests', async () => {
    const other = `sha256:${'0'.repeat(64)}`;
    const lie = { ...headers, 'docker-content-digest': other };
    const { app } = await scripted({
      [`HEAD ${byDigest}`]: reply(200, { ...lie, 'content-length': '5' }),
      [`HEAD ${byTag}`]: reply(405),
      [`GET ${byTag}`]: reply(200, lie, bytes),
      [`HEAD /v2/app/manifests/${other}`]: reply(405),
      [`GET /v2/app/manifests/${other}`]: reply(200, lie, bytes),
    });
    await expect(app.resolve(image.digest)).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    await expect(app.resolve('v1')).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    await expect(app.resolve(other)).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
  });

  it('does not read a manifest without end', async () => {
    const { app } = await scripted({
      [`HEAD ${byTag}`]: reply(405),
      [`GET ${byTag}`]: reply(200, { 'content-type': MEDIA.ociManifest }, Buffer.alloc(9 << 20)),
    });
    await expect(app.resolve('v1')).rejects.toMatchObject({ code: 'OCL_LIMIT' });
  });

  it('what is not there is not found, and found to be nothing', async () => {
    const { app } = await scripted({ [`HEAD /v2/app/manifests/denied`]: reply(403) });
    await expect(app.resolve('v1')).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
    expect(await app.find('v1')).toBeUndefined();
    expect(await app.has(image)).toBe(false);
    expect(await app.has({ ...image, mediaType: MEDIA.ociLayer })).toBe(false);
    await expect(app.find('denied')).rejects.toMatchObject({ code: 'OCL_DENIED' });
  });
});

describe('a document', () => {
  it('is read by its digest with its own type among the accepted', async () => {
    const { app, server } = await scripted({ [`GET ${byDigest}`]: reply(200, headers, bytes) });
    expect((await readAll(await app.open({ ...image, mediaType: MEDIA.dockerManifestV1 }))).equals(bytes)).toBe(true);
    expect(server.seen[0]?.headers.accept).toContain(MEDIA.dockerManifestV1);
  });

  it('is stored as it is, with its type, and named', async () => {
    const { app, server } = await scripted({
      [`PUT ${byDigest}`]: reply(201, headers),
      [`PUT ${byTag}`]: reply(201, headers),
    });
    await app.put(image, openBytes(bytes));
    await app.tag(image, { tag: 'v1' }, openBytes(bytes));
    await app.commit();
    expect(server.calls()).toEqual([`PUT ${byDigest}`, `PUT ${byTag}`]);
    expect(
      server.seen.every(
        (request) => request.body.equals(bytes) && request.headers['content-type'] === MEDIA.ociManifest,
      ),
    ).toBe(true);
  });

  it('without a name is stored when it is not there', async () => {
    const { app, server } = await scripted({
      [`HEAD ${byDigest}`]: [head, reply(404)],
      [`PUT ${byDigest}`]: reply(201),
    });
    await app.tag(image, {}, openBytes(bytes));
    await app.tag(image, { imageName: 'docker.io/library/x:1' }, openBytes(bytes));
    expect(server.calls()).toEqual([`HEAD ${byDigest}`, `HEAD ${byDigest}`, `PUT ${byDigest}`]);
  });

  it('that is not what it should be is not sent', async () => {
    const { app, server } = await scripted({});
    await expect(app.put(image, openBytes(Buffer.from('other')))).rejects.toMatchObject({ code: 'OCL_SIZE_MISMATCH' });
    await expect(app.put({ ...image, size: 1e9 }, openBytes(bytes))).rejects.toMatchObject({ code: 'OCL_LIMIT' });
    expect(server.seen).toEqual([]);
  });

  it('that the registry keeps as something else is an error', async () => {
    const { app } = await scripted({
      [`PUT ${byDigest}`]: reply(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }),
    });
    await expect(app.put(image, openBytes(bytes))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
  });
});

const signatureBytes = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    artifactType: 'test/signature',
    config,
    layers: [],
    subject: bare(image),
    annotations: { a: 'b' },
  }),
);
const signature = describeBytes(signatureBytes, MEDIA.ociManifest);
const entry = { ...bare(signature), artifactType: 'test/signature', annotations: { a: 'b' } };
const api = `/v2/app/referrers/${image.digest}`;
const fallback = `/v2/app/manifests/${referrersTag(image.digest)}`;

function indexOf(manifests: unknown): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests });
}

describe('referrers', () => {
  it('come from the API, over pages, each once', async () => {
    const other = { ...entry, digest: `sha256:${'1'.repeat(64)}` };
    const { app } = await scripted({
      [`GET ${api}`]: [
        reply(
          200,
          { 'content-type': MEDIA.ociIndex, link: `<${api}?page=2>; rel="next"` },
          indexOf([entry, bare(image)]),
        ),
        reply(
          200,
          { 'content-type': MEDIA.ociIndex },
          indexOf([entry, other, { ...other, digest: `sha256:${'2'.repeat(64)}`, mediaType: 'text/html' }]),
        ),
      ],
    });
    expect(await listAll(app.referrers(image))).toEqual([entry, other]);
  });

  it.each([
    ['404', reply(404, {}, '404 page not found')],
    ['400', replyJson(400, { errors: [{ code: 'MANIFEST_INVALID' }] })],
    ['403', reply(403)],
    ['405', reply(405)],
    ['501', reply(501)],
    ['a web page', reply(200, { 'content-type': 'text/html' }, '<html>')],
    ['something else', replyJson(200, { hello: 'world' })],
    ['an image', reply(200, { 'content-type': MEDIA.ociManifest }, bytes)],
  ])('come from the fallback tag where the API answers with %s', async (_name, handler) => {
    const { app } = await scripted({
      [`GET ${api}`]: handler,
      [`GET ${fallback}`]: reply(200, { 'content-type': MEDIA.ociIndex }, indexOf([entry])),
    });
    expect(await listAll(app.referrers(image))).toEqual([entry]);
    const none = await scripted({ [`GET ${api}`]: handler });
    expect(await listAll(none.app.referrers(image))).toEqual([]);
  });

  it.each([
    ['null', null, []],
    ['an empty list', [], []],
  ])('may be %s', async (_name, manifests, expected) => {
    const { app } = await scripted({ [`GET ${api}`]: reply(200, {}, indexOf(manifests)) });
    expect(await listAll(app.referrers(image))).toEqual(expected);
  });

  it('that are nonsense are an error, as are failures', async () => {
    const broken = await scripted({ [`GET ${api}`]: reply(200, {}, indexOf([{ ...entry, digest: 'sha256:../x' }])) });
    await expect(listAll(broken.app.referrers(image))).rejects.toMatchObject({ code: 'OCL_DOCUMENT_INVALID' });
    const down = await scripted({ [`GET ${api}`]: reply(500) });
    await expect(listAll(down.app.referrers(image))).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
  });
});

describe('the fallback tag', () => {
  const put = `PUT /v2/app/manifests/${signature.digest}`;
  /** What was stored last. */
  const written = ({ seen }: ScriptedServer): unknown =>
    JSON.parse(seen.findLast(({ method }) => method === 'PUT')?.body.toString() ?? '');

  it('is left alone where the registry knows subjects', async () => {
    const { app, server } = await scripted({ [put]: reply(201, { 'oci-subject': image.digest }) });
    await app.put(signature, openBytes(signatureBytes));
    expect(server.calls()).toEqual([put]);
  });

  it('is made', async () => {
    const { app, server } = await scripted({ [put]: reply(201), [`PUT ${fallback}`]: reply(201) });
    await app.put(signature, openBytes(signatureBytes));
    expect(server.calls()).toEqual([put, `GET ${fallback}`, `PUT ${fallback}`, `HEAD ${fallback}`]);
    expect(server.seen[2]?.headers['if-none-match']).toBe('*');
    expect(written(server)).toEqual({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [entry] });
    expect(server.seen[2]?.headers['content-type']).toBe(MEDIA.ociIndex);
  });

  it('grows, and keeps what it does not know', async () => {
    const old = { ...entry, digest: `sha256:${'1'.repeat(64)}`, 'x-extra': true };
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [old],
      annotations: { kept: 'yes' },
    });
    const { app, server } = await scripted({
      [put]: reply(201),
      [`GET ${fallback}`]: reply(200, { 'content-type': MEDIA.ociIndex, etag: '"e1"' }, index),
      [`PUT ${fallback}`]: reply(201),
    });
    await app.put(signature, openBytes(signatureBytes));
    expect(written(server)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [old, entry],
      annotations: { kept: 'yes' },
    });
    expect(server.seen.findLast(({ method }) => method === 'PUT')?.headers['if-match']).toBe('"e1"');
  });

  it('does not list anything twice', async () => {
    const { app, server } = await scripted({
      [put]: reply(201),
      [`PUT /v2/app/manifests/sig`]: reply(201),
      [`GET ${fallback}`]: reply(200, { 'content-type': MEDIA.ociIndex }, indexOf([entry])),
    });
    await app.put(signature, openBytes(signatureBytes));
    await app.tag(signature, { tag: 'sig' }, openBytes(signatureBytes));
    expect(server.calls()).toEqual([put, `GET ${fallback}`, 'PUT /v2/app/manifests/sig']);
  });

  it('is read again when somebody else changed it meanwhile', async () => {
    const other = { ...entry, digest: `sha256:${'1'.repeat(64)}` };
    const { app, server } = await scripted({
      [put]: reply(201),
      [`GET ${fallback}`]: [reply(404), reply(200, { 'content-type': MEDIA.ociIndex }, indexOf([other]))],
      [`PUT ${fallback}`]: [reply(412), reply(201)],
    });
    await app.put(signature, openBytes(signatureBytes));
    expect(written(server)).toMatchObject({ manifests: [other, entry] });
  });

  it('holds all that are put at the same time', async () => {
    let index: Buffer | undefined;
    const many = Array.from({ length: 8 }, (_, i) => Buffer.from(signatureBytes.toString().replace('"b"', `"b${i}"`)));
    const script: Record<string, Handler> = {
      [`GET ${fallback}`]: (response, request) =>
        (index === undefined ? reply(404) : reply(200, { 'content-type': MEDIA.ociIndex }, index))(response, request),
      [`PUT ${fallback}`]: (response, request) => ((index = request.body), reply(201)(response, request)),
    };
    for (const one of many) script[`PUT /v2/app/manifests/${digestOf(one)}`] = reply(201);
    const { app } = await scripted(script);
    await Promise.all(many.map((one) => app.put(describeBytes(one, MEDIA.ociManifest), openBytes(one))));
    expect((JSON.parse(index?.toString() ?? '') as { manifests: unknown[] }).manifests).toHaveLength(8);
  });

  it('forgets what is removed', async () => {
    const { app, server } = await scripted({
      [`GET /v2/app/manifests/${signature.digest}`]: reply(200, { 'content-type': MEDIA.ociManifest }, signatureBytes),
      [`DELETE /v2/app/manifests/${signature.digest}`]: reply(202),
      [`GET ${fallback}`]: reply(200, { 'content-type': MEDIA.ociIndex }, indexOf([entry])),
      [`PUT ${fallback}`]: reply(201),
    });
    expect(await app.remove(signature.digest)).toBe(true);
    expect(written(server)).toMatchObject({ manifests: [] });
  });

  it('is not asked for where the API is', async () => {
    const { app, server } = await scripted({
      [`GET /v2/app/manifests/${signature.digest}`]: reply(200, { 'content-type': MEDIA.ociManifest }, signatureBytes),
      [`DELETE /v2/app/manifests/${signature.digest}`]: reply(202),
      [`GET ${api}`]: reply(200, { 'content-type': MEDIA.ociIndex }, indexOf([])),
    });
    expect(await app.remove(signature.digest)).toBe(true);
    expect(server.calls()).not.toContain(`GET ${fallback}`);
  });
});

describe('taking back', () => {
  it('a tag', async () => {
    const { app } = await scripted({ [`DELETE ${byTag}`]: [reply(202), reply(404), reply(403)] });
    expect(await app.untag('v1')).toBe(true);
    expect(await app.untag('v1')).toBe(false);
    await expect(app.untag('v1')).rejects.toMatchObject({ code: 'OCL_DENIED' });
  });

  it('a manifest, also one that nobody can read', async () => {
    const junk = Buffer.from('junk');
    const path = `/v2/app/manifests/${digestOf(junk)}`;
    const { app } = await scripted({
      [`GET ${path}`]: [reply(200, { 'content-type': MEDIA.ociManifest }, junk), reply(404)],
      [`DELETE ${path}`]: reply(202),
    });
    expect(await app.remove(digestOf(junk))).toBe(true);
    expect(await app.remove(digestOf(junk))).toBe(false);
  });

  it('a blob', async () => {
    const { app } = await scripted({ [`DELETE /v2/app/blobs/${config.digest}`]: [reply(202), reply(404), reply(405)] });
    expect(await app.removeBlob(config.digest)).toBe(true);
    expect(await app.removeBlob(config.digest)).toBe(false);
    await expect(app.removeBlob(config.digest)).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
  });
});
