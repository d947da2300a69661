import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { type Library, type LocalSource } from '../../src/core/store.ts';
import { describe as describeBytes } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { errorCode, Pusher, startEmbedded, type Embedded, type EmbeddedOptions } from '../support/embedded.ts';

const running: Embedded[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function start(library: Library, options: EmbeddedOptions = {}): Promise<Embedded> {
  const server = await startEmbedded(library, options);
  running.push(server);
  return server;
}

/** A library whose sources are what a test makes of them. */
function over(library: Library, change: (source: LocalSource) => Partial<LocalSource>): Library {
  return {
    name: library.name,
    writable: true,
    repositories: () => library.repositories(),
    sink: (repository) => library.sink(repository),
    close: () => library.close(),
    async source(repository) {
      const source = await library.source(repository);
      if (source === undefined) return undefined;
      const changed = change(source);
      return new Proxy(source, {
        get: (target, name) => {
          const member: unknown = Reflect.get(name in changed ? changed : target, name);
          return typeof member === 'function' ? (member.bind(name in changed ? changed : target) as unknown) : member;
        },
      });
    },
  };
}

describe('a server', () => {
  it('says where it listens, and that a port is taken', async () => {
    const server = await start(createMemoryLibrary());
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    await expect(startEmbedded(createMemoryLibrary(), { port: server.port })).rejects.toMatchObject({ code: 'OCL_IO' });
  });

  it('lets requests under way finish, and ends idle connections at once', async () => {
    const server = await startEmbedded(createMemoryLibrary());
    const one = new Pusher(server.url, 'c/one');
    const location = (await one.ask('POST', 'blobs/uploads/')).headers.get('location') ?? '';
    const idle = connect(server.port, '127.0.0.1');
    const idleEnd = new Promise((resolve) => void idle.once('close', resolve));
    const busy = connect(server.port, '127.0.0.1');
    busy.write(`PATCH ${location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234`);
    await expect.poll(async () => (await one.ask('PATCH', location, { body: '' })).status).toBe(416);
    const before = Date.now();
    const closing = server.close();
    idle.resume();
    await idleEnd;
    busy.write('56789');
    let text = '';
    for await (const chunk of busy) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 202 /);
    await closing;
    expect(Date.now() - before).toBeLessThan(1500);
    await expect(fetch(`${server.url}/v2/`)).rejects.toThrow('fetch failed');
  });

  it('does not wait for ever', async () => {
    const server = await startEmbedded(createMemoryLibrary(), { graceMs: 100 });
    const busy = connect(server.port, '127.0.0.1');
    busy.on('error', () => {});
    busy.write(
      'POST /v2/c/one/blobs/uploads/?digest=sha256:'.concat(
        'a'.repeat(64),
        ' HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234',
      ),
    );
    await new Promise((resolve) => void setTimeout(resolve, 50));
    const before = Date.now();
    await server.close();
    expect(Date.now() - before).toBeLessThan(1500);
  });

  it('hangs up on the silent', async () => {
    const server = await start(createMemoryLibrary(), { idleMs: 100 });
    const silent = connect(server.port, '127.0.0.1');
    silent.write('POST /v2/c/one/blobs/uploads/?digest=sha256:');
    silent.resume();
    await expect.poll(() => silent.destroyed).toBe(true);
  });
});

describe('a store that fails', () => {
  it.each([
    ['OCL_LOCKED', 503, 'UNAVAILABLE'],
    ['OCL_NO_SPACE', 507, 'UNKNOWN'],
    ['OCL_IO', 500, 'UNKNOWN'],
    ['OCL_AMBIGUOUS', 409, 'MANIFEST_UNKNOWN'],
    ['OCL_INCOMPLETE', 500, 'UNKNOWN'],
  ] as const)('with %s', async (code, status, ociCode) => {
    const resolve = (): Promise<never> => Promise.reject(new OclError(code, 'Cannot read /secret/path: broken'));
    const server = await start(over(createMemoryLibrary(), () => ({ resolve })));
    const one = new Pusher(server.url, 'c/one');
    await one.blob('{}');
    const answer = await one.ask('GET', 'manifests/v1');
    const text = await answer.clone().text();
    expect([answer.status, await errorCode(answer), text.includes('secret')]).toEqual([status, ociCode, false]);
    expect(server.events.some((event) => event.type === 'notice' && event.message.includes('/secret/path'))).toBe(
      status >= 500,
    );
  });

  it.each([
    ['ends early', (bytes: Buffer) => Readable.from([bytes.subarray(0, 5)])],
    ['goes on too long', (bytes: Buffer) => Readable.from([bytes, bytes])],
    ['breaks', (bytes: Buffer) => Readable.from(breaking(bytes))],
  ])('to give the whole: %s', async (_what, stream) => {
    const content = Buffer.alloc(3 << 20, 'x');
    const changed = over(createMemoryLibrary(), () => ({ open: () => Promise.resolve(stream(content)) }));
    const server = await start(changed);
    const one = new Pusher(server.url, 'c/one');
    const { digest } = await one.blob(content);
    const read = async (): Promise<number> =>
      (await (await one.ask('GET', `blobs/${digest}`)).arrayBuffer()).byteLength;
    await expect(read()).rejects.toThrow(/terminated|fetch failed/);
    expect((await one.ask('GET', '/v2/')).status).toBe(200);
  });

  it('never gives a manifest that is not what its digest says', async () => {
    const changed = over(createMemoryLibrary(), (source) => ({
      open: async (descriptor) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of (await source.open(descriptor)) as AsyncIterable<Uint8Array>) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        bytes[bytes.length - 3] = 0x20;
        return Readable.from([bytes]);
      },
    }));
    const server = await start(changed);
    const one = new Pusher(server.url, 'c/one');
    await one.manifest('v1');
    const read = async (): Promise<string> => await (await one.ask('GET', 'manifests/v1')).text();
    await expect(read()).rejects.toThrow(/terminated|fetch failed/);
  });

  it('destroys the stream of a client that left', async () => {
    let destroyed = false;
    const endless = (): Promise<Readable> =>
      Promise.resolve(
        new Readable({
          read() {
            this.push(Buffer.alloc(1 << 16));
          },
          destroy(error, done) {
            destroyed = true;
            done(error);
          },
        }),
      );
    const content = Buffer.alloc(64 << 20, 'x');
    const server = await start(over(createMemoryLibrary(), () => ({ open: endless })));
    const { digest } = describeBytes(content, 'x');
    const one = new Pusher(server.url, 'c/one');
    await one.blob(content);
    const client = connect(server.port, '127.0.0.1');
    client.write(`GET /v2/c/one/blobs/${digest} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await new Promise((resolve) => void client.once('data', resolve));
    client.destroy();
    await expect.poll(() => destroyed).toBe(true);
    expect(server.events).toEqual([]);
  });
});

async function* breaking(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 1 << 20);
  await Promise.resolve();
  throw new Error('the disk broke');
}
