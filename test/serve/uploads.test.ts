import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock } from '../../src/core/clock.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { Linker } from '../../src/io/link.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { blobPath, digestOf } from '../../src/io/verify.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { errorCode, LIBRARIES, Pusher, startEmbedded, type Embedded, type OpenedLibrary } from '../support/embedded.ts';

const UPLOAD = 'blobs/uploads/';

async function begin(pusher: Pusher, query = ''): Promise<string> {
  const answer = await pusher.ask('POST', `${UPLOAD}${query}`);
  expect(answer.status).toBe(202);
  return answer.headers.get('location') ?? '';
}

async function patch(pusher: Pusher, location: string, body: string, range?: string): Promise<Response> {
  return await pusher.ask('PATCH', location, { body, headers: range === undefined ? {} : { 'Content-Range': range } });
}

async function received(pusher: Pusher, location: string): Promise<string | null> {
  const answer = await pusher.ask('GET', location);
  expect([answer.status, answer.headers.get('location')]).toEqual([204, location]);
  return answer.headers.get('range');
}

function streaming(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
      controller.close();
    },
  });
}

describe.each(LIBRARIES)('uploads over a %s library', (_kind, open) => {
  let opened: OpenedLibrary;
  let server: Embedded;
  let one: Pusher;
  beforeAll(async () => {
    opened = await open();
    server = await startEmbedded(opened.library);
    one = new Pusher(server.url, 'c/one');
  });
  afterAll(async () => {
    await server.close();
    await opened.close();
  });

  async function body(pusher: Pusher, digest: string): Promise<string> {
    const answer = await pusher.ask('GET', `blobs/${digest}`);
    return answer.status === 200 ? await answer.text() : `${answer.status}`;
  }

  it('takes uploads again when somebody has taken their directory away', async () => {
    await begin(one);
    await rm(join(server.tmpDir, 'uploads'), { recursive: true });
    const digest = digestOf(Buffer.from('again'));
    expect((await one.ask('PUT', `${await begin(one)}?digest=${digest}`, { body: 'again' })).status).toBe(201);
    expect(await body(one, digest)).toBe('again');
  });

  it.each(['sha256', 'sha384', 'sha512', 'blake3'] as const)(
    'takes a blob in each way, named by %s',
    async (algorithm) => {
      for (const way of ['post', 'post+put', 'chunks', 'stream', 'last chunk', 'announced']) {
        const content = `${way} with ${algorithm}`;
        const digest = digestOf(Buffer.from(content), algorithm);
        let answer: Response;
        if (way === 'post') answer = await one.ask('POST', `${UPLOAD}?digest=${digest}`, { body: content });
        else {
          const location = await begin(one, way === 'announced' ? `?digest-algorithm=${algorithm}` : '');
          let last: string | undefined;
          if (way === 'post+put' || way === 'announced') last = content;
          if (way === 'chunks') {
            await patch(one, location, content.slice(0, 3), '0-2');
            await patch(one, location, content.slice(3), `3-${content.length - 1}`);
          }
          if (way === 'stream')
            await one.ask('PATCH', location, { body: streaming('stream', ' with ', algorithm), duplex: 'half' });
          if (way === 'last chunk') {
            await patch(one, location, content.slice(0, 5));
            last = content.slice(5);
          }
          answer = await one.ask('PUT', `${location}?digest=${digest}`, last === undefined ? {} : { body: last });
        }
        expect([way, answer.status, answer.headers.get('location')]).toEqual([way, 201, `/v2/c/one/blobs/${digest}`]);
        expect(answer.headers.get('docker-content-digest')).toBe(digest);
        expect(await body(one, digest)).toBe(content);
      }
    },
  );

  it('leaves no file behind', async () => {
    const { digest } = await one.blob('what is left of me?');
    expect(await body(one, digest)).toBe('what is left of me?');
    await one.ask('DELETE', await begin(one));
    expect(await readdir(join(server.tmpDir, 'uploads'))).toEqual([]);
  });

  it('answers each step with where to go on', async () => {
    const location = await begin(one);
    expect(location).toMatch(/^\/v2\/c\/one\/blobs\/uploads\/[0-9a-f-]{36}$/);
    const answer = await patch(one, location, '0123456789', '0-9');
    expect([answer.status, answer.headers.get('location'), answer.headers.get('range')]).toEqual([
      202,
      location,
      '0-9',
    ]);
    expect(answer.headers.get('docker-upload-uuid')).toBe(location.split('/').at(-1));
    expect(await received(one, location)).toBe('0-9');
    await one.ask('DELETE', location);
  });

  it.each([
    ['out of order', '5-8', 'abcd', 416, 'BLOB_UPLOAD_INVALID'],
    ['the first one again', '0-3', 'abcd', 416, 'BLOB_UPLOAD_INVALID'],
    ['a range that is none', 'bytes 4-7', 'abcd', 416, 'BLOB_UPLOAD_INVALID'],
    ['a range backwards', '7-4', 'abcd', 416, 'BLOB_UPLOAD_INVALID'],
    ['longer than its range', '4-5', 'abcd', 400, 'SIZE_INVALID'],
    ['shorter than its range', '4-9', 'abcd', 400, 'SIZE_INVALID'],
  ])('refuses a chunk %s and goes on', async (_what, range, chunk, status, code) => {
    const location = await begin(one);
    await patch(one, location, '0123', '0-3');
    for (const method of ['PATCH', 'PUT']) {
      const target = method === 'PUT' ? `${location}?digest=${digestOf(Buffer.from('0123abcd'))}` : location;
      const answer = await one.ask(method, target, { body: chunk, headers: { 'Content-Range': range } });
      expect([answer.status, await errorCode(answer)]).toEqual([status, code]);
      if (status === 416)
        expect([answer.headers.get('range'), answer.headers.get('location')]).toEqual(['0-3', location]);
      expect(await received(one, location)).toBe('0-3');
    }
    expect((await patch(one, location, '4567', '4-7')).status).toBe(202);
    const digest = digestOf(Buffer.from('01234567'));
    expect((await one.ask('PUT', `${location}?digest=${digest}`)).status).toBe(201);
    expect(await body(one, digest)).toBe('01234567');
  });

  it('refuses a streamed chunk that is not as long as its range', async () => {
    const location = await begin(one);
    for (const [range, code] of [
      ['0-3', 'SIZE_INVALID'],
      ['0-30', 'SIZE_INVALID'],
    ] as const) {
      const init = { body: streaming('0123', '456'), duplex: 'half', headers: { 'Content-Range': range } } as const;
      const answer = await one.ask('PATCH', location, init);
      expect([answer.status, await errorCode(answer), await received(one, location)]).toEqual([400, code, '0-0']);
    }
  });

  it('survives a digest that is wrong, missing or of an unknown kind', async () => {
    const location = await begin(one);
    await patch(one, location, 'half ');
    const digest = digestOf(Buffer.from('half done'));
    const other = digestOf(Buffer.from('other'));
    for (const query of [
      '',
      '?digest=',
      '?digest=sha256:short',
      `?digest=${other}`,
      '?digest=md5:d41d8cd98f00b204e9800998ecf8427e',
    ]) {
      const answer = await one.ask('PUT', `${location}${query}`, { body: 'done' });
      expect([query, answer.status, await errorCode(answer)]).toEqual([query, 400, 'DIGEST_INVALID']);
      expect(await received(one, location)).toBe('0-4');
    }
    expect((await one.ask('PUT', `${location}?digest=${digest}`, { body: 'done' })).status).toBe(201);
    expect(await body(one, digest)).toBe('half done');
  });

  it('refuses a whole blob with a wrong digest, and keeps nothing of it', async () => {
    const digest = digestOf(Buffer.from('never came'));
    for (const query of [`?digest=${digest}`, '?digest=sha256:short', '?digest-algorithm=md5']) {
      const answer = await one.ask('POST', `${UPLOAD}${query}`, { body: 'something else' });
      expect([query, answer.status, await errorCode(answer)]).toEqual([query, 400, 'DIGEST_INVALID']);
    }
    expect(await body(one, digest)).toBe('404');
    expect(await readdir(join(server.tmpDir, 'uploads'))).toHaveLength(1);
  });

  it('knows its uploads by repository, and not after they ended', async () => {
    const location = await begin(one);
    const elsewhere = location.replace('c/one', 'c/two');
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await one.ask(method, elsewhere);
      expect([answer.status, await errorCode(answer)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    }
    expect((await one.ask('DELETE', location)).status).toBe(204);
    for (const method of ['GET', 'PATCH', 'DELETE']) expect((await one.ask(method, location)).status).toBe(404);
    expect((await one.ask('PUT', `${location}?digest=${digestOf(Buffer.from(''))}`)).status).toBe(404);
  });

  it('mounts from a repository that is named, or from any', async () => {
    const two = new Pusher(server.url, 'c/two');
    const mine = await one.blob('to be mounted');
    const answer = await two.ask('POST', `${UPLOAD}?mount=${mine.digest}&from=c/one`);
    expect([answer.status, answer.headers.get('location')]).toEqual([201, `/v2/c/two/blobs/${mine.digest}`]);
    expect(answer.headers.get('docker-content-digest')).toBe(mine.digest);
    expect(await body(two, mine.digest)).toBe('to be mounted');
    const three = new Pusher(server.url, 'c/three');
    expect((await three.ask('POST', `${UPLOAD}?mount=${mine.digest}`)).status).toBe(201);
    expect((await three.ask('POST', `${UPLOAD}?mount=${mine.digest}`)).status).toBe(201);
    expect(await body(three, mine.digest)).toBe('to be mounted');
  });

  it('begins an upload when there is nothing to mount', async () => {
    const absent = digestOf(Buffer.from('absent'));
    for (const query of [
      `?mount=${absent}&from=c/one`,
      `?mount=${absent}`,
      `?mount=${absent}&from=no/such`,
      `?mount=${absent}&from=..%2fetc`,
    ]) {
      expect(await begin(one, query)).toContain('/uploads/');
    }
    expect((await one.ask('POST', `${UPLOAD}?mount=nope`)).status).toBe(400);
  });
});

describe('an upload whose blob cannot be committed', () => {
  it('leaves the blob alone that its file became by a link', async () => {
    const root = await mkdtemp(join(tmpdir(), 'ocl-library-'));
    const tree = new LayoutTree(root, { clock: systemClock, emit: silent, linker: new Linker() });
    const library = {
      name: 'failing',
      writable: true,
      repositories: () => tree.repositories(),
      source: (repository: string) => tree.source(repository),
      close: () => tree.close(),
      async sink(repository: string) {
        const sink = await tree.sink(repository);
        sink.commit = () => Promise.reject(new OclError('OCL_LOCKED', 'Cannot commit: for the test'));
        return sink;
      },
    };
    const server = await startEmbedded(library);
    try {
      const pusher = new Pusher(server.url, 'a');
      const content = Buffer.from('what is linked');
      const digest = digestOf(content);
      const location = await begin(pusher);
      expect((await pusher.ask('PUT', `${location}?digest=${digest}`, { body: content })).status).toBe(503);
      expect((await patch(pusher, location, 'other bytes of it')).status).toBe(404);
      expect(await readFile(join(root, 'a', blobPath(digest)))).toEqual(content);
    } finally {
      await server.close();
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('limits of uploads', () => {
  it('refuses more uploads, larger blobs and more bytes than it has room for', async () => {
    const limits = { uploads: 2, blobBytes: 100, uploadBytes: 150 };
    const server = await startEmbedded(createMemoryLibrary(), { limits });
    const one = new Pusher(server.url, 'c/one');
    const [first, second] = [await begin(one), await begin(one)];
    const third = await one.ask('POST', UPLOAD);
    expect([third.status, await errorCode(third), third.headers.get('retry-after')]).toEqual([
      429,
      'TOOMANYREQUESTS',
      '60',
    ]);
    const large = await patch(one, first, 'x'.repeat(101));
    expect([large.status, await errorCode(large)]).toEqual([413, 'SIZE_INVALID']);
    expect((await patch(one, first, 'x'.repeat(100))).status).toBe(202);
    const together = await patch(one, second, 'x'.repeat(60));
    expect([together.status, await errorCode(together)]).toEqual([429, 'TOOMANYREQUESTS']);
    expect((await patch(one, second, 'x'.repeat(50))).status).toBe(202);
    await one.ask('DELETE', first);
    expect((await one.ask('POST', UPLOAD)).status).toBe(202);
    await server.close();
  });

  it('drops uploads that nobody feeds, after a while', async () => {
    const clock = new ManualClock();
    const server = await startEmbedded(createMemoryLibrary(), { clock, limits: { uploadIdleMs: 60_000 } });
    const one = new Pusher(server.url, 'c/one');
    const old = await begin(one);
    clock.advance(40_000);
    const young = await begin(one);
    clock.advance(30_000);
    await expect.poll(async () => (await one.ask('GET', old)).status).toBe(404);
    expect((await one.ask('GET', young)).status).toBe(204);
    await expect.poll(() => readdir(join(server.tmpDir, 'uploads'))).toHaveLength(1);
    await server.close();
  });
});

/** Sleepers wake when a test moves the time. */
class ManualClock implements Clock {
  #now = Date.now();
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.push({ at: this.#now + ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const { at, wake } of this.#sleepers) if (at <= this.#now) wake();
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#now);
  }
}
