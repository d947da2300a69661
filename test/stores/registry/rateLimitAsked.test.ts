import { afterEach, describe, expect, it } from 'vitest';
import { silent } from '../../../src/core/events.ts';
import { createHttp } from '../../../src/io/http.ts';
import { askRateLimit, type LimitQuestion } from '../../../src/stores/registry/askRateLimit.ts';
import { anonymous } from '../../../src/stores/registry/auth/credentials.ts';
import { type RateLimit } from '../../../src/stores/registry/rateLimit.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { reply, replyJson, type Handler, type ScriptedServer } from '../../support/scriptedServer.ts';
import { startTokenServer, type TokenServer } from '../../support/tokenServer.ts';
import { cleanUp, serve } from './harness.ts';

const HUB = {
  'ratelimit-limit': '100;w=21600',
  'ratelimit-remaining': '76;w=21600',
  'docker-ratelimit-source': '192.0.2.7',
};
const PREVIEW = 'HEAD /v2/ratelimitpreview/test/manifests/latest';
const app = { repository: 'team/app', name: '1' };

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await cleanUp();
});

async function ask(
  server: ScriptedServer,
  question: Pick<LimitQuestion, 'image'> & { readonly registry?: string },
): Promise<RateLimit | undefined> {
  const http = createHttp({ userAgent: 'ocl-test' });
  closers.push(() => http.close());
  const { registry = server.host, image } = question;
  const settings = { hostname: server.host };
  return askRateLimit({ registry, image, settings, http, clock: fakeClock(), credentials: anonymous, emit: silent });
}

describe('asking what is left', () => {
  it.each([
    ['an image', {}, app, 'HEAD /v2/team/app/manifests/1'],
    ['a registry', {}, undefined, 'GET /v2/'],
    ['Docker Hub', { registry: 'docker.io' }, undefined, PREVIEW],
    ['an image of Docker Hub', { registry: 'docker.io' }, app, 'HEAD /v2/team/app/manifests/1'],
  ])('of %s is one request that spends nothing', async (_, of, image, call) => {
    const server = await serve({ [call]: reply(200, { ...HUB, 'content-type': 'text/plain' }) });
    expect(await ask(server, { ...of, image })).toMatchObject({
      limit: 100,
      remaining: 76,
      window: 21_600,
      source: '192.0.2.7',
    });
    expect(server.calls()).toEqual([call]);
  });

  it.each([
    ['nothing is said', reply(200), undefined],
    ['the image is not there', reply(404, HUB), { remaining: 76 }],
    ['it is refused', reply(403, HUB), { remaining: 76 }],
    [
      'all is spent',
      reply(429, { ...HUB, 'ratelimit-remaining': '0;w=21600', 'retry-after': '60' }),
      { limit: 100, remaining: 0 },
    ],
    ['all is spent and nothing else said', reply(429, { 'retry-after': '60' }), { limit: undefined, remaining: 0 }],
    ['all is spent for longer than a run waits', reply(429, { 'retry-after': '7200' }), { remaining: 0 }],
  ])('is answered once, where %s', async (_, handler, expected) => {
    const server = await serve({ 'HEAD /v2/team/app/manifests/1': handler });
    const limit = await ask(server, { image: app });
    if (expected === undefined) expect(limit).toBeUndefined();
    else expect(limit).toMatchObject(expected);
    expect(server.calls()).toEqual(['HEAD /v2/team/app/manifests/1']);
  });

  it('with a token that allows no more than to pull the image', async () => {
    const tokens: TokenServer = await startTokenServer({ clock: fakeClock() });
    closers.push(() => tokens.close());
    const guarded: Handler = tokens.guard('repository:ratelimitpreview/test:pull', reply(200, HUB));
    const server = await serve({ [PREVIEW]: guarded, 'GET /v2/': replyJson(200, {}) });
    expect(await ask(server, { registry: 'docker.io', image: undefined })).toMatchObject({ remaining: 76 });
    expect(tokens.asked.map(({ scopes }) => scopes)).toEqual([['repository:ratelimitpreview/test:pull']]);
    expect(server.calls()).toEqual([PREVIEW, PREVIEW]);
  });

  it('fails where nobody answers', async () => {
    const server = await serve({});
    await server.close();
    await expect(ask(server, { image: app })).rejects.toMatchObject({ code: 'OCL_UNREACHABLE' });
  });
});
