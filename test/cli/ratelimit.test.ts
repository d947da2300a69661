import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { reply, startScriptedServer, type Handler } from '../support/scriptedServer.ts';

const HEAD = 'HEAD /v2/team/app/manifests/1';
const told = reply(200, {
  'x-ratelimit-limit': '60',
  'x-ratelimit-remaining': '58;w=3600',
  'docker-ratelimit-source': 'me\u0085',
});

async function withServer(
  script: Readonly<Record<string, Handler>>,
  use: (host: string) => Promise<void>,
): Promise<readonly string[]> {
  const server = await startScriptedServer(script);
  try {
    await use(server.host);
    return server.calls();
  } finally {
    await server.close();
  }
}

describe('ocl ratelimit', () => {
  it('says what is left of an image, and spends none of it', async () => {
    const calls = await withServer({ [HEAD]: told }, async (host) => {
      const { stdout } = await oclDone(['ratelimit', `${host}/team/app:1`]);
      expect(stdout).toBe(`${host}: 58 left of 60 in 1 h 00 min, counted for me\\u{85}\n`);
      const { stdout: line } = await oclDone(['ratelimit', `${host}/team/app:1`, '--json']);
      expect(jsonLines(line)).toEqual([
        {
          registry: host,
          limit: 60,
          remaining: 58,
          window: 3600,
          resetAt: null,
          source: 'me\u0085',
          seenAt: expect.stringMatching(/^\d{4}-.*Z$/),
        },
      ]);
    });
    expect(calls).toEqual([HEAD, HEAD]);
  });

  it('says plainly that a registry tells nothing', async () => {
    const calls = await withServer({ 'GET /v2/': reply(200) }, async (host) => {
      const { stdout } = await oclDone(['ratelimit', host]);
      expect(stdout).toContain('tells nothing about limits');
      const { stdout: line } = await oclDone(['ratelimit', `${host}/`, '--json']);
      expect(jsonLines(line)).toEqual([
        { registry: host, limit: null, remaining: null, window: null, resetAt: null, source: null, seenAt: null },
      ]);
    });
    expect(calls).toEqual(['GET /v2/', 'GET /v2/']);
  });

  it('says when it begins anew', async () => {
    const spent = reply(429, { 'retry-after': '7200' });
    await withServer({ [HEAD]: spent }, async (host) => {
      const { stdout } = await oclDone(['ratelimit', `${host}/team/app:1`]);
      expect(stdout).toMatch(/: 0 left, anew in (?:2 h 00|1 h 59) min\n$/);
    });
  });

  it.each([
    ['a place on disk', './dir', EXIT.usage],
    ['an address by http', 'http://registry.example', EXIT.usage],
    ['nobody', '127.0.0.1:1', EXIT.network],
  ])('of %s is an error', async (_, place, status) => {
    const { stdout, ...result } = await ocl(['ratelimit', place]);
    expect([result.status, stdout]).toEqual([status, '']);
    expect(result.stderr).toMatch(/^error: Cannot .*\nhint: {2}/);
  });
});
