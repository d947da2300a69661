import { createServer as createTlsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silent } from '../../../../src/core/events.ts';
import { Authorities } from '../../../../src/io/authorities.ts';
import { createHttp } from '../../../../src/io/http.ts';
import { type ProxySettings } from '../../../../src/io/proxy.ts';
import { systemClock } from '../../../../src/io/systemClock.ts';
import { createCredentials, type Credential } from '../../../../src/stores/registry/auth/credentials.ts';
import { diagnose } from '../../../../src/stores/registry/diagnose/diagnose.ts';
import { type HostSettings } from '../../../../src/stores/registry/hosts.ts';
import { createMemoryLibrary } from '../../../../src/stores/memory/library.ts';
import { createAuthority, type Pair } from '../../../support/certificates.ts';
import { startConnectProxy } from '../../../support/connectProxy.ts';
import { Pusher, startEmbedded } from '../../../support/embedded.ts';
import { temporaryDirectories } from '../../../support/layouts.ts';
import { reply, replyJson, startScriptedServer, type Handler } from '../../../support/scriptedServer.ts';
import { startTokenServer } from '../../../support/tokenServer.ts';
import { type DiagnoseOptions, type Step, type StepName } from '../../../../src/stores/registry/diagnose/step.ts';

const temporary = temporaryDirectories();
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function closing<T extends { close(): Promise<unknown> }>(thing: T): T {
  cleanups.push(() => thing.close());
  return thing;
}

interface Asked extends Partial<Omit<DiagnoseOptions, 'registry' | 'credentials' | 'hosts'>> {
  readonly settings?: HostSettings;
  readonly login?: Credential;
}

/** All steps, of which each is as a person would read it, too. */
async function ask(registry: string, { login, settings = {}, ...options }: Asked = {}): Promise<readonly Step[]> {
  const http = closing(createHttp({ userAgent: 'ocl-test', proxy: options.proxies }));
  const explicit = login === undefined ? [] : [{ registry, credential: login }];
  const steps: Step[] = [];
  for await (const step of diagnose({
    registry,
    hosts: new Map([[registry, settings]]),
    http,
    clock: systemClock,
    credentials: createCredentials({ files: [], explicit }),
    emit: silent,
    timeout: 5000,
    ...options,
  })) {
    steps.push(step);
  }
  return steps;
}

const names = (steps: readonly Step[]): readonly StepName[] => steps.map(({ step }) => step);
const PASSWORD = 'hunter2-secret';
const login = { kind: 'password', username: 'anna', password: PASSWORD } as const;

/** The one step that failed, which is the last. */
function failed(steps: readonly Step[]): Step {
  expect(steps.filter(({ ok }) => !ok)).toEqual([steps.at(-1)]);
  expect(JSON.stringify(steps)).not.toContain(PASSWORD);
  return steps.at(-1) as Step;
}

function passed(steps: readonly Step[], name: StepName): Step {
  expect(steps.filter(({ ok }) => !ok)).toEqual([]);
  expect(JSON.stringify(steps)).not.toContain(PASSWORD);
  return steps.find(({ step }) => step === name) as Step;
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function startTls(pair: Pair): Promise<number> {
  const server = createTlsServer(pair, (_, response) => response.writeHead(200).end('{}'));
  return listening(server.on('tlsClientError', () => {}));
}

async function scripted(script: Readonly<Record<string, Handler>>): Promise<string> {
  return closing(await startScriptedServer(script)).host;
}

describe('a registry that works', () => {
  it('passes all steps, and keeps nothing of a push that was tried', async () => {
    const registry = closing(await startEmbedded(createMemoryLibrary()));
    const { descriptor } = await new Pusher(registry.url, 'team/app').manifest('1');
    const steps = await ask(registry.host, { image: { repository: 'team/app', name: '1' }, push: true });
    expect(names(steps)).toEqual([
      'settings',
      'proxy',
      'dns',
      'tcp',
      'api',
      'challenge',
      'credentials',
      'pull',
      'push',
    ]);
    expect(passed(steps, 'pull').facts).toMatchObject({ digest: descriptor.digest, mediaType: descriptor.mediaType });
    expect(passed(steps, 'api').facts).toMatchObject({ status: 200, apiVersion: 'registry/2.0' });
    expect(passed(steps, 'tcp').facts).toMatchObject({ attempts: [{ address: '127.0.0.1', result: 'connected' }] });
    expect(passed(steps, 'push').facts).toMatchObject({ cancelled: true });
    expect(await readdir(join(registry.tmpDir, 'uploads')).catch(() => [])).toEqual([]);
  });

  it.each<[string, HostSettings, object]>([
    ['reg.invalid', {}, { scheme: 'https', dialled: 'reg.invalid', why: 'https is the rule' }],
    ['docker.io', { hostname: 'hub.invalid' }, { dialled: 'hub.invalid' }],
    ['localhost:1', {}, { scheme: 'http', why: expect.stringContaining('this machine') }],
    ['reg.invalid', { tls: 'disabled' }, { scheme: 'http', why: expect.stringContaining('--plain-http') }],
    ['reg.invalid', { tls: 'insecure' }, { scheme: 'https', certificates: 'any' }],
    ['localhost:1', { ca: [] }, { scheme: 'https', why: expect.stringContaining('certificates are set') }],
    ['reg.invalid', { pathPrefix: '/hub/' }, { pathPrefix: 'hub' }],
  ])('%s with %j tells first where it is reached, and why so', async (registry, settings, facts) => {
    const [first] = await ask(registry, { settings });
    expect(first).toMatchObject({ step: 'settings', ok: true, facts });
  });

  it('with settings that cannot be is told at once', async () => {
    const steps = await ask('a', { settings: { hostname: 'a/b' } });
    expect(failed(steps)).toMatchObject({ step: 'settings', facts: { code: 'OCL_CONFIG_INVALID' } });
  });
});

describe('without a connection', () => {
  it('a name that is not known is told from one that is', async () => {
    const last = failed(await ask('registry.invalid'));
    expect(last).toMatchObject({ step: 'dns', facts: { name: 'registry.invalid', code: 'ENOTFOUND' } });
    expect(last.hint).toContain('/etc/hosts');
  });

  it('a closed port is one where nothing listens', async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const last = failed(await ask(`127.0.0.1:${port}`));
    expect(last.facts).toMatchObject({
      port,
      attempts: [{ address: '127.0.0.1', result: 'refused', code: 'ECONNREFUSED' }],
    });
    expect(last).toMatchObject({ step: 'tcp', says: `nothing listens at 127.0.0.1 port ${port}` });
    expect(last.hint).toContain('ocl ping 127.0.0.1:PORT');
  });

  it.each<[StepName, HostSettings]>([
    ['api', {}],
    ['tls', { tls: 'enabled' }],
  ])('who takes connections and says nothing fails at %s, in time', async (step, settings) => {
    const port = await listening(createServer());
    const last = failed(await ask(`127.0.0.1:${port}`, { settings, timeout: 100 }));
    expect(last).toMatchObject({ step, says: 'there is no answer within 0.1 s', facts: { timeout: true } });
  });

  it('the run that is stopped ends with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const port = await listening(createServer().on('connection', () => controller.abort(reason)));
    await expect(ask(`127.0.0.1:${port}`, { signal: controller.signal })).rejects.toBe(reason);
  });
});

describe('TLS', () => {
  const DAY = 86_400_000;

  it('shows who signed what it does not trust, and where to put that', async () => {
    const authority = createAuthority('Corporate Interception');
    const port = await startTls(authority.server(['localhost', '127.0.0.1']));
    const last = failed(await ask(`127.0.0.1:${port}`, { settings: { tls: 'enabled' } }));
    expect(last.says).toContain('"CN=Corporate Interception", which is not trusted here');
    expect(last.hint).toContain(`/etc/containers/certs.d/127.0.0.1:${port}/ca.crt`);
    expect(last).toMatchObject({
      step: 'tls',
      facts: {
        protocol: 'TLSv1.3',
        verified: false,
        problem: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        chain: [
          {
            subject: 'CN=localhost',
            issuer: 'CN=Corporate Interception',
            names: ['localhost', '127.0.0.1'],
            fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
            until: expect.stringMatching(/^20\d\d-/),
          },
        ],
      },
    });
  });

  it('is verified by an authority that the settings or the machine have, and taken as it is where that is asked for', async () => {
    const authority = createAuthority();
    const port = await startTls(authority.server(['127.0.0.1']));
    const host = `127.0.0.1:${port}`;
    const own = await ask(host, { settings: { tls: 'enabled', ca: [authority.cert] } });
    expect(passed(own, 'tls').facts).toMatchObject({
      verified: true,
      chain: [{}, { subject: `CN=${authority.name}` }],
    });
    const any = await ask(host, { settings: { tls: 'insecure' } });
    expect(passed(any, 'tls').facts).toMatchObject({ verified: false, problem: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    const asked: (readonly string[])[] = [];
    const machine = await ask(host, {
      settings: { tls: 'enabled' },
      authorities: async (given) => {
        asked.push(given);
        return [authority.cert];
      },
    });
    expect([asked, machine.find(({ step }) => step === 'tls')?.facts]).toEqual([
      [[]],
      expect.objectContaining({ verified: true }),
    ]);
  });

  it.each([
    [
      'has expired',
      { from: new Date(Date.now() - 9 * DAY), until: new Date(Date.now() - DAY) },
      ['127.0.0.1'],
      'CERT_HAS_EXPIRED',
      'date',
    ],
    [
      'is not valid before',
      { from: new Date(Date.now() + DAY), until: new Date(Date.now() + 9 * DAY) },
      ['127.0.0.1'],
      'CERT_NOT_YET_VALID',
      'clock',
    ],
    [
      'is not for 127.0.0.1, but for other.example',
      {},
      ['other.example'],
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ocl ping other.example',
    ],
  ])('a certificate that %s', async (text, validity, hosts, problem, hint) => {
    const authority = createAuthority();
    const port = await startTls(authority.server(hosts, validity));
    const last = failed(await ask(`127.0.0.1:${port}`, { settings: { tls: 'enabled', ca: [authority.cert] } }));
    expect(last).toMatchObject({ step: 'tls', says: expect.stringContaining(text), facts: { problem } });
    expect(last.hint).toContain(hint);
  });

  it('that nobody speaks is told, with the way to say so', async () => {
    const host = await scripted({});
    const last = failed(await ask(host, { settings: { tls: 'enabled' } }));
    expect(last).toMatchObject({ step: 'tls', says: `${host} does not speak TLS on this port` });
    expect(last.hint).toContain(`--plain-http ${host}`);
  });

  it('that wants a certificate of the caller says so, and takes the one of the settings', async () => {
    const authority = createAuthority();
    const pair = authority.server(['127.0.0.1']);
    const server = createTlsServer({ ...pair, ca: authority.cert, requestCert: true }, (_, response) =>
      response.writeHead(200).end('{}'),
    );
    const host = `127.0.0.1:${await listening(server.on('tlsClientError', () => {}))}`;
    const settings = { tls: 'enabled', ca: [authority.cert] } as const;
    const last = failed(await ask(host, { settings }));
    expect([last.says, last.hint]).toEqual([expect.stringMatching(/certificate/), expect.any(String)]);
    const { cert: clientCert, key: clientKey } = authority.client('anna');
    const broken = failed(await ask(host, { settings: { ...settings, clientCert, clientKey: 'none' } }));
    expect(broken).toMatchObject({ step: 'tls', facts: { code: 'OCL_CONFIG_INVALID' } });
    expect(passed(await ask(host, { settings: { ...settings, clientCert, clientKey } }), 'api').facts).toMatchObject({
      status: 200,
    });
  });

  it.each<[HostSettings, RegExp]>([
    [{}, /--cert-dir DIR, or --insecure/],
    [{ tls: 'disabled' }, /leave --plain-http/],
  ])('is found where plain http was spoken, with %j', async (settings, hint) => {
    const port = await startTls(createAuthority().server(['127.0.0.1']));
    const last = failed(await ask(`127.0.0.1:${port}`, { settings }));
    expect(last).toMatchObject({ step: 'api', says: expect.stringContaining('speaks TLS'), facts: { tls: true } });
    expect(last.hint).toMatch(hint);
  });
});

describe('a proxy', () => {
  const image = { repository: 'app', name: '1' };

  it('leads to a registry with TLS, and its password is not told', async () => {
    const authority = createAuthority();
    const port = await startTls(authority.server(['registry.test']));
    const proxy = closing(await startConnectProxy({ login: `anna:${PASSWORD}` }));
    const steps = await ask(`registry.test:${port}`, {
      settings: { ca: [authority.cert] },
      proxies: { https: `http://anna:${PASSWORD}@${proxy.host}` },
      variables: { https: 'ALL_PROXY' },
    });
    expect(passed(steps, 'proxy').facts).toEqual({
      proxy: `http://***@${proxy.host}`,
      variable: 'ALL_PROXY',
      login: true,
    });
    expect(passed(steps, 'tunnel').facts).toMatchObject({ status: 200, target: `registry.test:${port}` });
    expect(passed(steps, 'tls').facts).toMatchObject({ verified: true });
    expect(passed(steps, 'api').facts).toMatchObject({ status: 200 });
    expect(new Set(proxy.lines)).toEqual(new Set([`CONNECT registry.test:${port}`]));
  });

  it('with https is trusted as the machine says, like any other host', async () => {
    const company = createAuthority();
    const port = await startTls(company.server(['registry.test']));
    const proxy = closing(await startConnectProxy({ tls: company.server(['localhost']) }));
    const file = join(await temporary(), 'ca.crt');
    await writeFile(file, company.cert);
    const proxies = { https: proxy.url };
    const steps = await ask(`registry.test:${port}`, {
      proxies,
      http: closing(createHttp({ userAgent: 'ocl-test', proxy: proxies, authorities: { file } })),
      authorities: (own) => new Authorities({ file }).with(own),
    });
    expect(passed(steps, 'tunnel').facts).toMatchObject({ status: 200 });
    expect(passed(steps, 'api').facts).toMatchObject({ status: 200 });
    const strangers = failed(await ask(`registry.test:${port}`, { proxies }));
    expect(strangers).toMatchObject({ step: 'tunnel', facts: { code: 'OCL_UNREACHABLE' } });
    expect(strangers.says).toMatch(
      /through the proxy .*: its certificate is signed by an authority that is not trusted/,
    );
  });

  it('is asked for plain http request by request', async () => {
    const host = await scripted({ 'GET /v2/': replyJson(200, {}) });
    const proxy = closing(await startConnectProxy());
    const name = host.replace('127.0.0.1', 'registry.test');
    const steps = await ask(name, { settings: { tls: 'disabled' }, proxies: { http: proxy.url } });
    expect(names(steps)).not.toContain('tunnel');
    expect(passed(steps, 'api').ok && proxy.lines).toEqual([`GET http://${name}/v2/`]);
  });

  it.each([
    [403, 'does not let anybody go', 'no_proxy'],
    [407, 'asks for a login', 'USER:PASSWORD@'],
    [502, 'does not reach', 'no_proxy'],
  ])('that answers %i is told from the registry', async (refuse, text, hint) => {
    const proxy = closing(await startConnectProxy({ refuse }));
    const last = failed(await ask('registry.test', { image, proxies: { https: proxy.url } }));
    expect(last).toMatchObject({ step: 'tunnel', says: expect.stringContaining(text), facts: { status: refuse } });
    expect(last.hint).toContain(hint);
  });

  it('that refuses a request by plain http is told from the registry, too', async () => {
    const proxy = closing(await startConnectProxy({ refuse: 403 }));
    const last = failed(await ask('registry.test', { settings: { tls: 'disabled' }, proxies: { http: proxy.url } }));
    expect(last).toMatchObject({ step: 'api', says: expect.stringContaining(`the proxy ${proxy.url} answered 403`) });
    expect(last.hint).toContain('NO_PROXY');
  });

  it.each<[string, string, ProxySettings, string]>([
    ['none is set', 'registry.invalid', {}, 'https_proxy is not set'],
    [
      'no_proxy matches',
      'registry.invalid',
      { https: 'http://p.invalid', except: 'a.example, .invalid' },
      'no_proxy has ".invalid"',
    ],
    ['this machine is asked', '127.0.0.1:1', { http: 'http://p.invalid' }, 'hosts of this machine'],
  ])('is not used where %s', async (_, registry, proxies, why) => {
    const steps = await ask(registry, { proxies });
    expect(steps[1]).toMatchObject({
      step: 'proxy',
      ok: true,
      facts: { proxy: null, why: expect.stringContaining(why) },
    });
  });

  it.each([
    ['http://[', 'OCL_CONFIG_INVALID'],
    [`socks5://anna:${PASSWORD}@127.0.0.1:1`, 'OCL_UNSUPPORTED'],
  ])('that cannot be one is told: %s', async (https, code) => {
    expect(failed(await ask('registry.test', { proxies: { https } }))).toMatchObject({
      step: 'proxy',
      facts: { code },
    });
  });

  it('that is down or unknown is named as what failed', async () => {
    const unknown = failed(await ask('registry.test', { proxies: { https: 'http://proxy.invalid:3128' } }));
    expect(unknown).toMatchObject({ step: 'dns', says: expect.stringContaining('proxy.invalid (the proxy') });
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const down = failed(await ask('registry.test', { proxies: { https: `http://127.0.0.1:${port}` } }));
    expect(down).toMatchObject({ step: 'tcp', says: expect.stringContaining(', the proxy') });
  });

  it('that is silent fails in time', async () => {
    const proxy = closing(await startConnectProxy({ silent: true }));
    const last = failed(await ask('registry.test', { proxies: { https: proxy.url }, timeout: 100 }));
    expect(last).toMatchObject({ step: 'tunnel', facts: { timeout: true } });
  });
});

describe('what answers at /v2/', () => {
  const page = '<!DOCTYPE html><html><head><title>Guest \u001B[31m portal</title></head></html>';

  it.each<[string, Handler, string, object]>([
    [
      'a web page',
      reply(200, { 'content-type': 'text/html', server: 'nginx' }, page),
      'a web page (Guest \\u{1b}[31m portal): no registry is there',
      { server: 'nginx' },
    ],
    ['a page that does not say so', reply(200, {}, page), 'no registry is there', {}],
    [
      'a page with a 401 and no way to log in',
      reply(401, { 'content-type': 'text/html' }, page),
      'no registry is there',
      {},
    ],
    ['nothing', reply(404, {}, 'no such thing'), 'nothing at this address: no registry is there', {}],
    ['a failure', reply(503, {}, 'under\n\u0007repair'), 'answers 503: under \\u{7}repair', {}],
    [
      'somewhere else',
      reply(301, { location: 'https://u:p@other.example/v2/?token=abc' }),
      'sends callers on to https://***@other.example/v2/?token=***',
      {},
    ],
    [
      'a body without end',
      (response) => void response.writeHead(500).write('x'.repeat(40_000)),
      'answers 500: xxx',
      {},
    ],
  ])('%s is no registry that works', async (_, handler, says, facts) => {
    const last = failed(await ask(await scripted({ 'GET /v2/': handler })));
    expect(last).toMatchObject({ step: 'api', says: expect.stringContaining(says), facts });
    expect(last.hint).toBeTruthy();
  });

  it('asks for a login, in whatever words', async () => {
    const host = await scripted({
      'GET /v2/': reply(401, { 'www-authenticate': 'Negotiate', 'content-type': 'text/html' }, page),
    });
    expect(failed(await ask(host))).toMatchObject({ step: 'challenge', facts: { schemes: ['negotiate'] } });
    const none = await scripted({ 'GET /v2/': replyJson(200, {}) });
    expect(passed(await ask(none), 'challenge')).toMatchObject({
      says: 'no login is asked for',
      facts: { schemes: [] },
    });
  });
});

describe('a login', () => {
  const image = { repository: 'app', name: '1' };

  async function bearer(
    options: Partial<Parameters<typeof startTokenServer>[0]>,
  ): Promise<{ host: string; count: () => number }> {
    const tokens = closing(await startTokenServer({ clock: systemClock, accounts: { anna: PASSWORD }, ...options }));
    const host = await scripted({
      'GET /v2/': (response, request) =>
        tokens.admits(request.headers.authorization)
          ? replyJson(200, {})(response, request)
          : reply(401, { 'www-authenticate': tokens.challenge() })(response, request),
      'HEAD /v2/app/manifests/1': tokens.guard('repository:app:pull', reply(200, { 'content-type': 'x/y' })),
      'POST /v2/app/blobs/uploads/': tokens.guard('repository:app:push', reply(403)),
    });
    return { host, count: () => tokens.count('refused') };
  }

  it('by a token is tried as the copy would do it', async () => {
    const { host } = await bearer({ life: 300 });
    const steps = await ask(host, { image, login });
    expect(passed(steps, 'challenge').facts).toMatchObject({ schemes: ['bearer'], service: 'test' });
    expect(passed(steps, 'credentials').facts).toEqual({
      account: 'anna',
      kind: 'password',
      source: 'settings',
      where: 'the settings of this host',
    });
    expect(passed(steps, 'token').facts).toMatchObject({
      scopes: ['repository:app:pull'],
      seconds: expect.any(Number),
    });
    expect(passed(steps, 'login').ok && passed(steps, 'pull').ok).toBe(true);
  });

  it('as nobody gets a token too, and no more', async () => {
    const { host } = await bearer({});
    const steps = await ask(host);
    expect(names(steps).slice(-2)).toEqual(['credentials', 'token']);
    expect(passed(steps, 'credentials').says).toContain('somebody unknown');
  });

  it.each([
    ['a wrong password', { ...login, password: `not-${PASSWORD}` }, {}],
    ['nobody', undefined, { anonymous: false }],
  ])('of %s that the token server refuses is tried once', async (_, wrong, options) => {
    const { host, count } = await bearer(options);
    const last = failed(await ask(host, { image, ...(wrong === undefined ? {} : { login: wrong }) }));
    expect(last).toMatchObject({ step: 'token', facts: { code: 'OCL_UNAUTHORIZED' } });
    expect(last.hint).toContain(`ocl login ${host}`);
    expect(count()).toBe(1);
  });

  it('at a token server that does not answer with one is no login', async () => {
    const realm = await scripted({ 'GET /token': reply(200, { 'content-type': 'text/html' }, '<html>') });
    const host = await scripted({
      'GET /v2/': reply(401, { 'www-authenticate': `Bearer realm="http://${realm}/token"` }),
    });
    expect(failed(await ask(host))).toMatchObject({ step: 'token' });
  });

  it('is not sent where the realm must not lead', async () => {
    const host = await scripted({
      'GET /v2/': reply(401, { 'www-authenticate': 'Bearer realm="http://10.0.0.1/token"' }),
    });
    expect(failed(await ask(host, { login }))).toMatchObject({ step: 'token', facts: { code: 'OCL_UNSAFE' } });
  });

  it('by Basic is asked for, refused or taken', async () => {
    const expected = `Basic ${Buffer.from(`anna:${PASSWORD}`).toString('base64')}`;
    const host = await scripted({
      'GET /v2/': (response, request) =>
        reply(request.headers.authorization === expected ? 200 : 401, { 'www-authenticate': 'Basic realm="r"' })(
          response,
          request,
        ),
    });
    expect(failed(await ask(host))).toMatchObject({ step: 'credentials', hint: `ocl login ${host}` });
    const wrong = failed(await ask(host, { login: { ...login, password: 'wrong' } }));
    expect(wrong).toMatchObject({
      step: 'login',
      facts: { status: 401 },
      says: expect.stringMatching(/asked as "anna" from the settings of this host$/),
      hint: expect.stringMatching(/^correct the login in the settings of this host/),
    });
    expect(passed(await ask(host, { login }), 'login').facts).toEqual({ status: 200 });
  });
});

describe('what may be done', () => {
  const image = { repository: 'app', name: '1' };

  it.each([
    [404, 'is not there, or this account may not see it', /^ocl tag ls /],
    [403, 'answered 403', /^ocl login /],
  ])('a pull that is answered %i', async (status, says, hint) => {
    const host = await scripted({ 'GET /v2/': replyJson(200, {}), 'HEAD /v2/app/manifests/1': reply(status) });
    const last = failed(await ask(host, { image }));
    expect(last).toMatchObject({
      step: 'pull',
      says: expect.stringContaining(says),
      hint: expect.stringMatching(hint),
    });
  });

  it.each([
    [403, /^ocl login /],
    [404, /make the repository/],
    [405, /read-only/],
  ])('a push that is answered %i', async (status, hint) => {
    const host = await scripted({ 'GET /v2/': replyJson(200, {}), 'POST /v2/app/blobs/uploads/': reply(status) });
    const last = failed(await ask(host, { image, push: true }));
    expect(last).toMatchObject({ step: 'push', facts: { status }, hint: expect.stringMatching(hint) });
  });

  it('an upload is begun once, and given up', async () => {
    const server = closing(
      await startScriptedServer({
        'GET /v2/': replyJson(200, {}),
        'POST /v2/app/blobs/uploads/': reply(202, { location: '/v2/app/blobs/uploads/7?state=x' }),
        'DELETE /v2/app/blobs/uploads/7': reply(404),
      }),
    );
    const push = passed(await ask(server.host, { image, push: true }), 'push');
    expect(push.facts).toMatchObject({ cancelled: false });
    expect(server.seen.slice(-2).map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /v2/app/blobs/uploads/',
      'DELETE /v2/app/blobs/uploads/7?state=x',
    ]);
    expect(server.calls().filter((call) => /manifests/.test(call))).toEqual(['HEAD /v2/app/manifests/1']);
  });
});
