import { afterEach, describe, expect, it } from 'vitest';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { createCredentials } from '../../../../src/stores/registry/auth/credentials.ts';
import { reply, replyJson, type Handler, type Seen } from '../../../support/scriptedServer.ts';
import { basicOf, bearerTo, guarded, known, password, tags } from './authHarness.ts';
import { cleanUp, listAll, openBytes, scripted } from '../harness.ts';

afterEach(cleanUp);

function query(request: Seen | undefined): URLSearchParams {
  return new URL(request?.path ?? '', 'http://x').searchParams;
}

describe('login', () => {
  it('is not made where nobody asks for it', async () => {
    const { app, server } = await scripted({ 'GET /v2/app/tags/list': tags }, { credentials: known(password) });
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(server.seen[0]?.headers.authorization).toBeUndefined();
  });

  it('by Basic, learnt once', async () => {
    const expected = `Basic ${Buffer.from('me:söcret:x').toString('base64')}`;
    const { app, server } = await scripted(
      { 'GET /v2/app/tags/list': guarded('Basic realm="x"', (value) => value === expected, tags) },
      { credentials: known(password) },
    );
    await listAll(app.tags());
    await listAll(app.tags());
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, expected, expected]);
  });

  it.each(['latin1', 'utf8'] as const)('by the very bytes that docker has kept, in %s', async (charset) => {
    const auth = Buffer.from('mé:söcret', charset).toString('base64');
    const { app, server } = await scripted(
      {
        'GET /v2/app/tags/list': guarded('Bearer realm="/token"', (value) => value === 'Bearer t', tags),
        'GET /v2/app/manifests/v1': guarded('Basic realm="x"', (value) => value === `Basic ${auth}`, reply(404)),
        'GET /token': replyJson(200, { token: 't' }),
      },
      {
        credentials: {
          find: (registry, name) =>
            createCredentials({
              files: [{ name: 'TEXT', text: JSON.stringify({ auths: { [registry]: { auth } } }) }],
            }).find(registry, name),
        },
      },
    );
    await listAll(app.tags());
    expect(server.seen[1]?.headers.authorization).toBe(`Basic ${auth}`);
    await expect(app.resolve('v1')).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('by an anonymous token, which is kept for its scope', async () => {
    const { app, server } = await scripted({
      'GET /v2/app/tags/list': guarded(bearerTo(), (value) => value === 'Bearer t1', tags),
      'GET /token': replyJson(200, { token: 't1', expires_in: 300 }),
    });
    await listAll(app.tags());
    await listAll(app.tags());
    expect(server.calls()).toEqual([
      'GET /v2/app/tags/list',
      'GET /token',
      'GET /v2/app/tags/list',
      'GET /v2/app/tags/list',
    ]);
    const asked = query(server.seen[1]);
    expect(asked.get('service')).toBe('test');
    expect(asked.getAll('scope')).toEqual(['repository:app:pull']);
    expect(server.seen[1]?.headers.authorization).toBeUndefined();
  });

  it('by a token for a password', async () => {
    const credentials = known(password);
    const { app, server } = await scripted(
      {
        'GET /v2/app/tags/list': guarded(['Basic realm="x"', bearerTo()], (value) => value === 'Bearer t1', tags),
        'GET /token': replyJson(200, { access_token: 't1' }),
      },
      { credentials },
    );
    await listAll(app.tags());
    expect(server.seen[1]?.headers.authorization).toBe(`Basic ${Buffer.from('me:söcret:x').toString('base64')}`);
    expect(query(server.seen[1]).get('account')).toBe('me');
    expect(credentials.asked).toEqual([`${server.host}/app`]);
  });

  it('by an identity token, and by GET where POST is not known', async () => {
    const guard = { 'GET /v2/app/tags/list': guarded(bearerTo(), (value) => value === 'Bearer t1', tags) };
    const identity = known({ kind: 'identity', token: 'refresh/1' });
    const modern = await scripted(
      { ...guard, 'POST /token': replyJson(200, { access_token: 't1' }) },
      { credentials: identity },
    );
    await listAll(modern.app.tags());
    expect(Object.fromEntries(new URLSearchParams(modern.server.seen[1]?.body.toString()))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'ocl',
      refresh_token: 'refresh/1',
      service: 'test',
      scope: 'repository:app:pull',
    });
    const old = await scripted({ ...guard, 'GET /token': replyJson(200, { token: 't1' }) }, { credentials: identity });
    await listAll(old.app.tags());
    expect(old.server.calls().slice(1, 3)).toEqual(['POST /token', 'GET /token']);
  });

  it('by Basic for the catalog, where a token does not open it', async () => {
    const basic = basicOf('me:söcret:x');
    const page = (next: string): Handler =>
      replyJson(200, { repositories: [`r${next}`] }, next === '' ? {} : { link: next });
    const { registries, server } = await scripted(
      {
        'GET /v2/_catalog': [
          ...Array.from({ length: 3 }, () =>
            guarded(bearerTo(), (value) => value === basic, page('</v2/_catalog?last=a>; rel="next"')),
          ),
          guarded(bearerTo(), (value) => value === basic, page('')),
        ],
        'GET /token': replyJson(200, { token: 't1' }),
      },
      { credentials: known(password) },
    );
    await listAll(registries.catalog(server.host));
    const catalog = server.seen.filter(({ path }) => path.startsWith('/v2/_catalog'));
    expect(catalog.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer t1', basic, basic]);
  });

  it('by no Basic where a token does not open a repository', async () => {
    const { app, server } = await scripted(
      {
        'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo() }),
        'GET /token': replyJson(200, { token: 't1' }),
      },
      { credentials: known(password) },
    );
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    const calls = server.seen.filter(({ path }) => !path.startsWith('/token'));
    expect(calls.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer t1']);
  });

  it('by a token that was handed in', async () => {
    const { app, server } = await scripted(
      { 'GET /v2/app/tags/list': tags },
      { credentials: known({ kind: 'bearer', token: 'ready' }) },
    );
    await listAll(app.tags());
    expect(server.seen[0]?.headers.authorization).toBe('Bearer ready');
  });

  it('by the challenge of /v2/ where the call itself has none', async () => {
    const { app, server } = await scripted({
      'GET /v2/app/tags/list': guarded(undefined, (value) => value === 'Bearer t1', tags),
      'GET /v2/': reply(401, { 'www-authenticate': 'Bearer realm="/token",scope="repository:another:pull"' }),
      'GET /token': replyJson(200, { token: 't1' }),
    });
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(server.calls()[1]).toBe('GET /v2/');
    expect(query(server.seen[2]).getAll('scope')).toEqual(['repository:app:pull']);
  });

  it('once for many at the same time', async () => {
    const { app, server } = await scripted({
      'GET /v2/app/tags/list': guarded(bearerTo(), (value) => value === 'Bearer t1', tags),
      'GET /token': replyJson(200, { token: 't1', expires_in: 300 }),
    });
    await Promise.all(Array.from({ length: 10 }, () => listAll(app.tags())));
    expect(server.calls().filter((call) => call === 'GET /token')).toHaveLength(1);
  });
});

describe('a token', () => {
  it('is renewed before it ends', async () => {
    let issued = 0;
    const { app, server, clock } = await scripted({
      'GET /v2/app/tags/list': guarded(bearerTo(), (value) => value === `Bearer t${issued}`, tags),
      'GET /token': (response, request) =>
        replyJson(200, { token: `t${++issued}`, expires_in: 100 })(response, request),
    });
    await listAll(app.tags());
    clock.advance(79_000);
    await listAll(app.tags());
    expect(issued).toBe(1);
    clock.advance(2000);
    await listAll(app.tags());
    expect(issued).toBe(2);
    expect(server.calls().filter((call) => call === 'GET /v2/app/tags/list')).toHaveLength(4);
  });

  it('that the registry no longer takes is replaced once', async () => {
    let issued = 0;
    let valid = 1;
    const { app } = await scripted({
      'GET /v2/app/tags/list': guarded(bearerTo(), (value) => value === `Bearer t${valid}`, tags),
      'GET /token': (response, request) =>
        replyJson(200, { token: `t${++issued}`, expires_in: 3000 })(response, request),
    });
    await listAll(app.tags());
    valid = 2;
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(issued).toBe(2);
  });

  it.each([
    ['that could end a header', { token: 'a\r\nx: y' }],
    ['that is empty', { token: '' }],
    ['that is none', { token: 7 }],
    ['in no object', []],
  ])('%s is refused', async (_name, value) => {
    const { app } = await scripted({
      'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo() }),
      'GET /token': replyJson(200, value),
    });
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
  });

  it('of a server that writes without end is refused', async () => {
    const { app } = await scripted({
      'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo() }),
      'GET /token': reply(200, {}, Buffer.alloc(3 << 20, 0x20)),
    });
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_LIMIT' });
  });

  it('for a push asks to push, for a removal to delete, and for a mount to read there too', async () => {
    const challenge = guarded(bearerTo(), (value) => value !== '', reply(404));
    const { app, server } = await scripted(
      {
        'POST /v2/app/blobs/uploads/': challenge,
        'DELETE /v2/app/blobs/sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a': challenge,
        'GET /token': replyJson(200, { token: 't' }),
      },
      {},
    );
    const blob = describeBytes(Buffer.from('{}'), 'a/b');
    await app.adopt(blob, { kind: 'repository', registry: server.host, repository: 'other' });
    await expect(app.put(blob, openBytes(Buffer.from('{}')))).rejects.toThrow(/404/);
    expect(await app.removeBlob(blob.digest)).toBe(false);
    const scopes = server.seen
      .filter(({ path }) => path.startsWith('/token'))
      .map((request) => query(request).getAll('scope'));
    expect(scopes).toEqual([
      ['repository:app:pull,push', 'repository:other:pull'],
      ['repository:app:pull,push'],
      ['repository:app:pull,delete'],
    ]);
  });
});
