import { afterEach, describe, expect, it } from 'vitest';
import { createHttp } from '../../../../src/io/http.ts';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { type Credential } from '../../../../src/stores/registry/auth/credentials.ts';
import { createFetchToken } from '../../../../src/stores/registry/auth/token.ts';
import { fakeClock } from '../../../support/fakeClock.ts';
import { reply, replyJson } from '../../../support/scriptedServer.ts';
import { type TokenServerOptions } from '../../../support/tokenServer.ts';
import {
  basicOf,
  behindTokens,
  closeTokenServers,
  guarded,
  known,
  list,
  lists,
  password,
  tags,
} from './authHarness.ts';
import { cleanUp, listAll, scripted, serve } from '../harness.ts';

afterEach(async () => {
  await cleanUp();
  await closeTokenServers();
});

const ACR = '00000000-0000-0000-0000-000000000000';
/** As Entra ID writes them: only what is read of it matters. */
const accessToken = jwt({ iss: 'https://sts.windows.net/x/', tid: '11111111-2222-3333-4444-555555555555' });
const acrToken = jwt({ iss: 'Azure Container Registry', grant_type: 'refresh_token' });

function jwt(claims: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
}

describe('a token is got', () => {
  const identity: Credential = { kind: 'identity', token: 'refresh/1+2=' };
  const acr = (secret: string): Credential => ({ kind: 'password', username: ACR, password: secret });
  const noGet = (status: 404 | 405): Partial<TokenServerOptions> => ({ without: { method: 'GET', status } });
  it.each<[string, Credential, Partial<TokenServerOptions>, string[]]>([
    ['by GET for a password', password, {}, ['GET /token 200', 'GET /token 200']],
    ['by POST where GET is 405', password, noGet(405), ['GET /token 405', 'POST /token 200', 'POST /token 200']],
    ['by POST where GET is 404', password, noGet(404), ['GET /token 404', 'POST /token 200', 'POST /token 200']],
    [
      'by POST for a refresh token',
      identity,
      { refreshTokens: ['refresh/1+2='] },
      ['POST /token 200', 'POST /token 200'],
    ],
    [
      'by GET for a refresh token where there is no POST',
      identity,
      { without: { method: 'POST', status: 405 }, accounts: { '<token>': 'refresh/1+2=' } },
      ['POST /token 405', 'GET /token 200', 'POST /token 405', 'GET /token 200'],
    ],
    [
      "for ACR's refresh token",
      acr(acrToken),
      { exchange: {}, refreshTokens: [acrToken] },
      ['POST /oauth2/token 200', 'POST /oauth2/token 200'],
    ],
    [
      'for an access token, by ACR in exchange for a refresh token that is kept',
      acr(accessToken),
      { exchange: { [accessToken]: 'r1' }, refreshTokens: ['r1'] },
      ['POST /oauth2/token 401', 'POST /oauth2/exchange 200', 'POST /oauth2/token 200', 'POST /oauth2/token 200'],
    ],
  ])('%s', async (_name, credential, options, expected) => {
    const { tokens, at } = await behindTokens(options, lists('app', 'other'), known(credential));
    expect(await listAll(at('app').tags())).toEqual(['v1']);
    expect(await listAll(at('other').tags())).toEqual(['v1']);
    expect(tokens.asked.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual(expected);
  });

  it('in exchange with the service and the tenant', async () => {
    const exchange = { [accessToken]: 'r1' };
    const { tokens, at } = await behindTokens(
      { exchange, refreshTokens: ['r1'] },
      lists('app'),
      known(acr(accessToken)),
    );
    await listAll(at('app').tags());
    const asked = tokens.asked.find(({ path }) => path === '/oauth2/exchange');
    expect(Object.fromEntries(new URLSearchParams(asked?.seen.body.toString()))).toEqual({
      grant_type: 'access_token',
      service: 'test',
      tenant: '11111111-2222-3333-4444-555555555555',
      access_token: accessToken,
    });
  });

  it.each([
    ['a secret that is no access token', 'plain'],
    ["ACR's own refresh token", acrToken],
    ['broken JWTs', 'a.%%%.b'],
  ])('without an exchange for %s', async (_name, secret) => {
    const { tokens, at } = await behindTokens({ exchange: { [secret]: 'r1' } }, lists('app'), known(acr(secret)));
    await expect(listAll(at('app').tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(tokens.asked.map(({ path }) => path)).toEqual(['/oauth2/token']);
  });

  it('with a grant that OAuth2 refuses told as a refusal', async () => {
    const { app, server } = await scripted(
      {
        [list('app')]: reply(401, { 'www-authenticate': 'Bearer realm="/token"' }),
        'POST /token': replyJson(400, { error: 'invalid_grant' }),
      },
      { credentials: known(identity) },
    );
    for (let run = 0; run < 2; run++)
      await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(server.calls().filter((call) => call === 'POST /token')).toHaveLength(1);
  });

  it('with each scope in a parameter of its own, and in one where it is a form', async () => {
    for (const method of ['GET', 'POST'] as const) {
      const { tokens, at, server } = await behindTokens(
        { without: { method: method === 'GET' ? 'POST' : 'GET', status: 405 } },
        (made) => ({ 'POST /v2/app/blobs/uploads/': made.guard('repository:app:pull,push', reply(201)) }),
        known(password),
      );
      const blob = describeBytes(Buffer.from('{}'), 'a/b');
      await at('app').adopt(blob, { kind: 'repository', registry: server.host, repository: 'other' });
      const scopes = ['repository:app:pull,push', 'repository:other:pull'];
      expect(tokens.asked.at(-1)?.scopes).toEqual(method === 'GET' ? scopes : [scopes.join(' ')]);
    }
  });

  it.each([
    ['AWS', 'x'.repeat(3000)],
    ['_json_key', '{\n  "private_key": "-----BEGIN\\n+/=&?#%20"\n}\n'],
    ['_json_key_base64', 'eyJhIjoiYiJ9Cg=='],
    ['oauth2accesstoken', 'ya29.a+b/c=='],
    ['robot$proj+name', ' spaces and\ttab '],
    ['org+robot', 'colon:in:it'],
    ['$oauthtoken', 'pässwörd€😀'],
    ['me@corp.example', '%41%3A'],
  ])('for %s byte by byte', async (username, secret) => {
    const credential: Credential = { kind: 'password', username, password: secret };
    const expected = basicOf(`${username}:${secret}`);
    const direct = await scripted(
      { [list('app')]: guarded('Basic realm="x"', (value) => value === expected, tags) },
      { credentials: known(credential) },
    );
    expect(await listAll(direct.app.tags())).toEqual(['v1']);
    const options = { accounts: { [username]: secret } };
    const byGet = await behindTokens(options, lists('app'), known(credential));
    await listAll(byGet.at('app').tags());
    const { headers, path } = byGet.tokens.asked[0]?.seen ?? {};
    expect(headers?.authorization).toBe(expected);
    expect(new URL(path ?? '', 'http://x').searchParams.get('account')).toBe(username);
    const byPost = await behindTokens(
      { ...options, without: { method: 'GET', status: 405 } },
      lists('app'),
      known(credential),
    );
    expect(await listAll(byPost.at('app').tags())).toEqual(['v1']);
  });
});

describe('a token server whose name leads inside', () => {
  const asking = (realm: string) => ({
    registry: 'registry.example',
    realm: new URL(realm),
    service: undefined,
    scopes: [],
    credential: password,
  });
  it.each([
    ['is refused for a registry of the internet', 'https://registry.example/', 'OCL_UNSAFE', 0],
    ['is asked for a registry that is inside itself', 'http://10.1.2.3/', undefined, 1],
  ])('%s', async (_name, base, code, requests) => {
    const server = await serve({ 'GET /token': replyJson(200, { token: 't' }) });
    const http = createHttp({ userAgent: 'test' });
    const fetchToken = createFetchToken({
      http,
      clock: fakeClock(),
      trust: { tlsFor: () => undefined },
      base: new URL(base),
    });
    const outcome = fetchToken(asking(`http://localhost:${new URL(server.url).port}/token`)).then(
      ({ value }) => value,
      (error: { code: string }) => error.code,
    );
    expect(await outcome).toBe(code ?? 't');
    expect(server.seen).toHaveLength(requests);
    await http.close();
  });
});
