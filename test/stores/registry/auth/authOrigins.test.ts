import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isCode } from '../../../../src/core/errors.ts';
import { createHttp } from '../../../../src/io/http.ts';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { createAuthority } from '../../../support/certificates.ts';
import { reply, replyJson, type Handler } from '../../../support/scriptedServer.ts';
import { basicOf, bearerTo, guarded, known, password, tags } from './authHarness.ts';
import { cleanUp, listAll, openBytes, readAll, scripted, serve } from '../harness.ts';

afterEach(cleanUp);

describe('credentials stay where they belong', () => {
  it('a token server inside a private network gets nothing', async () => {
    const { app } = await scripted(
      { 'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo('http://169.254.169.254/token') }) },
      { credentials: known(password) },
    );
    await expect(listAll(app.tags())).rejects.toSatisfy((error) => isCode(error, 'OCL_UNSAFE'));
  });

  it('a token server that redirects gets no further', async () => {
    const thief = await serve({ 'GET /steal': replyJson(200, { token: 't' }) });
    const { app } = await scripted(
      {
        'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo() }),
        'GET /token': reply(302, { location: `${thief.url}/steal` }),
      },
      { credentials: known(password) },
    );
    await expect(listAll(app.tags())).rejects.toSatisfy((error) => isCode(error, 'OCL_UNSAFE'));
    expect(thief.seen).toEqual([]);
  });

  it('the target of a redirect sees none, nor may it ask for them', async () => {
    const bytes = Buffer.from('content');
    const blob = describeBytes(bytes, 'a/b');
    const cdn = await serve({
      'GET /blob': reply(200, {}, bytes),
      'GET /ask': reply(401, { 'www-authenticate': 'Basic realm="give"' }),
    });
    const expected = basicOf('me:söcret:x');
    const path = `GET /v2/app/blobs/${blob.digest}`;
    const to = (target: string): Handler =>
      guarded('Basic realm="x"', (value) => value === expected, reply(307, { location: `${cdn.url}${target}` }));
    const { app } = await scripted(
      { [path]: [to('/blob'), to('/blob'), to('/ask')] },
      { credentials: known(password) },
    );
    expect((await readAll(await app.open(blob))).toString()).toBe('content');
    await expect(app.open(blob)).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(cdn.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  it.each([
    ['another host', (host: string) => `http://localhost:${host.split(':')[1]}/blob`],
    ['another port', undefined],
  ])('%s is another origin', async (_name, elsewhere) => {
    const bytes = Buffer.from('content');
    const blob = describeBytes(bytes, 'a/b');
    const other = await serve({ 'GET /blob': reply(200, {}, bytes) });
    const { app, server } = await scripted(
      {
        [`GET /v2/app/blobs/${blob.digest}`]: guarded(
          'Basic realm="x"',
          (value) => value !== '',
          (response, request) => {
            const location = elsewhere?.(request.headers.host ?? '') ?? `${other.url}/blob`;
            return reply(307, { location })(response, request);
          },
        ),
        'GET /blob': reply(200, {}, bytes),
      },
      { credentials: known(password) },
    );
    expect((await readAll(await app.open(blob))).toString()).toBe('content');
    const all = [...server.seen, ...other.seen];
    expect(all.filter(({ path }) => path === '/blob').map(({ headers }) => headers.authorization)).toEqual([undefined]);
    expect(all.filter(({ headers }) => headers.authorization !== undefined)).toHaveLength(1);
  });

  it('another scheme is another origin', async () => {
    const authority = createAuthority();
    const bytes = Buffer.from('content');
    const blob = describeBytes(bytes, 'a/b');
    let seen: unknown = 'nothing';
    const secure = createServer(authority.server(['127.0.0.1']), (request, response) => {
      seen = request.headers.authorization;
      response.end(bytes);
    });
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const http = createHttp({ userAgent: 'test', tls: { ca: [authority.cert] } });
    const to = `https://127.0.0.1:${(secure.address() as AddressInfo).port}/blob`;
    const { app } = await scripted(
      { [`GET /v2/app/blobs/${blob.digest}`]: guarded('Basic realm="x"', Boolean, reply(307, { location: to })) },
      { credentials: known(password), http },
    );
    expect((await readAll(await app.open(blob))).toString()).toBe('content');
    expect(seen).toBeUndefined();
    await http.close();
    secure.closeAllConnections();
    secure.close();
  });

  it('an upload that goes on elsewhere takes none along', async () => {
    const bytes = Buffer.from('content');
    const blob = describeBytes(bytes, 'a/b');
    const store = await serve({ 'PUT /up': reply(201) });
    const { app, server } = await scripted(
      {
        'POST /v2/app/blobs/uploads/': guarded('Basic realm="x"', Boolean, reply(202, { location: `${store.url}/up` })),
      },
      { credentials: known(password) },
    );
    await app.put(blob, openBytes(bytes));
    expect(server.seen.at(-1)?.headers.authorization).toBeDefined();
    expect(store.seen.map(({ method, headers }) => [method, headers.authorization])).toEqual([['PUT', undefined]]);
  });

  it('a token server that changes gets nothing, and the first one keeps what it has', async () => {
    const thief = await serve({ 'GET /token': replyJson(200, { token: 'stolen' }) });
    const { app, server } = await scripted(
      {
        'GET /v2/app/tags/list': [
          guarded(bearerTo(), Boolean, tags),
          tags,
          reply(401, { 'www-authenticate': bearerTo(`${thief.url}/token`) }),
        ],
        'GET /token': replyJson(200, { token: 't1', expires_in: 300 }),
      },
      { credentials: known(password) },
    );
    expect(await listAll(app.tags())).toEqual(['v1']);
    await expect(listAll(app.tags())).rejects.toMatchObject({
      code: 'OCL_UNSAFE',
      message: expect.stringMatching(/its token server was .* and now it names/),
    });
    expect(thief.seen).toEqual([]);
    expect(server.calls().filter((call) => call === 'GET /token')).toHaveLength(1);
  });
});
