import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { ConnectionError } from '../../src/io/connectionError.ts';
import { createHttp, type HttpOptions } from '../../src/io/http.ts';
import { discard, header, type Http } from '../../src/io/httpMessages.ts';
import { breakOff, reply, startScriptedServer, type ScriptedServer } from '../support/scriptedServer.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function client(options: Partial<HttpOptions> = {}): Http {
  const http = createHttp({ userAgent: 'ocl-test', ...options });
  cleanups.push(() => http.close());
  return http;
}

async function script(handlers: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
  const server = await startScriptedServer(handlers);
  cleanups.push(() => server.close());
  return server;
}

async function rawServer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function collect(body: Readable): Promise<{ bytes: Buffer; pieces: number[] }> {
  const pieces: Buffer[] = [];
  for await (const piece of body as AsyncIterable<Buffer>) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), pieces: pieces.map(({ length }) => length) };
}

describe('an exchange', () => {
  it('gives status, lower-case headers with all their values, and the body', async () => {
    const server = await script({ 'GET /a': reply(404, { 'X-Twice': ['a', 'b'], 'X-Once': 'c' }, 'gone') });
    const answer = await client().request({ method: 'GET', url: new URL(`${server.url}/a?q=1`) });
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-twice')).toEqual(['a', 'b']);
    expect(header(answer.headers, 'x-once')).toBe('c');
    expect((await collect(answer.body)).bytes.toString()).toBe('gone');
    expect(server.seen[0]).toMatchObject({
      path: '/a?q=1',
      headers: { 'user-agent': 'ocl-test', 'accept-encoding': 'identity' },
    });
  });

  it('gives large bodies in large pieces, byte for byte', async () => {
    const content = Buffer.alloc(10_000_000, 'the quick brown fox ');
    const server = await script({ 'GET /big': reply(200, {}, content) });
    const { body } = await client().request({ method: 'GET', url: new URL(`${server.url}/big`) });
    const { bytes, pieces } = await collect(body);
    expect(bytes.equals(content)).toBe(true);
    // A socket gives 64 KiB at a time.
    expect(bytes.length / pieces.length).toBeGreaterThan(150_000);
  });

  it('does not hold back what came when more is slow to come', async () => {
    let more = (): void => {};
    const server = await script({
      'GET /slow': (response) => {
        response.writeHead(200);
        response.write('first');
        more = () => response.end('second');
      },
    });
    const { body } = await client().request({ method: 'GET', url: new URL(`${server.url}/slow`) });
    const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    expect(String((await pieces.next()).value)).toBe('first');
    more();
    expect(String((await pieces.next()).value)).toBe('second');
    expect((await pieces.next()).done).toBe(true);
  });

  it('does not read on while nobody takes', async () => {
    let sent = 0;
    const chunk = Buffer.alloc(1 << 20);
    const server = await script({
      'GET /endless': (response) => {
        response.writeHead(200);
        const pour = (): void => {
          while (response.write(chunk)) sent++;
          sent++;
          response.once('drain', pour);
        };
        pour();
      },
    });
    const { body } = await client().request({ method: 'GET', url: new URL(`${server.url}/endless`) });
    await new Promise((resolve) => body.once('readable', resolve));
    // Silence for a thousand turns of the loop is silence; one that reads on would have filled its forty pieces by then.
    const counts: number[] = [];
    do {
      counts.push(sent);
      for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
    } while (counts.at(-1) !== sent && counts.length < 40);
    expect(sent).toBeLessThan(40);
    body.destroy();
  });

  it('sends bytes and streams with their length', async () => {
    const server = await script({ 'PUT /b': reply(201) });
    const http = client();
    const url = new URL(`${server.url}/b`);
    await discard(await http.request({ method: 'PUT', url, body: Buffer.from('bytes') }));
    await discard(
      await http.request({
        method: 'PUT',
        url,
        body: { size: 6, open: () => Readable.from([Buffer.from('str'), Buffer.from('eam')]) },
      }),
    );
    expect(server.seen.map(({ headers, body }) => [headers['content-length'], body.toString()])).toEqual([
      ['5', 'bytes'],
      ['6', 'stream'],
    ]);
  });

  it.each([
    ['HEAD, whatever length it announces', 'HEAD', reply(200, { 'content-length': '1234' })],
    ['GET of nothing', 'GET', reply(200, { 'content-length': '0' })],
    ['GET that is answered with 204', 'GET', reply(204)],
    ['GET of what has not changed', 'GET', reply(304)],
  ] as const)(
    'has a body that ends at once, and a connection that can be used again: %s',
    async (_, method, handler) => {
      const ports = new Set<number | undefined>();
      const server = await script({
        [`${method} /x`]: (response, request) => {
          ports.add(response.socket?.remotePort);
          return handler(response, request);
        },
      });
      const http = client();
      const url = new URL(`${server.url}/x`);
      const read = await http.request({ method, url });
      expect((await collect(read.body)).bytes).toHaveLength(0);
      // Nobody has to let go of it; the next request may come a moment before undici counts a connection as free.
      for (let i = 0; i < 6; i++) await http.request({ method, url });
      expect(ports.size).toBeLessThanOrEqual(2);
    },
  );

  it('passes on why the stream that is sent failed', async () => {
    const server = await script({ 'PUT /b': reply(201) });
    const why = new OclError('OCL_DIGEST_MISMATCH', 'Cannot accept x: y');
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.from('half');
      throw why;
    }
    const sending = client().request({
      method: 'PUT',
      url: new URL(`${server.url}/b`),
      body: { size: 8, open: () => Readable.from(failing(), { objectMode: false }) },
    });
    await expect(sending).rejects.toBe(why);
  });

  it('lets go of the stream that is sent when no connection can be made', async () => {
    const sent = Readable.from([Buffer.from('x')]);
    const http = client();
    await expect(
      http.request({ method: 'PUT', url: new URL('http://127.0.0.1:1/'), body: { size: 1, open: () => sent } }),
    ).rejects.toThrow(/refused/);
    expect(sent.destroyed).toBe(true);
  });

  it('stops at once also while the connection is being made', async () => {
    const url = new URL((await rawServer(() => {})).replace('http:', 'https:'));
    const stop = new AbortController();
    const body = Readable.from([Buffer.from('x')]);
    const open = (): Readable => body;
    const asked = client().request({ method: 'PUT', url, signal: stop.signal, body: { size: 1, open } });
    const started = performance.now();
    const reason = new OclError('OCL_CANCELLED', 'for the test');
    setTimeout(() => stop.abort(reason), 50);
    await expect(asked).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(3000);
    expect(body.destroyed).toBe(true);
  });

  it('stops with the reason of the signal, before and during the answer', async () => {
    const server = await script({
      'GET /silent': () => {},
      'GET /half': (response) => void response.writeHead(200).write('half'),
    });
    const http = client();
    const first = new AbortController();
    const reason = new Error('enough');
    const silent = http.request({ method: 'GET', url: new URL(`${server.url}/silent`), signal: first.signal });
    setTimeout(() => first.abort(reason), 20);
    await expect(silent).rejects.toBe(reason);
    const second = new AbortController();
    const half = await http.request({ method: 'GET', url: new URL(`${server.url}/half`), signal: second.signal });
    second.abort(reason);
    await expect(collect(half.body)).rejects.toBe(reason);
    await expect(http.request({ method: 'GET', url: new URL(server.url), signal: second.signal })).rejects.toBe(reason);
  });
});

describe('a connection', () => {
  it('is used again', async () => {
    const ports = new Set<number | undefined>();
    const server = await script({
      'GET /a': (response, request) => (ports.add(response.socket?.remotePort), reply(200, {}, 'x')(response, request)),
    });
    const http = client();
    for (let i = 0; i < 10; i++) await discard(await http.request({ method: 'GET', url: new URL(`${server.url}/a`) }));
    // The next request may come a moment before undici counts a connection as free.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('that the server closed while it was idle is replaced, for what may be repeated', async () => {
    let connections = 0;
    const url = await rawServer((socket) => {
      const number = ++connections;
      let requests = 0;
      socket.on('data', () => {
        if (number === 1 && ++requests === 2) return void socket.resetAndDestroy();
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
      });
    });
    const http = client();
    await discard(await http.request({ method: 'GET', url: new URL(url) }));
    expect((await http.request({ method: 'GET', url: new URL(url) })).status).toBe(200);
    expect(connections).toBe(2);
  });

  it('that breaks under what may not be repeated is an error', async () => {
    let connections = 0;
    const url = await rawServer((socket) => {
      connections++;
      socket.on('data', () => socket.resetAndDestroy());
    });
    const failed = client().request({ method: 'PATCH', url: new URL(url), body: Buffer.from('x') });
    await expect(failed).rejects.toMatchObject({ code: 'OCL_UNREACHABLE', temporary: true, unanswered: true });
    expect(connections).toBe(1);
  });

  it('that breaks in the middle of a body is an error of the body', async () => {
    const server = await script({ 'GET /cut': breakOff(200, { 'content-length': '100' }, Buffer.from('half')) });
    const { body } = await client().request({ method: 'GET', url: new URL(`${server.url}/cut`) });
    await expect(collect(body)).rejects.toMatchObject({ code: 'OCL_UNREACHABLE', temporary: true });
  });

  it('that ends too early or says nonsense is an error', async () => {
    const short = await rawServer((socket) =>
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort')),
    );
    const answer = await client().request({ method: 'GET', url: new URL(short) });
    await expect(collect(answer.body)).rejects.toBeInstanceOf(ConnectionError);
    const nonsense = await rawServer((socket) => socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.7\r\n')));
    await expect(client().request({ method: 'GET', url: new URL(nonsense) })).rejects.toThrow(/not valid HTTP/);
  });

  it('that nobody takes to its end does not end the process', async () => {
    const server = await script({ 'GET /cut': breakOff(200, { 'content-length': '100' }, Buffer.from('half')) });
    const { body } = await client().request({ method: 'GET', url: new URL(`${server.url}/cut`) });
    await new Promise((resolve) => body.once('close', resolve));
    expect(body.errored).toBeInstanceOf(ConnectionError);
  });

  it('that stays silent is given up', async () => {
    const server = await script({
      'GET /silent': () => {},
      'GET /half': (response) => void response.writeHead(200).write('half'),
    });
    const http = client({ timeouts: { connect: 1000, headers: 100, idle: 100 } });
    await expect(http.request({ method: 'GET', url: new URL(`${server.url}/silent`) })).rejects.toThrow(
      /no answer came in time/,
    );
    const half = await http.request({ method: 'GET', url: new URL(`${server.url}/half`) });
    await expect(collect(half.body)).rejects.toThrow(/stopped coming/);
  });

  it('that cannot be made says why', async () => {
    const http = client();
    await expect(http.request({ method: 'GET', url: new URL('http://127.0.0.1:1/') })).rejects.toMatchObject({
      temporary: true,
      message: expect.stringContaining('refused'),
    });
    await expect(http.request({ method: 'GET', url: new URL('http://no-such-host.invalid/') })).rejects.toMatchObject({
      code: 'OCL_UNREACHABLE',
    });
  });

  it('is not made any more after the end', async () => {
    const http = createHttp({ userAgent: 'x' });
    await http.close();
    await expect(http.request({ method: 'GET', url: new URL('http://127.0.0.1:1/') })).rejects.toThrow(/closed/);
  });
});
