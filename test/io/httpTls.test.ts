import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp, type HttpOptions } from '../../src/io/http.ts';
import { discard, type Http, type TlsSettings } from '../../src/io/httpMessages.ts';
import { createAuthority } from '../support/certificates.ts';
import { reply, startScriptedServer } from '../support/scriptedServer.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const authority = createAuthority();
const stranger = createAuthority('Somebody Else');
const trusted: TlsSettings = { ca: [authority.cert] };
const names = ['localhost', '127.0.0.1', '::1'];
const past = { from: new Date('2020-01-01'), until: new Date('2020-02-01') };
const future = { from: new Date('2040-01-01'), until: new Date('2041-01-01') };

function client(options: Partial<HttpOptions> = {}): Http {
  const http = createHttp({ userAgent: 'ocl-test', ...options });
  cleanups.push(() => http.close());
  return http;
}

async function serve(options: ServerOptions, host = '127.0.0.1'): Promise<number> {
  const server = createServer(options, (_request, response) => response.end('secret'));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  cleanups.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  return (server.address() as AddressInfo).port;
}

async function status(http: Http, url: string, tls?: TlsSettings): Promise<number> {
  const answer = await http.request({ method: 'GET', url: new URL(url), tls });
  await discard(answer);
  return answer.status;
}

describe('a certificate', () => {
  it.each([
    [
      'of an unknown authority',
      stranger.server(names),
      trusted,
      'signed by "Somebody Else", an authority',
      'certs.d/localhost:',
    ],
    ['that has expired', authority.server(names, past), trusted, 'expired (it was valid until Feb  1', 'renew'],
    [
      'that is not valid yet',
      authority.server(names, future),
      trusted,
      'not valid yet (it will be from Jan  1',
      'clock',
    ],
    [
      'for others',
      authority.server(['a.example', '10.0.0.1']),
      trusted,
      'another host name: a.example, 10.0.0.1',
      'names',
    ],
  ])('%s is refused, with what to do', async (_what, pair, tls, words, hint) => {
    const port = await serve(pair);
    const http = client();
    await expect(status(http, `https://localhost:${port}/`, tls)).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
      temporary: false,
      message: expect.stringContaining(words),
      hint: expect.stringContaining(hint),
    });
    expect(await status(http, `https://localhost:${port}/`, { verify: false })).toBe(200);
    // What was taken for one setting is not trusted for another one.
    await expect(status(http, `https://localhost:${port}/`, tls)).rejects.toThrow(words);
  });

  it('that signed itself says so', async () => {
    const own = createAuthority('Own');
    const port = await serve({ cert: own.cert, key: own.key });
    await expect(status(client(), `https://localhost:${port}/`)).rejects.toThrow('signed by itself ("Own")');
  });

  it.each(['localhost', '127.0.0.1'])('is held against %s', async (host) => {
    const port = await serve(authority.server([host]));
    expect(await status(client(), `https://${host}:${port}/`, trusted)).toBe(200);
    const other = host === 'localhost' ? '127.0.0.1' : 'localhost';
    await expect(status(client(), `https://${other}:${port}/`, trusted)).rejects.toThrow(/another host name/);
  });

  it('of the client is shown, and missed by name', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const port = await serve({
        ...authority.server(names),
        ca: authority.cert,
        requestCert: true,
        rejectUnauthorized: true,
        maxVersion,
      });
      const { cert, key } = authority.client('me');
      const url = `https://localhost:${port}/`;
      expect(await status(client(), url, { ...trusted, clientCert: cert, clientKey: key })).toBe(200);
      await expect(status(client(), url, trusted)).rejects.toMatchObject({
        hint: expect.stringContaining('client.cert'),
      });
    }
  });

  it('of the client that does not fit its key is an error of the settings', async () => {
    const tls = { clientCert: authority.client('me').cert, clientKey: authority.client('you').key };
    await expect(status(client(), 'https://127.0.0.1:1/', tls)).rejects.toMatchObject({ code: 'OCL_CONFIG_INVALID' });
  });
});

describe('the authorities of the machine', () => {
  function file(text: string, name = 'ca.pem'): string {
    const directory = mkdtempSync(join(tmpdir(), 'ocl-ca-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  }

  it('are read from the file or the directories that are named', async () => {
    const url = `https://localhost:${await serve(authority.server(names))}/`;
    const path = file(`# some text\n${stranger.cert}\n${authority.cert}`);
    const directory = join(path, '..');
    for (const authorities of [{ file: path }, { directories: `${directory}:${directory}` }])
      expect(await status(client({ authorities }), url)).toBe(200);
    const broken = client({ authorities: { directories: `/no/such/directory:${directory}` } });
    await expect(status(broken, url)).rejects.toMatchObject({ code: 'OCL_CONFIG_INVALID' });
    await expect(status(client({ authorities: { file: file(stranger.cert) } }), url)).rejects.toThrow(/not trusted/);
  });

  it('that cannot be read name the file, and only when TLS is spoken', async () => {
    const http = client({ authorities: { file: '/no/such/ca.pem' } });
    const plain = await startScriptedServer({ 'GET /': reply(200) });
    cleanups.push(() => plain.close());
    expect(await status(http, plain.url)).toBe(200);
    await expect(status(http, 'https://127.0.0.1:1/')).rejects.toMatchObject({
      code: 'OCL_CONFIG_INVALID',
      message: expect.stringContaining('/no/such/ca.pem'),
      hint: expect.stringContaining('SSL_CERT_FILE'),
    });
  });
});

describe('the wrong protocol', () => {
  it('is told where TLS was spoken to plain http, and the other way round', async () => {
    const plain = await startScriptedServer({});
    cleanups.push(() => plain.close());
    await expect(status(client(), plain.url.replace('http:', 'https:'))).rejects.toMatchObject({
      temporary: false,
      message: expect.stringContaining('does not speak TLS'),
      hint: expect.stringContaining(`--plain-http ${plain.host}`),
    });
    // As OpenSSL answers what is no handshake.
    const server = createTcpServer((socket) =>
      socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    await expect(status(client(), `http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).rejects.toMatchObject(
      {
        temporary: false,
        message: expect.stringContaining('it speaks TLS'),
      },
    );
  });
});

describe('addresses', () => {
  it('of IPv6 are spoken to, plain and by TLS', async () => {
    const port = await serve(authority.server(names), '::1');
    expect(await status(client(), `https://[::1]:${port}/`, trusted)).toBe(200);
    const other = await serve(authority.server(['2001:db8::5', '127.0.0.1']), '::1');
    await expect(status(client(), `https://[::1]:${other}/`, trusted)).rejects.toThrow(/another host name/);
    const plain = await startScriptedServer({ 'GET /a': reply(200) }, '::1');
    cleanups.push(() => plain.close());
    expect(await status(client(), `${plain.url}/a`)).toBe(200);
    expect(plain.seen[0]?.headers.host).toBe(plain.host);
  });

  it('inside a private network are refused where only public ones may be asked', async () => {
    const server = await startScriptedServer({ 'GET /a': reply(200) });
    cleanups.push(() => server.close());
    const tlsPort = await serve(authority.server(names));
    const http = client();
    const ask = (url: string, askedBy?: string): Promise<unknown> =>
      http.request({
        method: 'GET',
        url: new URL(url),
        tls: trusted,
        publicOnly: true,
        askedBy: askedBy === undefined ? undefined : new URL(askedBy),
      });
    // A kept connection that was made without the check must not serve either.
    expect(await status(http, `${server.url}/a`)).toBe(200);
    for (const url of [
      `${server.url}/a`,
      `http://localhost:${new URL(server.url).port}/a`,
      `https://localhost:${tlsPort}/`,
    ])
      await expect(ask(url)).rejects.toMatchObject({
        code: 'OCL_UNSAFE',
        message: expect.stringContaining('inside a private network'),
      });
    await expect(ask(`${server.url}/a`, 'https://registry.example/')).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
    // The registry itself was found inside: its token server may be there too.
    await discard((await ask(`https://localhost:${tlsPort}/`, `${server.url}/v2/`)) as never);
  });
});
