import { afterEach, describe, expect, it } from 'vitest';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { reply, replyJson, type Handler } from '../../support/scriptedServer.ts';
import { cleanUp, listAll, openBytes, scripted } from './harness.ts';

afterEach(cleanUp);

const said = (code: string, message = ''): unknown => ({ errors: [{ code, message }] });

async function failure(handler: Handler): Promise<{ code: string; message: string; hint: string | undefined }> {
  const { app } = await scripted({ 'GET /v2/app/tags/list': handler });
  return listAll(app.tags()).then(
    () => {
      throw new Error('it did not fail');
    },
    (error: { code: string; message: string; hint: string | undefined }) => error,
  );
}

describe('an answer that says no', () => {
  it.each([
    [401, undefined, 'OCL_UNAUTHORIZED'],
    [403, said('DENIED'), 'OCL_DENIED'],
    [404, said('NAME_UNKNOWN'), 'OCL_NOT_FOUND'],
    [404, undefined, 'OCL_NOT_FOUND'],
    [405, said('UNSUPPORTED'), 'OCL_UNSUPPORTED'],
    [400, said('UNSUPPORTED'), 'OCL_UNSUPPORTED'],
    [400, said('NAME_INVALID'), 'OCL_REGISTRY'],
    [403, said('TOOMANYREQUESTS'), 'OCL_RATE_LIMITED'],
    [429, undefined, 'OCL_RATE_LIMITED'],
    [418, undefined, 'OCL_REGISTRY'],
    [500, undefined, 'OCL_REGISTRY'],
    [503, said('UNAVAILABLE'), 'OCL_REGISTRY'],
  ])('%i %j is %s', async (status, body, code) => {
    expect(await failure(body === undefined ? reply(status) : replyJson(status, body))).toMatchObject({ code });
  });

  it('is told with its codes and messages', async () => {
    const { message } = await failure(
      replyJson(404, {
        errors: [{ code: 'NAME_UNKNOWN', message: 'repository name not known' }, { code: 'EXTRA' }, null, 'x'],
      }),
    );
    expect(message).toMatch(
      /^Cannot list the tags of 127\.0\.0\.1:\d+\/app: 127\.0\.0\.1:\d+ answered 404 \(NAME_UNKNOWN: repository name not known; EXTRA\)$/,
    );
  });

  it('of a proxy is told by its title or its text', async () => {
    expect(
      (await failure(reply(403, {}, '<html><head><title>Blocked by policy</title></head><body>…</body></html>')))
        .message,
    ).toContain('(Blocked by policy)');
    expect((await failure(reply(403, {}, '<p>go <b>away</b></p>'))).message).toContain('(go away)');
    expect((await failure(reply(403, {}, 'plain\n text'))).message).toContain('(plain text)');
  });

  it.each(['<', '<title', '<p '])('full of %s costs no time to look through', async (text) => {
    const started = performance.now();
    const error = await failure(reply(403, {}, text.repeat(65_536 / text.length)));
    expect(error.message.length).toBeLessThan(1000);
    expect(performance.now() - started).toBeLessThan(1500);
  });

  it('of megabytes is cut short', async () => {
    let sent = 0;
    const { message } = await failure((response) => {
      response.writeHead(404);
      const pour = (): void => {
        while (!response.destroyed && sent < 1 << 28 && response.write('x'.repeat(1 << 16))) sent += 1 << 16;
        response.once('drain', pour);
      };
      pour();
    });
    expect(message.length).toBeLessThan(500);
    expect(sent).toBeLessThan(32 << 20);
  });

  it('cannot write on the terminal', async () => {
    const { message } = await failure(
      replyJson(404, said('X\u001b]0;owned\u0007', '\u001b[2J\u202egnp.exe\r\nCannot: fake')),
    );
    // eslint-disable-next-line no-control-regex
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  it('is told without secrets', async () => {
    expect((await failure(reply(404, {}, 'see https://me:secret@host/?token=abc'))).message).not.toMatch(/secret|abc/);
  });

  it('is told with when to come back', async () => {
    expect((await failure(reply(429, { 'retry-after': '86400' }))).hint).toContain('2026-01-02T00:00:00Z');
  });
});

it('a manifest whose blobs are missing is told apart', async () => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [] }));
  const index = describeBytes(bytes, MEDIA.ociIndex);
  for (const code of ['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN']) {
    const { app } = await scripted({ [`PUT /v2/app/manifests/${index.digest}`]: replyJson(404, said(code)) });
    await expect(app.put(index, openBytes(bytes))).rejects.toMatchObject({ code: 'OCL_MISSING_BLOBS' });
  }
});

describe('manners', () => {
  it('temporary failures are tried again, with the pauses that are asked for', async () => {
    const { app, server, clock } = await scripted({
      'GET /v2/app/tags/list': [reply(503), reply(429, { 'retry-after': '3' }), replyJson(200, { tags: ['a'] })],
    });
    expect(await listAll(app.tags())).toEqual(['a']);
    expect(server.seen).toHaveLength(3);
    expect(clock.sleeps).toContain(3000);
  });

  it('a host that asks for silence gets it from all', async () => {
    const { app, clock } = await scripted({
      'GET /v2/app/tags/list': [reply(429, { 'retry-after': '60' }), replyJson(200, { tags: [] })],
      [`HEAD /v2/app/blobs/${describeBytes(Buffer.from('x'), 'a/b').digest}`]: reply(200),
    });
    const start = clock.now();
    await listAll(app.tags());
    expect(clock.now() - start).toBe(60_000);
  });

  it('warnings are passed on once, as text', async () => {
    const { app, events } = await scripted({
      'GET /v2/app/tags/list': reply(
        200,
        {
          warning: [
            '299 - "old \\"client\\"", 299 - "second"',
            '299 - "old \\"client\\""',
            '199 - "other"',
            '299 agent "x"',
          ],
        },
        '{}',
      ),
    });
    await listAll(app.tags());
    await listAll(app.tags());
    expect(
      events.map((event) => (event.type === 'notice' ? event.message.replace(/^[^ ]+/, 'HOST') : event.type)),
    ).toEqual(['HOST warns: old "client"', 'HOST warns: second']);
  });

  it('limits are remembered per host', async () => {
    const { app, registries, server, clock } = await scripted({
      'GET /v2/app/tags/list': reply(
        200,
        { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600', 'ratelimit-reset': '60' },
        '{}',
      ),
    });
    expect(app.rateLimit).toBeUndefined();
    await listAll(app.tags());
    const expected = { limit: 100, remaining: 76, window: 21_600, resetAt: clock.now() + 60_000, seenAt: clock.now() };
    expect(app.rateLimit).toEqual(expected);
    expect(registries.rateLimit(server.host)).toEqual(expected);
  });
});
