import { createServer as createTlsServer, type Server } from 'node:https';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp, type HttpOptions } from '../../src/io/http.ts';
import { discard, type Http } from '../../src/io/httpMessages.ts';
import { readBounded } from '../../src/io/verify.ts';
import { createAuthority } from '../support/certificates.ts';
import { startConnectProxy, type ConnectProxy, type ConnectProxyOptions } from '../support/connectProxy.ts';
import { reply, startScriptedServer } from '../support/scriptedServer.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const authority = createAuthority();
const tls = { ca: [authority.cert] };
/** The name leads to this machine only by way of the proxy. */
const NAME = 'registry.example';
const big = Buffer.alloc(5_000_000, 'the quick brown fox ');

function client(options: Partial<HttpOptions>): Http {
  const http = createHttp({ userAgent: 'ocl-test', ...options });
  cleanups.push(() => http.close());
  return http;
}

async function proxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const started = await startConnectProxy(options);
  cleanups.push(() => started.close());
  return started;
}

function authorityFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ocl-proxy-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'ca.pem');
  writeFileSync(file, authority.cert);
  return file;
}

interface Target {
  readonly url: URL;
  /** Who the client said it is, for each request. */
  readonly peers: readonly (string | undefined)[];
  readonly bodies: readonly number[];
  /** The clients' ends of the connections that requests came by. */
  readonly connections: ReadonlySet<number | undefined>;
}

/** Answers every request with `big`; wants a client's certificate if told so. */
async function target(clientCertificates = false): Promise<Target> {
  const peers: (string | undefined)[] = [];
  const bodies: number[] = [];
  const connections = new Set<number | undefined>();
  const options = { ...authority.server([NAME, '127.0.0.1']), ca: authority.cert };
  const server: Server = createTlsServer(
    { ...options, requestCert: clientCertificates, rejectUnauthorized: clientCertificates },
    (request, response) => {
      const socket = request.socket as TLSSocket;
      connections.add(socket.remotePort);
      const name = clientCertificates ? socket.getPeerCertificate().subject.CN : undefined;
      peers.push(Array.isArray(name) ? name[0] : name);
      let bytes = 0;
      request.on('data', (chunk: Buffer) => (bytes += chunk.length));
      request.on('end', () => {
        bodies.push(bytes);
        response.writeHead(200, { 'content-length': big.length }).end(big);
      });
    },
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  return { url: new URL(`https://${NAME}:${(server.address() as AddressInfo).port}/`), peers, bodies, connections };
}

async function exchange(http: Http, url: URL, settings: object = tls): Promise<Buffer> {
  const body = { size: big.length, open: () => Readable.from([big]) };
  const answer = await http.request({ method: 'PUT', url, body, tls: settings });
  return readBounded(answer.body, big.length, 'x') as Promise<Buffer>;
}

describe('a tunnel', () => {
  it.each([
    ['http', {}],
    ['https', { tls: authority.server(['localhost']) }],
  ])('through an %s proxy carries TLS, both ways, many times, over one connection', async (_kind, options) => {
    const through = await proxy(options);
    const { url, bodies, connections } = await target();
    // A proxy is trusted by the authorities of the machine, not by those of the registry.
    const http = client({ proxy: { https: through.url }, authorities: { file: authorityFile() } });
    for (let i = 0; i < 3; i++) expect((await exchange(http, url)).equals(big)).toBe(true);
    expect(bodies).toEqual([big.length, big.length, big.length]);
    expect(through.lines.every((line) => line === `CONNECT ${url.host}`)).toBe(true);
    expect(connections.size).toBeLessThanOrEqual(2);
    expect(through.lines).toHaveLength(connections.size);
  });

  it('shows the certificate of the client to the target', async () => {
    const through = await proxy();
    const { url, peers } = await target(true);
    const { cert, key } = authority.client('build-machine');
    const http = client({ proxy: { https: through.url } });
    await exchange(http, url, { ...tls, clientCert: cert, clientKey: key });
    expect(peers).toEqual(['build-machine']);
    await expect(http.request({ method: 'GET', url, tls })).rejects.toThrow(/wants a certificate of the client/);
  });

  it('needs the right password, which no error shows', async () => {
    const through = await proxy({ login: 'me@corp:pa$$ ü' });
    const { url } = await target();
    const right = through.url.replace('//', '//me%40corp:pa%24%24%20%C3%BC@');
    expect((await exchange(client({ proxy: { https: right } }), url)).length).toBe(big.length);
    const wrong = client({ proxy: { https: through.url.replace('//', '//me:secret@') } });
    const failed = exchange(wrong, url);
    await expect(failed).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
      temporary: false,
      message: `Cannot reach ${url.origin}: the proxy ${through.url} answered 407 (Said By The Proxy)`,
      hint: expect.stringContaining('USER:PASSWORD'),
    });
    await failed.catch((error: unknown) => expect(JSON.stringify(error) + String(error)).not.toContain('secret'));
  });

  it.each([
    [403, false],
    [502, true],
  ])('that the proxy refuses with %i says that it was the proxy', async (refuse, temporary) => {
    const through = await proxy({ refuse });
    const { url } = await target();
    await expect(exchange(client({ proxy: { https: through.url } }), url)).rejects.toMatchObject({
      temporary,
      message: expect.stringContaining(`the proxy ${through.url} answered ${refuse}`),
      hint: expect.stringContaining("proxy's answer"),
    });
  });

  it('to a host whose authority is not trusted says so, as without a proxy', async () => {
    const through = await proxy();
    const { url } = await target();
    await expect(exchange(client({ proxy: { https: through.url } }), url, {})).rejects.toThrow(
      `signed by "${authority.name}"`,
    );
  });

  it('that is given up while it is made leaves no connection behind', async () => {
    const through = await proxy({ silent: true });
    const { url } = await target();
    const stop = new AbortController();
    const http = client({ proxy: { https: through.url } });
    const asked = http.request({ method: 'GET', url, tls, signal: stop.signal });
    await expect.poll(() => through.lines.length).toBe(1);
    expect(through.open()).toBe(1);
    stop.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await through.idle();
    expect(through.open()).toBe(0);
  });

  it('is not waited for longer than a connection is', async () => {
    const through = await proxy({ silent: true });
    const { url } = await target();
    const http = client({ proxy: { https: through.url }, timeouts: { connect: 100, headers: 1000, idle: 1000 } });
    await expect(exchange(http, url)).rejects.toThrow(
      `Cannot reach ${url.origin} through the proxy ${through.url}: no connection was made in time`,
    );
    await through.idle();
  });
});

describe('a plain request', () => {
  it('goes to the proxy as a whole URL, with its password and its own host', async () => {
    const through = await proxy({ login: 'me:secret' });
    const server = await startScriptedServer({ 'GET /v2/': reply(200, {}, 'registry') });
    cleanups.push(() => server.close());
    const url = new URL(`http://${NAME}:${new URL(server.url).port}/v2/?a=b`);
    const http = client({ proxy: { http: through.url.replace('//', '//me:secret@') } });
    const answer = await http.request({ method: 'GET', url });
    expect((await readBounded(answer.body, 100, 'x')).toString()).toBe('registry');
    expect(through.lines).toEqual([`GET ${url.href}`]);
    expect(server.seen[0]?.headers).toMatchObject({ host: url.host });
    expect(server.seen[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('goes to an https proxy by TLS, which the authorities of the machine vouch for', async () => {
    const through = await proxy({ tls: authority.server(['localhost']) });
    const server = await startScriptedServer({ 'GET /v2/': reply(200) });
    cleanups.push(() => server.close());
    const url = new URL(`http://${NAME}:${new URL(server.url).port}/v2/`);
    const trusting = client({ proxy: { http: through.url }, authorities: { file: authorityFile() } });
    await discard(await trusting.request({ method: 'GET', url }));
    expect(through.lines).toEqual([`GET ${url.href}`]);
    const wary = client({ proxy: { http: through.url } });
    await expect(wary.request({ method: 'GET', url, tls })).rejects.toThrow(
      `through the proxy ${through.url}: its certificate is signed by`,
    );
  });

  it('to an exception does not go there', async () => {
    const through = await proxy();
    const server = await startScriptedServer({ 'GET /v2/': reply(200) });
    cleanups.push(() => server.close());
    const http = client({ proxy: { http: through.url, except: 'localhost' } });
    await discard(await http.request({ method: 'GET', url: new URL(`${server.url}/v2/`) }));
    expect(through.lines).toEqual([]);
  });

  it.each([407, 403, 502])('that the proxy answers with %i is told as such', async (refuse) => {
    const through = await proxy({ refuse });
    const http = client({ proxy: { http: through.url } });
    await expect(http.request({ method: 'GET', url: new URL(`http://${NAME}/v2/`) })).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
      message: expect.stringContaining(`the proxy ${through.url} answered ${refuse}`),
    });
  });

  it('that the registry refuses is the answer of the registry', async () => {
    const through = await proxy();
    const server = await startScriptedServer({ 'GET /v2/': reply(403, { 'content-type': 'application/json' }, '{}') });
    cleanups.push(() => server.close());
    const url = new URL(`http://${NAME}:${new URL(server.url).port}/v2/`);
    const answer = await client({ proxy: { http: through.url } }).request({ method: 'GET', url });
    expect(answer.status).toBe(403);
    await discard(answer);
  });
});

describe('a proxy that cannot be used', () => {
  it.each([
    ['socks5://127.0.0.1:1080', 'OCL_UNSUPPORTED', 'SOCKS is not supported'],
    ['http://me:secret@ho st:1', 'OCL_CONFIG_INVALID', 'is no URL'],
    [
      'http://me:secret@127.0.0.1:1',
      'OCL_UNREACHABLE',
      'through the proxy http://127.0.0.1:1: the connection is refused',
    ],
  ])('%s says why, without its password', async (https, code, words) => {
    const failed = client({ proxy: { https, http: https } });
    for (const scheme of ['http', 'https']) {
      const error: unknown = await failed
        .request({ method: 'GET', url: new URL(`${scheme}://${NAME}/`) })
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
      expect(String(error)).not.toContain('secret');
    }
  });
});
