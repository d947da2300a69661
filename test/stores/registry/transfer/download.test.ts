import fc from 'fast-check';
import { type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { describe as describeBytes, digestOf, readVerified, verifyInto } from '../../../../src/io/verify.ts';
import { MEDIA } from '../../../../src/core/mediaTypes.ts';
import { breakOff, reply, type Handler, type Seen } from '../../../support/scriptedServer.ts';
import { cleanUp, readAll, scripted, serve, type Scripted } from '../harness.ts';

afterEach(cleanUp);

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
const blob = describeBytes(content, MEDIA.ociLayer);
const call = `GET /v2/app/blobs/${blob.digest}`;
const total = { 'content-length': String(content.length) };

function rangeStart(request: Seen): number {
  return Number(/^bytes=(\d+)-/.exec(request.headers.range ?? 'bytes=0-')?.[1]);
}

/** Honours Range, and breaks off after so many bytes. */
function part(bytes: number): Handler {
  return (response, request) => {
    const start = rangeStart(request);
    const headers = {
      'content-length': String(content.length - start),
      ...(request.headers.range === undefined
        ? {}
        : { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    };
    const status = request.headers.range === undefined ? 200 : 206;
    if (start + bytes >= content.length) return reply(status, headers, content.subarray(start))(response, request);
    return breakOff(status, headers, content.subarray(start, start + bytes))(response, request);
  };
}

async function blobServer(...handlers: Handler[]): Promise<Scripted> {
  return scripted({ [call]: handlers });
}

describe('a download that breaks', () => {
  it('goes on where it was, when the registry can', async () => {
    const { app, server } = await blobServer(part(100_000), part(50_000), part(1e9));
    await verifyInto(await app.open(blob), blob);
    const ranges = server.seen.map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges).toHaveLength(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=\d+-$/);
  });

  it('skips what it has, when the registry starts anew', async () => {
    const { app, server } = await blobServer(
      breakOff(200, total, content.subarray(0, 123_456)),
      reply(200, total, content),
    );
    expect((await readAll(await app.open(blob))).equals(content)).toBe(true);
    expect(server.seen).toHaveLength(2);
  });

  it.each([
    ['another start', 'bytes 5-299999/300000'],
    ['another size', 'bytes START-299999/300001'],
    ['nonsense', 'all of it'],
    ['nothing', ''],
  ])('does not take a part with %s for the rest', async (_name, range) => {
    const { app } = await blobServer(breakOff(200, total, content.subarray(0, 100_000)), (response, request) =>
      reply(
        206,
        range === '' ? {} : { 'content-range': range.replace('START', String(rangeStart(request))) },
        content.subarray(rangeStart(request)),
      )(response, request),
    );
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_REGISTRY' });
  });

  it('ends when the registry lost it meanwhile', async () => {
    const { app } = await blobServer(breakOff(200, total, content.subarray(0, 100_000)), reply(404));
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('is given up when nothing more comes', async () => {
    const { app, server, clock } = await blobServer(part(1000), (response, request) =>
      breakOff(
        206,
        {
          'content-length': String(content.length - rangeStart(request)),
          'content-range': `bytes ${rangeStart(request)}-299999/300000`,
        },
        Buffer.alloc(0),
      )(response, request),
    );
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_UNREACHABLE' });
    expect(server.seen.length).toBeLessThan(10);
    expect(clock.sleeps.length).toBeGreaterThan(3);
  });

  it('goes on after the registry was away for a moment', async () => {
    const { app, clock } = await blobServer(part(100_000), reply(503), reply(429, { 'retry-after': '1' }), part(1e9));
    await verifyInto(await app.open(blob), blob);
    expect(clock.sleeps).toContain(1000);
  });

  it.each([400, 401, 403])(
    'asks the registry for a new address, when the one of the storage has expired (%i)',
    async (status) => {
      let addresses = 0;
      const storage = await serve({
        'GET /1': part(100_000),
        'GET /2': reply(status, {}, '<Error><Code>ExpiredToken</Code></Error>'),
        'GET /3': part(1e9),
      });
      const { app, server } = await blobServer((response, request) =>
        reply(307, { location: `${storage.url}/${++addresses}?sig=x` })(response, request),
      );
      await verifyInto(await app.open(blob), blob);
      expect(server.seen).toHaveLength(3);
      expect(storage.calls()).toEqual(['GET /1', 'GET /2', 'GET /3']);
    },
  );

  it('does not ask for ever, when the storage always says no', async () => {
    let addresses = 0;
    const storage = await serve({ 'GET /1': part(100_000), 'GET /2': reply(403) });
    const { app, server } = await blobServer((response, request) =>
      reply(307, { location: `${storage.url}/${++addresses > 1 ? 2 : 1}` })(response, request),
    );
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_DENIED' });
    expect(server.seen.length).toBeLessThan(10);
  });

  it('takes the no of the registry itself for a no', async () => {
    const { app, server } = await blobServer(part(100_000), reply(403));
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_DENIED' });
    expect(server.seen).toHaveLength(2);
  });

  it('is worth another try as a whole when the parts do not belong together, once', async () => {
    const other = Buffer.from(content).fill(1);
    const { app, server } = await blobServer(
      breakOff(200, total, content.subarray(0, 150_000)),
      (response, request) =>
        reply(
          206,
          { 'content-range': `bytes ${rangeStart(request)}-299999/300000` },
          other.subarray(rangeStart(request)),
        )(response, request),
      reply(200, total, content),
    );
    await expect(verifyInto(await app.open(blob), blob)).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    expect([app.doubt(blob), app.doubt(blob)]).toEqual([true, false]);
    await verifyInto(await app.open(blob), blob);
    expect(server.seen.at(-1)?.headers.range).toBeUndefined();
    expect(app.doubt(blob)).toBe(false);
  });

  it('asks for the rest when a part is shorter than what was asked for', async () => {
    const { app } = await blobServer(
      breakOff(200, total, content.subarray(0, 10_000)),
      (response, request) => {
        const start = rangeStart(request);
        return reply(
          206,
          { 'content-range': `bytes ${start}-${start + 99}/300000` },
          content.subarray(start, start + 100),
        )(response, request);
      },
      part(1e9),
    );
    expect((await readAll(await app.open(blob))).equals(content)).toBe(true);
  });

  it('never gives a wrong byte, wherever and however often it breaks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 200_000 }), ranges: fc.boolean() }), { maxLength: 4 }),
        async (breaks) => {
          const { app } = await blobServer(
            ...breaks.map(({ bytes, ranges }): Handler =>
              ranges
                ? part(bytes)
                : bytes >= content.length
                  ? reply(200, total, content)
                  : breakOff(200, total, content.subarray(0, bytes)),
            ),
            reply(200, total, content),
          );
          expect((await readAll(await app.open(blob))).equals(content)).toBe(true);
          await cleanUp();
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('a part of a blob', () => {
  it.each([
    [{ start: 10, end: 19 }, 'bytes=10-19', content.subarray(10, 20)],
    [{ start: 299_990 }, 'bytes=299990-', content.subarray(299_990)],
    [{ start: 299_990, end: 999_999 }, 'bytes=299990-', content.subarray(299_990)],
    [{ start: 0, end: 0 }, 'bytes=0-0', content.subarray(0, 1)],
  ])('%j', async (range, asked, expected) => {
    const exact: Handler = (response, request) => {
      const [, start = '', end = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
      const last = end === '' ? content.length - 1 : Number(end);
      return reply(
        206,
        { 'content-range': `bytes ${start}-${last}/${content.length}` },
        content.subarray(Number(start), last + 1),
      )(response, request);
    };
    const exactly = await blobServer(exact);
    expect((await readAll(await exactly.app.open(blob, range))).equals(expected)).toBe(true);
    expect(exactly.server.seen[0]?.headers.range).toBe(asked);
    const wholly = await blobServer(reply(200, total, content));
    expect((await readAll(await wholly.app.open(blob, range))).equals(expected)).toBe(true);
  });

  it('beyond the end is nothing, and costs nothing', async () => {
    const { app, server } = await blobServer(reply(200, total, content));
    expect(await readAll(await app.open(blob, { start: 300_000 }))).toHaveLength(0);
    expect(server.seen).toEqual([]);
  });
});

describe('a registry that lies', () => {
  it('about the content is found out', async () => {
    const other = Buffer.from(content);
    other[1000] = 0xff & ~(content[1000] ?? 0);
    const { app } = await blobServer(reply(200, {}, other));
    await expect(verifyInto(await app.open(blob), blob)).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
  });

  it('about the length is found out before it is read', async () => {
    const { app } = await blobServer(reply(200, {}, content.subarray(1)));
    await expect(app.open(blob)).rejects.toMatchObject({ code: 'OCL_SIZE_MISMATCH' });
  });

  it('and never ends is stopped at the first byte too many', async () => {
    const { app } = await blobServer((response: ServerResponse) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16)));
        response.once('drain', pour);
      };
      pour();
    });
    await expect(readAll(await app.open(blob))).rejects.toMatchObject({ code: 'OCL_SIZE_MISMATCH' });
  });

  it('about the end, in chunks of HTTP, is left to who verifies', async () => {
    const { app } = await blobServer((response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.end(content.subarray(0, 5));
    });
    await expect(readVerified(await app.open(blob), blob, 1e6)).rejects.toMatchObject({ code: 'OCL_SIZE_MISMATCH' });
  });

  it('and compresses what was not to be compressed is refused', async () => {
    const { app } = await blobServer(reply(200, { 'content-encoding': 'gzip' }, content));
    await expect(app.open(blob)).rejects.toMatchObject({
      code: 'OCL_REGISTRY',
      message: expect.stringContaining('gzip'),
    });
  });

  it('and leads in circles is left', async () => {
    const { app } = await blobServer(reply(302, { location: `/v2/app/blobs/${blob.digest}` }));
    await expect(app.open(blob)).rejects.toMatchObject({
      code: 'OCL_REGISTRY',
      message: expect.stringContaining('circle'),
    });
  });

  it('about a file instead of a URL is refused', async () => {
    const { app } = await blobServer(reply(302, { location: 'file:///etc/passwd' }));
    await expect(app.open(blob)).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
  });
});

it('an empty blob is an empty stream, if it is there', async () => {
  const empty = { mediaType: 'a/b', digest: digestOf(Buffer.alloc(0)), size: 0 };
  const { app } = await scripted({ [`GET /v2/app/blobs/${empty.digest}`]: [reply(200), reply(404)] });
  expect(await readAll(await app.open(empty))).toHaveLength(0);
  await expect(app.open(empty)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
});

it('a stream that is given up lets go of its connection at once', async () => {
  let closed: () => void = () => {};
  const gone = new Promise<void>((resolve) => (closed = resolve));
  const { app } = await blobServer((response) => {
    response.writeHead(200, total);
    response.write(content.subarray(0, 10));
    response.once('close', closed);
  });
  const stream = await app.open(blob);
  stream.resume();
  await new Promise((resolve) => stream.once('data', resolve));
  stream.destroy();
  await expect(gone).resolves.toBeUndefined();
});

it('the signal of the run ends downloads', async () => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const { app } = await scripted(
    { [call]: (response) => void response.writeHead(200, total).write('x') },
    { signal: stop.signal },
  );
  const reading = readAll(await app.open(blob));
  stop.abort(reason);
  await expect(reading).rejects.toBe(reason);
  await expect(app.open(blob)).rejects.toBe(reason);
});
