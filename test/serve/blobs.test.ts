import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/io/verify.ts';
import { errorCode, LIBRARIES, Pusher, startEmbedded, type Embedded, type OpenedLibrary } from '../support/embedded.ts';

describe.each(LIBRARIES)('blobs over a %s library', (_kind, open) => {
  let opened: OpenedLibrary;
  let server: Embedded;
  let one: Pusher;
  beforeAll(async () => {
    opened = await open();
    server = await startEmbedded(opened.library);
    one = new Pusher(server.url, 'c/one');
  });
  afterAll(async () => {
    await server.close();
    await opened.close();
  });

  it('answers that it is a registry', async () => {
    const answer = await one.ask('GET', '/v2/');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    expect(await answer.json()).toEqual({});
  });

  it.each(['GET', 'HEAD'])('answers %s with the headers that clients and browsers need', async (method) => {
    const { digest } = await one.blob('<script>alert(1)</script>', 'text/html');
    const answer = await one.ask(method, `blobs/${digest}`);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '25',
      'docker-content-digest': digest,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
    });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(await answer.text()).toBe(method === 'HEAD' ? '' : '<script>alert(1)</script>');
  });

  it.each([
    ['bytes=0-3', 206, 'bytes 0-3/10', '0123'],
    ['bytes=8-', 206, 'bytes 8-9/10', '89'],
    ['bytes=-2', 206, 'bytes 8-9/10', '89'],
    ['bytes=5-5000', 206, 'bytes 5-9/10', '56789'],
    ['bytes=0-1,4-5', 200, null, '0123456789'],
    ['bytes=10-', 416, 'bytes */10', undefined],
    ['bytes=500-0', 416, 'bytes */10', undefined],
  ])('takes Range: %s', async (range, status, contentRange, body) => {
    const { digest } = await one.blob('0123456789');
    const answer = await one.ask('GET', `blobs/${digest}`, { headers: { Range: range } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-range')).toBe(contentRange);
    if (body === undefined) expect(await errorCode(answer)).toBe('SIZE_INVALID');
    else expect(await answer.text()).toBe(body);
    const head = await one.ask('HEAD', `blobs/${digest}`, { headers: { Range: range } });
    expect([head.status, head.headers.get('content-range')]).toEqual([status, contentRange]);
  });

  it('keeps to the conditions of a request', async () => {
    const { digest } = await one.blob('0123456789');
    const known = await one.ask('GET', `blobs/${digest}`, { headers: { 'If-None-Match': `"x", W/"${digest}"` } });
    expect([known.status, await known.text()]).toEqual([304, '']);
    const other = await one.ask('GET', `blobs/${digest}`, { headers: { Range: 'bytes=0-1', 'If-Range': '"other"' } });
    expect([other.status, await other.text()]).toEqual([200, '0123456789']);
    const same = await one.ask('GET', `blobs/${digest}`, {
      headers: { Range: 'bytes=0-1', 'If-Range': `"${digest}"` },
    });
    expect([same.status, await same.text()]).toEqual([206, '01']);
  });

  it('gives an empty blob', async () => {
    const { digest } = await one.blob('');
    const answer = await one.ask('GET', `blobs/${digest}`);
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '0', '']);
  });

  it('gives a large blob whole', async () => {
    const content = Buffer.alloc((5 << 20) + 17, 'abcdefg');
    const { digest } = await one.blob(content);
    const answer = await one.ask('GET', `blobs/${digest}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(content)).toBe(true);
  });

  it('tells what is missing', async () => {
    await one.blob('there is something');
    const nowhere = digestOf(Buffer.from('nowhere'));
    const blob = await one.ask('GET', `blobs/${nowhere}`);
    expect([blob.status, await errorCode(blob)]).toEqual([404, 'BLOB_UNKNOWN']);
    const repository = await one.ask('GET', `/v2/no/such/blobs/${nowhere}`);
    expect([repository.status, await errorCode(repository)]).toEqual([404, 'NAME_UNKNOWN']);
    const digest = await one.ask('GET', 'blobs/sha256:baddigest');
    expect([digest.status, await errorCode(digest)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await one.ask('HEAD', `blobs/${nowhere}`)).status).toBe(404);
  });

  it('knows nothing under a digest that is longer than the name of a file', async () => {
    await one.blob('there');
    for (const path of ['blobs', 'manifests', 'referrers']) {
      const answer = await one.ask('GET', `${path}/other:${'a'.repeat(400)}`);
      expect([path, answer.status]).toEqual([path, path === 'referrers' ? 200 : 404]);
    }
  });

  it('deletes at once, once, and blobs only', async () => {
    const { digest } = await one.blob('to be deleted');
    expect((await one.ask('DELETE', `blobs/${digest}`)).status).toBe(202);
    expect((await one.ask('HEAD', `blobs/${digest}`)).status).toBe(404);
    const again = await one.ask('DELETE', `blobs/${digest}`);
    expect([again.status, await errorCode(again)]).toEqual([404, 'BLOB_UNKNOWN']);
    const { descriptor } = await one.manifest('v1');
    expect((await one.ask('DELETE', `blobs/${descriptor.digest}`)).status).toBe(404);
    expect((await one.ask('GET', 'manifests/v1')).status).toBe(200);
  });

  it.each(['PUT', 'PATCH', 'POST', 'OPTIONS'])('does not take %s of a blob', async (method) => {
    const answer = await one.ask(method, `blobs/${digestOf(Buffer.from('x'))}`);
    expect([answer.status, answer.headers.get('allow'), await errorCode(answer)]).toEqual([
      405,
      'GET, HEAD, DELETE',
      'UNSUPPORTED',
    ]);
  });
});
