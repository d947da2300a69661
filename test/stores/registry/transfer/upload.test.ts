import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { OclError } from '../../../../src/core/errors.ts';
import { type HostSettings } from '../../../../src/stores/registry/hosts.ts';
import {
  reply,
  replyJson,
  type Handler,
  type Seen,
  type startScriptedServer,
} from '../../../support/scriptedServer.ts';
import { cleanUp, connectTo, openBytes, repository, scripted, serve, type Scripted } from '../harness.ts';

afterEach(cleanUp);

const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 11) & 0xff));
const blob = describeBytes(content, 'application/octet-stream');
const begun = (location = '/up/1', headers: Record<string, string> = {}): Handler =>
  reply(202, { location, ...headers });

/** A scripted registry whose uploads follow some settings. */
async function uploadTo(script: Parameters<typeof startScriptedServer>[0], settings: HostSettings): Promise<Scripted> {
  const server = await serve(script);
  const side = connectTo({ hosts: new Map([[server.host, settings]]) });
  return { ...side, server, app: repository(side, server.host) };
}

describe('an upload', () => {
  it('is one POST and one PUT', async () => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun('/up/1?state=a%2Bb&x=1'),
      'PUT /up/1': reply(201),
    });
    await app.put(blob, openBytes(content));
    expect(server.calls()).toEqual(['POST /v2/app/blobs/uploads/', 'PUT /up/1']);
    const put = server.seen[1];
    expect(put?.path).toBe(`/up/1?state=a%2Bb&x=1&digest=${encodeURIComponent(blob.digest)}`);
    expect(put?.headers).toMatchObject({ 'content-length': '200000', 'content-type': 'application/octet-stream' });
    expect(put?.body.equals(content)).toBe(true);
    expect(server.seen[0]?.headers['content-length']).toBe('0');
  });

  it('of nothing is possible', async () => {
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), 'PUT /up/1': reply(201) });
    const empty = describeBytes(Buffer.alloc(0), 'a/b');
    await app.put(empty, openBytes(Buffer.alloc(0)));
    expect(server.seen[1]?.headers['content-length']).toBe('0');
  });

  it('of other content than promised fails before it ends', async () => {
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), 'PUT /up/1': reply(201) });
    const other = Buffer.from(content);
    other[5] = 0;
    await expect(app.put(blob, openBytes(other))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    await expect(app.put(blob, openBytes(content.subarray(1)))).rejects.toMatchObject({ code: 'OCL_SIZE_MISMATCH' });
    await expect(app.put(blob, openBytes(Buffer.concat([content, content])))).rejects.toMatchObject({
      code: 'OCL_SIZE_MISMATCH',
    });
    expect(server.calls()).not.toContain('PUT /up/1');
  });

  it('passes on why its source failed', async () => {
    const { app } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), 'PUT /up/1': reply(201) });
    const why = new OclError('OCL_IO', 'Cannot read x: y');
    await expect(app.put(blob, () => Promise.reject(why))).rejects.toBe(why);
  });

  it('that the registry keeps under another digest is an error', async () => {
    const { app } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': [
        reply(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }),
        reply(201, { 'docker-content-digest': `sha512:${'0'.repeat(128)}` }),
      ],
    });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    await app.put(blob, openBytes(content));
  });

  it.each([
    ['without an address', reply(202), 'OCL_REGISTRY'],
    ['to a file', begun('file:///tmp/x'), 'OCL_UNSAFE'],
    ['with credentials', begun('http://a:b@127.0.0.1/'), 'OCL_UNSAFE'],
  ] as const)('%s is refused', async (_name, handler, code) => {
    const { app } = await scripted({ 'POST /v2/app/blobs/uploads/': handler });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code });
  });

  it('to another host goes without credentials', async () => {
    const storage = await serve({ 'PUT /put': reply(201) });
    const credentials = { find: () => Promise.resolve({ kind: 'bearer', token: 'secret' } as const) };
    const { app, server } = await scripted(
      { 'POST /v2/app/blobs/uploads/': begun(`${storage.url}/put?sig=1`) },
      { credentials },
    );
    await app.put(blob, openBytes(content));
    expect(server.seen[0]?.headers.authorization).toBe('Bearer secret');
    expect(storage.seen[0]?.headers.authorization).toBeUndefined();
    expect(storage.seen[0]?.path).toBe(`/put?sig=1&digest=${encodeURIComponent(blob.digest)}`);
  });

  it('is not sent on to yet another host', async () => {
    const storage = await serve({ 'PUT /put': reply(201) });
    const { app } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': reply(307, { location: `${storage.url}/put` }),
    });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
    expect(storage.seen).toEqual([]);
  });

  it('tells that it was given up', async () => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': reply(403),
      'DELETE /up/1': reply(204),
    });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_DENIED' });
    expect(server.calls().at(-1)).toBe('DELETE /up/1');
  });
});

/** An upload session that takes chunks as the specification wants it. */
function session(limits: { largest?: number; failAt?: number[] } = {}): {
  script: Record<string, Handler>;
  received: () => Buffer;
} {
  let received = Buffer.alloc(0);
  let patches = 0;
  const range = (): Record<string, string> => ({
    location: `/up/1?at=${received.length}`,
    range: `0-${Math.max(0, received.length - 1)}`,
  });
  return {
    received: () => received,
    script: {
      'PATCH /up/1': (response, request) => {
        const [start, end] =
          /^(\d+)-(\d+)$/
            .exec(request.headers['content-range'] ?? '')
            ?.slice(1)
            .map(Number) ?? [];
        if (request.body.length > (limits.largest ?? Infinity)) return reply(413)(response, request);
        if (start !== received.length || end !== received.length + request.body.length - 1)
          return reply(416, range())(response, request);
        const fails = limits.failAt?.includes(patches++);
        received = Buffer.concat([received, fails ? request.body.subarray(0, 777) : request.body]);
        if (fails) return void response.socket?.resetAndDestroy();
        return reply(202, range())(response, request);
      },
      'GET /up/1': (response, request) => reply(204, range())(response, request),
    },
  };
}

describe('chunks', () => {
  it('are sent in order, when the settings ask for them', async () => {
    const { script, received } = session();
    const { app, server } = await uploadTo(
      { 'POST /v2/app/blobs/uploads/': begun(), ...script, 'PUT /up/1': reply(201) },
      { monolithicBytes: 1000, chunkBytes: 65_536 },
    );
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    expect(server.seen.map(({ headers }) => headers['content-range']).filter(Boolean)).toEqual([
      '0-65535',
      '65536-131071',
      '131072-196607',
      '196608-199999',
    ]);
    expect(server.seen.at(-1)?.path).toBe(`/up/1?at=200000&digest=${encodeURIComponent(blob.digest)}`);
  });

  it('are as large as the registry wants them', async () => {
    const { script, received } = session();
    const { app, server } = await uploadTo(
      {
        'POST /v2/app/blobs/uploads/': begun('/up/1', { 'oci-chunk-min-length': '150000' }),
        ...script,
        'PUT /up/1': reply(201),
      },
      { monolithicBytes: 0, chunkBytes: 1000 },
    );
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    expect(server.calls().filter((call) => call === 'PATCH /up/1')).toHaveLength(2);
  });

  it('that would fill the memory are refused', async () => {
    const { app } = await uploadTo(
      { 'POST /v2/app/blobs/uploads/': begun('/up/1', { 'oci-chunk-min-length': '99999999999' }) },
      { monolithicBytes: 0 },
    );
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_LIMIT' });
  });

  it('come after 413, and grow smaller after another one', async () => {
    const { script, received } = session({ largest: 70_000 });
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      ...script,
      'PUT /up/1': [reply(413), reply(201)],
    });
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    expect(
      Math.max(
        ...server.seen
          .filter(
            ({ method, headers }) =>
              method === 'PATCH' && headers['content-range'] !== '0-199999' && headers['content-range'] !== '0-99999',
          )
          .map(({ body }) => body.length),
      ),
    ).toBeLessThanOrEqual(70_000);
  });

  it('that break are taken up where the registry says', async () => {
    const { script, received } = session({ failAt: [1, 3] });
    const { app, server, clock } = await uploadTo(
      { 'POST /v2/app/blobs/uploads/': begun(), ...script, 'PUT /up/1': reply(201) },
      { monolithicBytes: 0, chunkBytes: 65_536 },
    );
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    expect(server.calls().filter((call) => call === 'GET /up/1')).toHaveLength(2);
    expect(clock.sleeps).toHaveLength(2);
  });

  it('come after a connection that broke, with a new session', async () => {
    const { script, received } = session();
    let opened = 0;
    const { app } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      ...script,
      'PUT /up/1': [(response) => void response.socket?.resetAndDestroy(), reply(201)],
    });
    await app.put(blob, async () => (opened++, Readable.from([content], { objectMode: false })));
    expect(received().equals(content)).toBe(true);
    expect(opened).toBe(2);
  });

  it('that are not known are replaced by the whole', async () => {
    const { app, server } = await uploadTo(
      { 'POST /v2/app/blobs/uploads/': begun(), 'PATCH /up/1': reply(405), 'PUT /up/1': reply(201) },
      { monolithicBytes: 0 },
    );
    await app.put(blob, openBytes(content));
    expect(server.calls()).toEqual([
      'POST /v2/app/blobs/uploads/',
      'PATCH /up/1',
      'DELETE /up/1',
      'POST /v2/app/blobs/uploads/',
      'PUT /up/1',
    ]);
  });

  it('about which the registry talks nonsense are an error', async () => {
    for (const range of ['0-5000000', 'x', '5-9']) {
      const { app } = await uploadTo(
        { 'POST /v2/app/blobs/uploads/': begun(), 'PATCH /up/1': reply(202, { location: '/up/1', range }) },
        { monolithicBytes: 0 },
      );
      await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
    }
  });

  it('of wrong content never end an upload', async () => {
    const { script } = session();
    const { app, server } = await uploadTo(
      { 'POST /v2/app/blobs/uploads/': begun(), ...script, 'PUT /up/1': reply(201) },
      { monolithicBytes: 0, chunkBytes: 65_536 },
    );
    const other = Buffer.from(content);
    other[199_999] = 1;
    await expect(app.put(blob, openBytes(other))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    expect(server.calls()).not.toContain('PUT /up/1');
  });
});

describe('an upload that breaks', () => {
  const range = (bytes: number): Record<string, string> => ({
    location: '/up/1',
    range: `0-${Math.max(0, bytes - 1)}`,
  });

  /** A whole PUT of which the registry keeps so many bytes, and then chunks. */
  function keeping(bytes: number): { script: Record<string, Handler>; received: () => Buffer } {
    let received = Buffer.alloc(0);
    return {
      received: () => received,
      script: {
        'PUT /up/1': (response, request) => {
          if (request.body.length === 0) return reply(201)(response, request);
          received = Buffer.from(request.body.subarray(0, bytes));
          response.socket?.resetAndDestroy();
        },
        'GET /up/1': (response, request) => reply(204, range(received.length))(response, request),
        'PATCH /up/1': (response, request) => {
          const start = Number(request.headers['content-range']?.split('-')[0]);
          if (start !== received.length) return reply(416, range(received.length))(response, request);
          received = Buffer.concat([received, request.body]);
          return reply(202, range(received.length))(response, request);
        },
      },
    };
  }

  it.each([0, 70_000, 200_000])('goes on where the registry stands (%i bytes)', async (bytes) => {
    const { script, received } = keeping(bytes);
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), ...script });
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    const sent = server.seen.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers['content-range']);
    expect(sent).toEqual(bytes === 200_000 ? [] : [`${bytes}-199999`]);
    expect(server.calls().filter((call) => call.startsWith('POST'))).toHaveLength(1);
  });

  it('is well, when it was the answer that was lost', async () => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': (response) => void response.socket?.resetAndDestroy(),
      'GET /up/1': reply(404),
      [`HEAD /v2/app/blobs/${blob.digest}`]: reply(200),
    });
    await app.put(blob, openBytes(content));
    expect(server.calls()).toEqual([
      'POST /v2/app/blobs/uploads/',
      'PUT /up/1',
      'GET /up/1',
      `HEAD /v2/app/blobs/${blob.digest}`,
    ]);
  });

  it('is well, when the answer to its end was lost', async () => {
    const { script } = session();
    const { app, server } = await uploadTo(
      {
        'POST /v2/app/blobs/uploads/': begun(),
        ...script,
        'PUT /up/1': [(response) => void response.socket?.resetAndDestroy(), reply(404)],
        [`HEAD /v2/app/blobs/${blob.digest}`]: reply(200),
      },
      { monolithicBytes: 0, chunkBytes: 65_536 },
    );
    await app.put(blob, openBytes(content));
    expect(server.calls().filter((call) => call.startsWith('POST'))).toHaveLength(1);
  });

  it('begins anew, when the registry knows nothing of it', async () => {
    const { script, received } = session();
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      ...script,
      'GET /up/1': reply(404),
      'PUT /up/1': [reply(502), reply(201)],
    });
    await app.put(blob, openBytes(content));
    expect(received().equals(content)).toBe(true);
    expect(server.calls().filter((call) => call.startsWith('POST'))).toHaveLength(2);
  });

  it('begins anew, when the parts do not belong together', async () => {
    const { script } = keeping(70_000);
    let ends = 0;
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': [begun(), begun('/up/2')],
      ...script,
      'PUT /up/1': (response, request) =>
        request.body.length === 0 && ++ends > 0
          ? replyJson(400, { errors: [{ code: 'DIGEST_INVALID' }] })(response, request)
          : script['PUT /up/1']?.(response, request),
      'PATCH /up/2': (response, request) =>
        reply(202, { location: '/up/2', range: `0-${request.body.length - 1}` })(response, request),
      'PUT /up/2': reply(201),
    });
    await app.put(blob, openBytes(content));
    expect(ends).toBe(1);
    expect(server.calls().at(-1)).toBe('PUT /up/2');
  });

  it('is given up after some tries, with a bounded number of requests', async () => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': reply(500),
      'PATCH /up/1': reply(500),
      'GET /up/1': reply(204, { location: '/up/1', range: '0-0' }),
      [`HEAD /v2/app/blobs/${blob.digest}`]: reply(404),
    });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
    expect(server.seen.length).toBeLessThan(60);
  });

  it('never ends with what a broken source gave', async () => {
    const { script, received } = keeping(70_000);
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), ...script });
    let opened = 0;
    const broken = async (): Promise<Readable> => {
      if (++opened === 1) return Readable.from([content], { objectMode: false });
      return Readable.from(
        (function* () {
          yield content.subarray(0, 150_000);
          throw new OclError('OCL_IO', 'Cannot read', { side: 'source' });
        })(),
        { objectMode: false },
      );
    };
    await expect(app.put(blob, broken)).rejects.toMatchObject({ code: 'OCL_IO' });
    expect(received().length).toBeLessThan(content.length);
    expect(server.seen.filter(({ method, body }) => method === 'PUT' && body.length === 0)).toEqual([]);
  });
});

describe('other ways', () => {
  it.each([400 + 15, 416, 405, 411])('a stream without a length goes where chunks do not (%i)', async (status) => {
    const patches: Seen[] = [];
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': (response, request) => reply(request.body.length > 0 ? 413 : 201)(response, request),
      'PATCH /up/1': (response, request) => {
        if (request.headers['content-range'] !== undefined) return reply(status)(response, request);
        patches.push(request);
        return reply(202, { location: '/up/1?s=2', range: `0-${request.body.length - 1}` })(response, request);
      },
    });
    await app.put(blob, openBytes(content));
    expect(patches).toHaveLength(1);
    expect(patches[0]?.body.equals(content)).toBe(true);
    expect(patches[0]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(server.seen.at(-1)?.path).toBe(`/up/1?s=2&digest=${encodeURIComponent(blob.digest)}`);
  });

  it('end, when a registry takes none of them', async () => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': begun(),
      'PUT /up/1': reply(405),
      'PATCH /up/1': reply(405),
    });
    await expect(app.put(blob, openBytes(content))).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
    expect(server.calls().filter((call) => /^P(UT|ATCH)/.test(call))).toHaveLength(3);
  });

  it('201 to a chunk is as good as 202', async () => {
    const { app, server } = await uploadTo(
      {
        'POST /v2/app/blobs/uploads/': begun(),
        'PATCH /up/1': reply(201, { location: '/up/1' }),
        'PUT /up/1': reply(201),
      },
      { monolithicBytes: 0 },
    );
    await app.put(blob, openBytes(content));
    expect(server.calls().at(-1)).toBe('PUT /up/1');
  });
});

describe('a mount', () => {
  const at = (server: { host: string }): { kind: 'repository'; registry: string; repository: string } => ({
    kind: 'repository',
    registry: server.host,
    repository: 'other',
  });

  it('spares the upload', async () => {
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': reply(201, { location: 'x' }) });
    expect(await app.adopt(blob, at(server))).toBe('mounted');
    expect(server.seen[0]?.path).toBe(`/v2/app/blobs/uploads/?mount=${encodeURIComponent(blob.digest)}&from=other`);
  });

  it('that is declined leaves a session for the upload', async () => {
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), 'PUT /up/1': reply(201) });
    expect(await app.adopt(blob, at(server))).toBeUndefined();
    await app.put(blob, openBytes(content));
    expect(server.calls()).toEqual(['POST /v2/app/blobs/uploads/', 'PUT /up/1']);
  });

  it('that is declined leaves nothing behind when no upload follows', async () => {
    const { app, server } = await scripted({ 'POST /v2/app/blobs/uploads/': begun(), 'DELETE /up/1': reply(204) });
    await app.adopt(blob, at(server));
    await app.close();
    expect(server.calls().at(-1)).toBe('DELETE /up/1');
  });

  it.each([400, 401, 403, 404, 405])('that fails with %i is no failure', async (status) => {
    const { app, server } = await scripted({
      'POST /v2/app/blobs/uploads/': [reply(status), begun()],
      'PUT /up/1': reply(201),
    });
    expect(await app.adopt(blob, at(server))).toBeUndefined();
    await app.put(blob, openBytes(content));
  });

  it('is not asked for where it cannot be', async () => {
    const { app, server } = await scripted({});
    expect(
      await app.adopt(blob, { kind: 'repository', registry: 'elsewhere.example', repository: 'other' }),
    ).toBeUndefined();
    expect(await app.adopt(blob, { kind: 'repository', registry: server.host, repository: 'app' })).toBeUndefined();
    expect(await app.adopt(blob, { kind: 'file', path: '/x' })).toBeUndefined();
    expect(await app.adopt(blob, { kind: 'elsewhere' })).toBeUndefined();
    expect(server.seen).toEqual([]);
  });
});
