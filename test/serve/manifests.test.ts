import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { errorCode, LIBRARIES, Pusher, startEmbedded, type Embedded, type OpenedLibrary } from '../support/embedded.ts';

const ABSENT = { mediaType: MEDIA.ociLayerGzip, digest: digestOf(Buffer.from('absent')), size: 6 };
const encode = (value: unknown): string => JSON.stringify(value);

describe.each(LIBRARIES)('manifests over a %s library', (_kind, open) => {
  let opened: OpenedLibrary;
  let server: Embedded;
  let one: Pusher;
  beforeAll(async () => {
    opened = await open();
    server = await startEmbedded(opened.library);
    one = new Pusher(server.url, 'c/one');
    await one.blob('{}');
  });
  afterAll(async () => {
    await server.close();
    await opened.close();
  });

  async function refused(reference: string, body: string | Uint8Array, type: string): Promise<[number, unknown]> {
    const bytes = typeof body === 'string' ? body : body.slice();
    const answer = await one.ask('PUT', `manifests/${reference}`, { body: bytes, headers: { 'Content-Type': type } });
    return [answer.status, await errorCode(answer)];
  }

  it('gives back what was pushed, by tag and by digest', async () => {
    const { descriptor, answer, bytes } = await one.manifest('v1', { 'org.example.custom': { kept: true } });
    expect([answer.status, answer.headers.get('location')]).toEqual([201, `/v2/c/one/manifests/${descriptor.digest}`]);
    expect(answer.headers.get('docker-content-digest')).toBe(descriptor.digest);
    for (const reference of ['v1', descriptor.digest]) {
      for (const method of ['GET', 'HEAD']) {
        const got = await one.ask(method, `manifests/${reference}`);
        expect(got.status).toBe(200);
        expect(Object.fromEntries(got.headers)).toMatchObject({
          'content-type': MEDIA.ociManifest,
          'content-length': String(bytes.length),
          'docker-content-digest': descriptor.digest,
        });
        expect(Buffer.from(await got.arrayBuffer())).toEqual(method === 'HEAD' ? Buffer.alloc(0) : Buffer.from(bytes));
      }
    }
  });

  it('moves a tag and keeps the manifest that had it', async () => {
    const first = await one.manifest('moving', { annotations: { n: '1' } });
    const second = await one.manifest('moving', { annotations: { n: '2' } });
    expect((await one.ask('HEAD', 'manifests/moving')).headers.get('docker-content-digest')).toBe(
      second.descriptor.digest,
    );
    expect((await one.ask('HEAD', `manifests/${first.descriptor.digest}`)).status).toBe(200);
  });

  it.each(['sha384', 'sha512', 'blake3'] as const)('keeps manifests under %s', async (algorithm) => {
    const bytes = Buffer.from(
      encode({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [], annotations: { algorithm } }),
    );
    const digest = digestOf(bytes, algorithm);
    const headers = { 'Content-Type': MEDIA.ociIndex };
    const byTag = await one.ask('PUT', `manifests/as-${algorithm}?digest=${digest}`, { body: bytes, headers });
    expect([byTag.status, byTag.headers.get('docker-content-digest')]).toEqual([201, digest]);
    expect((await one.ask('GET', `manifests/as-${algorithm}`)).headers.get('docker-content-digest')).toBe(digest);
    const byDigest = await one.ask('PUT', `manifests/${digest}`, { body: bytes, headers });
    expect(byDigest.status).toBe(201);
    expect(await (await one.ask('GET', `manifests/${digest}`)).text()).toBe(bytes.toString());
  });

  it('takes several tags at once', async () => {
    const bytes = encode({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [], annotations: { many: 'tags' } });
    const digest = digestOf(Buffer.from(bytes));
    const tags = Array.from({ length: 12 }, (_, i) => `t${i}`);
    const headers = { 'Content-Type': MEDIA.ociIndex };
    const answer = await one.ask('PUT', `manifests/${digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`, {
      body: bytes,
      headers,
    });
    expect([answer.status, answer.headers.get('oci-tag')]).toEqual([201, tags.join(', ')]);
    expect((await one.ask('GET', 'manifests/t11')).headers.get('docker-content-digest')).toBe(digest);
    const wrong = await one.ask('PUT', `manifests/${digest}?tag=ok&tag=..`, { body: bytes, headers });
    expect([wrong.status, (await one.ask('HEAD', 'manifests/ok')).status]).toEqual([400, 404]);
    const many = Array.from({ length: 101 }, (_, i) => `tag=m${i}`).join('&');
    expect((await one.ask('PUT', `manifests/${digest}?${many}`, { body: bytes, headers })).status).toBe(414);
  });

  it('takes a manifest of 4 MiB and refuses one of more than 8', async () => {
    const annotations = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, 'x'.repeat(10_000)]));
    const { answer, descriptor } = await one.manifest('large', { annotations });
    expect([answer.status, descriptor.size > 4_000_000]).toEqual([201, true]);
    expect((await (await one.ask('GET', 'manifests/large')).arrayBuffer()).byteLength).toBe(descriptor.size);
    expect(await refused('huge', new Uint8Array((8 << 20) + 1), MEDIA.ociManifest)).toEqual([413, 'SIZE_INVALID']);
  });

  it('wants everything that a manifest is made of, but what may be elsewhere', async () => {
    const config = { ...ABSENT, mediaType: MEDIA.ociConfig };
    const missing = await one.manifest('m', { layers: [ABSENT] });
    expect([missing.answer.status, await errorCode(missing.answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect((await one.manifest('m', { config })).answer.status).toBe(404);
    expect((await one.ask('HEAD', 'manifests/m')).status).toBe(404);
    const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    expect((await one.manifest('f', { layers: [{ ...ABSENT, mediaType: foreign }] })).answer.status).toBe(201);
    expect((await one.manifest('u', { layers: [{ ...ABSENT, urls: ['https://example.com/x'] }] })).answer.status).toBe(
      201,
    );
    const child = { ...ABSENT, mediaType: MEDIA.ociManifest };
    expect((await one.manifest('i', { manifests: [child] }, MEDIA.ociIndex)).answer.status).toBe(201);
    const blob = await one.blob('sized');
    const lies = await one.manifest('l', { layers: [{ ...blob, size: 4 }] });
    expect([lies.answer.status, await errorCode(lies.answer)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
  });

  it('takes a subject that is not there, and says that it knows of subjects', async () => {
    const subject = { ...ABSENT, mediaType: MEDIA.ociManifest };
    const { answer } = await one.manifest(undefined, { subject });
    expect([answer.status, answer.headers.get('oci-subject')]).toEqual([201, subject.digest]);
    const index = await one.manifest(undefined, { subject }, MEDIA.ociIndex);
    expect(index.answer.headers.get('oci-subject')).toBe(subject.digest);
    expect((await one.manifest('plain')).answer.headers.get('oci-subject')).toBeNull();
  });

  it.each([
    ['no JSON', 'x', MEDIA.ociManifest],
    ['empty', '', MEDIA.ociManifest],
    ['an array', '[]', MEDIA.ociManifest],
    ['a name twice', '{"schemaVersion":2,"manifests":[],"manifests":[]}', MEDIA.ociIndex],
    ['another case', '{"schemaVersion":2,"Manifests":[]}', MEDIA.ociIndex],
    ['both kinds', encode({ schemaVersion: 2, manifests: [], layers: [], config: ABSENT }), MEDIA.ociIndex],
    [
      'another type than it says',
      encode({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config: ABSENT }),
      MEDIA.ociIndex,
    ],
    ['a type that is none', encode({ schemaVersion: 2, manifests: [] }), 'text/html'],
    ['schema 1', encode({ schemaVersion: 1, fsLayers: [] }), MEDIA.dockerManifestV1Signed],
    [
      'a digest that is a path',
      encode({ schemaVersion: 2, layers: [], config: { ...ABSENT, digest: 'sha256:../../x' } }),
      MEDIA.ociManifest,
    ],
    [
      'a size beyond reason',
      encode({ schemaVersion: 2, layers: [], config: ABSENT }).replace('"size":6', '"size":1e300'),
      MEDIA.ociManifest,
    ],
    ['a deep nest', `{"schemaVersion":2,"manifests":[],"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, MEDIA.ociIndex],
    ['a byte order mark', `\ufeff${encode({ schemaVersion: 2, manifests: [] })}`, MEDIA.ociIndex],
  ])('refuses %s', async (_what, body, type) => {
    expect(await refused('bad', body, type)).toEqual([400, 'MANIFEST_INVALID']);
    expect((await one.ask('HEAD', 'manifests/bad')).status).toBe(404);
  });

  it('refuses digests that are not those of the content, and references that are none', async () => {
    const body = encode({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [], annotations: { a: 'b' } });
    const other = digestOf(Buffer.from('other'));
    expect(await refused(other, body, MEDIA.ociIndex)).toEqual([400, 'DIGEST_INVALID']);
    expect(await refused(`x?digest=${other}`, body, MEDIA.ociIndex)).toEqual([400, 'DIGEST_INVALID']);
    expect(await refused('x?digest=nope', body, MEDIA.ociIndex)).toEqual([400, 'DIGEST_INVALID']);
    expect(await refused('sha256:baddigeststring', body, MEDIA.ociIndex)).toEqual([400, 'DIGEST_INVALID']);
    expect(await refused('md5:d41d8cd98f00b204e9800998ecf8427e', body, MEDIA.ociIndex)).toEqual([
      400,
      'DIGEST_INVALID',
    ]);
    expect(await refused('.tag', body, MEDIA.ociIndex)).toEqual([400, 'MANIFEST_INVALID']);
    expect(await refused('t'.repeat(129), body, MEDIA.ociIndex)).toEqual([400, 'MANIFEST_INVALID']);
  });

  it('takes a manifest without mediaType under the type of its Content-Type', async () => {
    const body = encode({ schemaVersion: 2, manifests: [] });
    const headers = { 'Content-Type': `${MEDIA.dockerIndex}; charset=utf-8` };
    expect((await one.ask('PUT', 'manifests/untyped', { body, headers })).status).toBe(201);
    expect((await one.ask('HEAD', 'manifests/untyped')).headers.get('content-type')).toBe(MEDIA.dockerIndex);
  });

  it('tells what is missing, and that a blob is no manifest', async () => {
    const layer = await one.blob('a layer, not a manifest');
    const nowhere = digestOf(Buffer.from('nowhere'));
    for (const reference of ['nope', '.INVALID', nowhere, layer.digest]) {
      const answer = await one.ask('GET', `manifests/${reference}`);
      expect([answer.status, await errorCode(answer)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    }
    const repository = await one.ask('GET', '/v2/no/such/manifests/v1');
    expect([repository.status, await errorCode(repository)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  it('does not delete a layer as if it were a manifest', async () => {
    const layer = await one.blob('a layer that stays');
    expect((await one.ask('DELETE', `manifests/${layer.digest}`)).status).toBe(404);
    expect((await one.ask('HEAD', `blobs/${layer.digest}`)).status).toBe(200);
  });

  it('deletes a tag and keeps the manifest, deletes a manifest with its tags', async () => {
    const { descriptor } = await one.manifest('d1', { annotations: { delete: 'me' } });
    await one.manifest('d2', { annotations: { delete: 'me' } });
    expect((await one.ask('DELETE', 'manifests/d1')).status).toBe(202);
    expect((await one.ask('HEAD', 'manifests/d1')).status).toBe(404);
    expect((await one.ask('HEAD', 'manifests/d2')).status).toBe(200);
    expect((await one.ask('HEAD', `manifests/${descriptor.digest}`)).status).toBe(200);
    const again = await one.ask('DELETE', 'manifests/d1');
    expect([again.status, await errorCode(again)]).toEqual([404, 'MANIFEST_UNKNOWN']);
    expect((await one.ask('DELETE', `manifests/${descriptor.digest}`)).status).toBe(202);
    expect((await one.ask('HEAD', 'manifests/d2')).status).toBe(404);
    expect((await one.ask('HEAD', `manifests/${descriptor.digest}`)).status).toBe(404);
    expect((await one.ask('DELETE', `manifests/${descriptor.digest}`)).status).toBe(404);
    expect((await one.ask('DELETE', '/v2/no/such/manifests/v1')).status).toBe(404);
  });

  it('keeps every tag of pushes that come at once', async () => {
    const many = new Pusher(server.url, 'c/many');
    await many.blob('{}');
    const names = Array.from({ length: 25 }, (_, i) => `p${i}`);
    const pushed = await Promise.all(names.map((name) => many.manifest(name, { annotations: { name } })));
    expect(pushed.map(({ answer }) => answer.status)).toEqual(names.map(() => 201));
    const listed = (await (await many.ask('GET', 'tags/list')).json()) as { tags: string[] };
    expect(listed.tags).toEqual(names.toSorted());
  });
});

describe('documents that come before what they are made of', () => {
  it.each([
    ['none', 404, 404],
    ['indexes', 404, 201],
    ['all', 201, 201],
  ] as const)('sparse: %s', async (sparse, manifest, index) => {
    const [, open] = LIBRARIES[0] ?? [];
    const opened = await open?.();
    if (opened === undefined) throw new Error('there is no library');
    const server = await startEmbedded(opened.library, { sparse });
    const one = new Pusher(server.url, 'c/one');
    expect((await one.manifest('m', { layers: [ABSENT] })).answer.status).toBe(manifest);
    const child = { ...ABSENT, mediaType: MEDIA.ociManifest };
    expect((await one.manifest('i', { manifests: [child] }, MEDIA.ociIndex)).answer.status).toBe(index);
    await server.close();
  });
});
