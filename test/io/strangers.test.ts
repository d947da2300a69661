import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp, type HttpOptions } from '../../src/io/http.ts';
import { type Http } from '../../src/io/httpMessages.ts';
import { openAtUrls, strangersHttp } from '../../src/io/strangers.ts';
import { describe as descriptorOf, readBounded } from '../../src/io/verify.ts';
import { createAuthority } from '../support/certificates.ts';
import { startConnectProxy } from '../support/connectProxy.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const authority = createAuthority();
const content = Buffer.from('a layer that its maker keeps');
const layer = descriptorOf(content, 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip');

interface Far {
  /** By way of the proxy alone, which finds addresses by itself. */
  readonly http: Http;
  readonly origin: string;
  readonly asked: readonly {
    readonly path: string;
    readonly authorization: string | undefined;
    readonly range: string | undefined;
  }[];
}

/** A web server of the internet, reached through a proxy. */
async function far(): Promise<Far> {
  const asked: { path: string; authorization: string | undefined; range: string | undefined }[] = [];
  const server = createTlsServer(authority.server(['layers.example']), (request, response) => {
    const path = request.url ?? '';
    const { authorization, range } = request.headers;
    asked.push({ path, authorization, range });
    if (path === '/layer' && range !== undefined)
      return void response.writeHead(206).end(content.subarray(Number(/\d+/.exec(range)?.[0])));
    if (path === '/layer') return void response.writeHead(200).end(content);
    if (path === '/moved') return void response.writeHead(302, { location: '/layer' }).end();
    if (path === '/down') return void response.writeHead(302, { location: 'http://layers.example/layer' }).end();
    if (path === '/round') return void response.writeHead(302, { location: '/round' }).end();
    response.writeHead(path === '/broken' ? 500 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startConnectProxy();
  const http = client({ tls: { ca: [authority.cert] }, proxy: { https: proxy.url, http: proxy.url } });
  cleanups.push(
    () => (server.closeAllConnections(), server.close()),
    () => proxy.close(),
    () => http.close(),
  );
  return { http, origin: `https://layers.example:${(server.address() as AddressInfo).port}`, asked };
}

function client(options: Partial<HttpOptions> = {}): Http {
  const http = createHttp({ userAgent: 'ocl-test', ...options });
  cleanups.push(() => http.close());
  return strangersHttp(http);
}

describe('a content at addresses that its descriptor names', () => {
  it('is taken from the first that has it, without any login', async () => {
    const { http, origin, asked } = await far();
    const urls = [`${origin}/none`, `${origin}/broken`, `${origin}/moved`];
    const stream = await openAtUrls(http, { ...layer, urls });
    expect(Buffer.from(await readBounded(stream, 1000, 'x'))).toEqual(content);
    expect(asked.map(({ path }) => path)).toEqual(['/none', '/broken', '/moved', '/layer']);
    expect(asked.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('is taken from its middle on where the beginning is here', async () => {
    const { http, origin, asked } = await far();
    const stream = await openAtUrls(http, { ...layer, urls: [`${origin}/layer`] }, { from: 10 });
    expect(Buffer.from(await readBounded(stream, 1000, 'x'))).toEqual(content.subarray(10));
    expect(asked[0]?.range).toBe('bytes=10-');
  });

  it.each([
    ['/none', 'OCL_NOT_FOUND', /it answers 404/],
    ['/broken', 'OCL_UNREACHABLE', /it answers 500/],
    ['/down', 'OCL_UNSAFE', /that would leave TLS/],
    ['/round', 'OCL_REGISTRY', /it goes in a circle/],
  ])('is not taken from %s: %s', async (path, code, message) => {
    const { http, origin } = await far();
    const opening = openAtUrls(http, { ...layer, urls: [`${origin}${path}`] });
    await expect(opening).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it.each([
    ['http://layers.example/layer', /must be https/],
    ['file:///etc/passwd', /must be https/],
    ['ftp://layers.example/x', /must be https/],
    ['https://user:secret@layers.example/x', /carries credentials/],
    ['not an address', /it is no address/],
    ['https://127.0.0.1/x', /inside a private network/],
    ['https://[::1]/x', /inside a private network/],
    ['https://169.254.169.254/latest/meta-data', /inside a private network/],
    ['https://10.1.2.3/x', /inside a private network/],
    ['https://[::ffff:10.1.2.3]/x', /inside a private network/],
    ['https://0x7f000001/x', /inside a private network/],
    ['https://localhost/x', /inside a private network/],
  ])('is not asked for at %s', async (url, message) => {
    const opening = openAtUrls(client(), { ...layer, urls: [url] });
    await expect(opening).rejects.toMatchObject({
      code: 'OCL_UNSAFE',
      message: expect.stringMatching(message) as string,
    });
    await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('secret') as string });
  });

  it('is nowhere when none is named', async () => {
    await expect(openAtUrls(client(), layer)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });
});
