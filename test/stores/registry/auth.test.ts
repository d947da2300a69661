import { afterEach, describe, expect, it } from 'vitest';
import { isCode } from '../../../src/core/errors.ts';
import { type Credential, type Credentials } from '../../../src/stores/registry/credentials.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { reply, replyJson, type Handler, type Seen } from '../../support/scriptedServer.ts';
import { cleanUp, listAll, openBytes, readAll, repository, scripted, serve } from './harness.ts';

afterEach(cleanUp);

const tags = replyJson(200, { name: 'app', tags: ['v1'] });

function known(credential: Credential | undefined): Credentials & { asked: string[] } {
  const asked: string[] = [];
  return { asked, find: (registry, name) => (asked.push(`${registry}/${name}`), Promise.resolve(credential)) };
}

const password: Credential = { kind: 'password', username: 'me', password: 'söcret:x' };

/** Answers 401 with a challenge until the right value comes. */
function guarded(
  challenge: string | string[] | undefined,
  allowed: (authorization: string) => boolean,
  then: Handler,
): Handler {
  return (response, request) => {
    if (allowed(request.headers.authorization ?? '')) return then(response, request);
    return reply(401, challenge === undefined ? {} : { 'www-authenticate': challenge })(response, request);
  };
}

function bearerTo(path = '/token'): string {
  return `Bearer realm="${path}",service="test",scope="repository:app:pull"`;
}

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
      'GET /v2/': reply(401, { 'www-authenticate': bearerTo() }),
      'GET /token': replyJson(200, { token: 't1' }),
    });
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(server.calls()[1]).toBe('GET /v2/');
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

describe('a refusal', () => {
  it('is remembered, so that a wrong password is sent once', async () => {
    const { app, server, clock } = await scripted(
      { 'GET /v2/app/tags/list': reply(401, { 'www-authenticate': 'Basic realm="x"' }) },
      { credentials: known(password) },
    );
    await expect(listAll(app.tags())).rejects.toMatchObject({
      code: 'OCL_UNAUTHORIZED',
      hint: expect.stringContaining("docker's config.json"),
    });
    await expect(listAll(app.tags())).rejects.toMatchObject({
      code: 'OCL_UNAUTHORIZED',
      message: expect.stringContaining('a short while ago'),
    });
    expect(server.seen).toHaveLength(2);
    clock.advance(6 * 60_000);
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(server.seen.length).toBeGreaterThan(2);
  });

  it('by the token server is remembered for its repository alone', async () => {
    const side = await scripted(
      {
        'GET /v2/app/tags/list': reply(401, { 'www-authenticate': bearerTo() }),
        'GET /v2/open/tags/list': guarded(bearerTo(), (value) => value === 'Bearer ok', tags),
        'GET /token': [replyJson(401, { details: 'incorrect username or password' }), replyJson(200, { token: 'ok' })],
      },
      { credentials: known(password) },
    );
    await expect(listAll(side.app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    await expect(listAll(side.app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(side.server.calls().filter((call) => call === 'GET /token')).toHaveLength(1);
    expect(await listAll(repository(side, side.server.host, 'open').tags())).toEqual(['v1']);
  });

  it('of one call does not shut out those that are let in', async () => {
    const { app } = await scripted({ 'GET /v2/app/tags/list': [tags, reply(401), tags], 'GET /v2/': reply(200) });
    await listAll(app.tags());
    await expect(listAll(app.tags())).rejects.toThrow(/401/);
    expect(await listAll(app.tags())).toEqual(['v1']);
  });
});

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
    const expected = `Basic ${Buffer.from('me:söcret:x').toString('base64')}`;
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
});
