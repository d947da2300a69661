import { connect, type Socket } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { Pusher, startEmbedded, type Embedded } from '../support/embedded.ts';

const D = digestOf(Buffer.from('0123456789'));

let server: Embedded;
let one: Pusher;
beforeAll(async () => {
  server = await startEmbedded(createMemoryLibrary(), { limits: { blobBytes: 64 << 20 } });
  one = new Pusher(server.url, 'c/one');
  await one.blob('0123456789');
});
afterAll(() => server.close());

/** A client that sends what it likes. */
class RawClient {
  readonly socket: Socket;
  #answer = '';
  readonly closed: Promise<void>;

  constructor() {
    this.socket = connect(server.port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => (this.#answer += text));
    this.closed = new Promise((resolve) => void this.socket.once('close', () => resolve()));
  }

  get answer(): string {
    return this.#answer;
  }

  async send(text: string): Promise<void> {
    await new Promise<void>((resolve) => void this.socket.write(text, 'latin1', () => resolve()));
  }
}

/** The status line's number and the OCI code of what the server answers to a request line and headers. */
async function ask(line: string, headers: readonly string[] = [], host = '127.0.0.1'): Promise<string> {
  const client = new RawClient();
  await client.send([`${line} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers, '', ''].join('\r\n'));
  await client.closed;
  const status = /^HTTP\/1\.1 (\d+)/.exec(client.answer)?.[1] ?? 'nothing';
  const code = /"code":"([A-Z_]+)"/.exec(client.answer)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

async function begin(): Promise<string> {
  const answer = await one.ask('POST', 'blobs/uploads/');
  return answer.headers.get('location') ?? '';
}

async function received(location: string): Promise<string | null> {
  return (await one.ask('GET', location)).headers.get('range');
}

describe('D1: paths', () => {
  it.each([
    ['GET /v2/../../../etc/passwd', '404 UNSUPPORTED'],
    [`GET /v2/c/one/../one/blobs/${D}`, '400 NAME_INVALID'],
    [`GET /v2/c%2fone/blobs/${D}`, '400 NAME_INVALID'],
    [`GET /v2/c/one%2f..%2f/blobs/${D}`, '400 NAME_INVALID'],
    [`GET /v2/%2e%2e/blobs/${D}`, '400 NAME_INVALID'],
    [`GET /v2/c//one/blobs/${D}`, '400 NAME_INVALID'],
    ['GET /v2/c/one/blobs/sha256:..%2f..%2fetc%2fpasswd', '400 NAME_INVALID'],
    [`GET /v2/c/one\\..\\x/blobs/${D}`, '400 NAME_INVALID'],
    [`GET /v2/${'a/'.repeat(4000)}blobs/${D}`, '400 NAME_INVALID'],
    [`GET //v2/c/one/blobs/${D}`, '404 UNSUPPORTED'],
    [`GET /V2/c/one/blobs/${D}`, '404 UNSUPPORTED'],
    [`GET http://127.0.0.1/v2/`, '404 UNSUPPORTED'],
    ['GET /v2/c/one/blobs/uploads/..%2f..%2fx', '400 NAME_INVALID'],
    ['GET /v2/c/one/blobs/uploads/x', '404 BLOB_UPLOAD_UNKNOWN'],
    ['BREW /v2/', '400'],
    ['TRACE /v2/', '405 UNSUPPORTED'],
    [`GET /v2/${'a'.repeat(20_000)}`, '431'],
  ])('%s', async (line, answer) => {
    expect(await ask(line)).toBe(answer);
  });
});

describe('D2: uploads without end', () => {
  it('stops a stream at the limit, answers, hangs up, and takes back what came', async () => {
    const location = await begin();
    const client = new RawClient();
    await client.send(
      `PATCH ${location} HTTP/1.1\r\nHost: x.localhost\r\n\r\n`
        .replace('x.localhost', '127.0.0.1')
        .replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n'),
    );
    const chunk = `100000\r\n${'x'.repeat(1 << 20)}\r\n`;
    let sent = 0;
    while (!client.socket.destroyed && sent < 1000 && !client.answer.includes('413')) {
      await Promise.race([client.send(chunk), client.closed]);
      sent++;
    }
    await expect.poll(() => client.answer).toMatch(/^HTTP\/1\.1 413 [^]*SIZE_INVALID/);
    await Promise.race([client.closed, pump(client, chunk)]);
    await client.closed;
    expect(sent).toBeLessThan(200);
    expect(await received(location)).toBe('0-0');
    await one.ask('DELETE', location);
  });

  it('does not wait for a body that is announced too large', async () => {
    expect(await ask('PUT /v2/c/one/manifests/x', ['Content-Length: 999999999'])).toBe('413 SIZE_INVALID');
  });

  it('keeps what came of a client that vanished, and lets another go on', async () => {
    const location = await begin();
    const client = new RawClient();
    await client.send(`PATCH ${location} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n0123`);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    client.socket.destroy();
    await expect.poll(() => received(location)).toBe('0-3');
    await expect.poll(async () => (await one.ask('PATCH', location, { body: '456789' })).status).toBe(202);
    expect((await one.ask('PUT', `${location}?digest=${D}`)).status).toBe(201);
    expect(await readdir(join(server.tmpDir, 'uploads'))).toEqual([]);
  });
});

describe('D3: two writers of one upload', () => {
  it.each(['PATCH', 'PUT'])('sends the second away: %s', async (method) => {
    const location = await begin();
    const client = new RawClient();
    await client.send(
      `PATCH ${location} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\nConnection: close\r\n\r\n01234`,
    );
    const query = method === 'PUT' ? `?digest=${D}` : '';
    await expect.poll(async () => (await one.ask(method, `${location}${query}`, { body: '' })).status).toBe(416);
    await client.send('56789');
    await client.closed;
    expect(client.answer).toMatch(/^HTTP\/1\.1 202 /);
    expect((await one.ask('PUT', `${location}?digest=${D}`)).status).toBe(201);
  });

  it('cancels under the hands of a writer', async () => {
    const location = await begin();
    const client = new RawClient();
    await client.send(
      `PATCH ${location} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\nConnection: close\r\n\r\n01234`,
    );
    await expect.poll(async () => (await one.ask('PATCH', location, { body: '' })).status).toBe(416);
    expect((await one.ask('DELETE', location)).status).toBe(204);
    await client.send('56789');
    await client.closed;
    expect(client.answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(await readdir(join(server.tmpDir, 'uploads'))).toEqual([]);
  });
});

describe('D5 and D6: names of the server', () => {
  it.each([
    ['127.0.0.1', '200'],
    ['localhost:5000', '200'],
    ['LOCALHOST', '200'],
    ['[::1]:5000', '200'],
    ['evil.example', '403 DENIED'],
    ['127.0.0.1.evil.example', '403 DENIED'],
    ['localhost.evil.example:80', '403 DENIED'],
    ['[::1].evil.example', '403 DENIED'],
    ['evil.example:80:80', '403 DENIED'],
    ['@', '403 DENIED'],
  ])('Host: %s', async (host, answer) => {
    expect(await ask('GET /v2/', [], host)).toBe(answer);
  });

  it.each([
    [['Origin: http://evil.example'], '403 DENIED'],
    [['Origin: null'], '403 DENIED'],
    [['Sec-Fetch-Site: cross-site'], '403 DENIED'],
    [['Sec-Fetch-Site: none'], '202'],
    [['Origin: http://127.0.0.1', 'Sec-Fetch-Site: same-origin'], '202'],
  ])('a web page with %s', async (headers, answer) => {
    expect(await ask('POST /v2/c/one/blobs/uploads/', [...headers, 'Content-Length: 0'])).toBe(answer);
  });

  it('answers to names that it was given', async () => {
    const other = await startEmbedded(createMemoryLibrary(), { allowedHosts: ['Mirror.example'] });
    const status = async (host: string): Promise<string> => {
      const socket = connect(other.port, '127.0.0.1');
      socket.end(`GET /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      return text.slice(9, 12);
    };
    expect([await status('mirror.example:443'), await status('evil.example'), await status('localhost')]).toEqual([
      '200',
      '403',
      '200',
    ]);
    await other.close();
  });

  it('takes no name from the client into a Location', async () => {
    const client = new RawClient();
    const lies = ['X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.example'];
    await client.send(
      [
        'POST /v2/c/one/blobs/uploads/ HTTP/1.1',
        'Host: localhost',
        'Content-Length: 0',
        'Connection: close',
        ...lies,
        '',
        '',
      ].join('\r\n'),
    );
    await client.closed;
    expect(client.answer).toMatch(/\r\nLocation: \/v2\/c\/one\/blobs\/uploads\//);
    expect(client.answer).not.toContain('evil.example');
  });
});

describe('D8: ranges and lengths', () => {
  it('answers thousands of ranges with the whole, once', async () => {
    const ranges = Array.from({ length: 2500 }, (_, i) => `${i % 9}-`).join(',');
    const client = new RawClient();
    await client.send(
      `GET /v2/c/one/blobs/${D} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange: bytes=${ranges}\r\n\r\n`,
    );
    await client.closed;
    expect(client.answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.answer.endsWith('\r\n\r\n0123456789')).toBe(true);
  });

  it.each([
    [['Content-Length: 5', 'Transfer-Encoding: chunked'], '400'],
    [['Content-Length: -5'], '400'],
    [['Content-Length: 5', 'Content-Length: 6'], '400'],
    [['Content-Range: 0-9', 'Content-Length: 0'], '400 SIZE_INVALID'],
    [['Content-Range: 0-99999999999999999999', 'Content-Length: 0'], '416 BLOB_UPLOAD_INVALID'],
  ])('a PATCH with %s', async (headers, answer) => {
    expect(await ask(`PATCH ${await begin()}`, headers)).toBe(answer);
  });
});

/** Goes on sending, as one who does not listen. */
async function pump(client: RawClient, text: string): Promise<void> {
  for (let i = 0; i < 200 && !client.socket.destroyed; i++) await Promise.race([client.send(text), client.closed]);
}
