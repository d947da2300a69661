import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OclError } from '../../../src/core/errors.ts';
import { listen, type Listening } from '../../../src/serve/listen.ts';
import { createEndpoints } from '../../../src/sync/server/endpoints.ts';
import { createMetrics, type ServerMetrics } from '../../../src/sync/server/metrics.ts';
import { type ServerEvent } from '../../../src/sync/server/events.ts';
import { type Status } from '../../../src/sync/server/status.ts';
import { image, TestClock, World } from '../world.ts';
import { startServer, until, type Bench } from './world.ts';

const FILE = `sync:
  - {type: repository, source: s.test/good, target: t.test/good, interval: 1h}
  - {type: repository, source: s.test/bad, target: t.test/bad, schedule: "TZ=UTC 0 3 * * *"}
  - {type: image, source: "https://user:secret@s.test/<script>alert(1)</script>", target: t.test/x, interval: 30m}
  - {type: repository, source: s.test/never, target: t.test/never}
`;
const LIMITS = [
  { host: 'docker.io', remaining: 12, limit: 100, resetAt: 3_600_000 },
  { host: 'ghcr.io', remaining: 5, limit: undefined, resetAt: undefined },
];

let clock: TestClock;
let bench: Bench;
let metrics: ServerMetrics;
let listening: Listening;

beforeEach(async () => {
  clock = new TestClock();
  const world = new World();
  await world.put('s.test/good', '1', image('good'));
  world.faults.set('source s.test/bad', () => new OclError('OCL_UNREACHABLE', 'Cannot reach s.test: <b>down</b>'));
  const tell = (event: ServerEvent): void => metrics.take(event);
  bench = startServer(FILE, { clock, world, limits: LIMITS, tell });
  metrics = createMetrics(bench.server.view, '1.2.3');
  listening = await listen(createEndpoints({ view: bench.server.view, metrics, clock }), {
    host: '127.0.0.1',
    port: 0,
    graceMs: 100,
  });
});

afterEach(async () => {
  await bench.stop();
  await listening.close();
});

async function ready(): Promise<void> {
  await until(() => bench.events.some(({ type }) => type === 'server.done'));
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(`${listening.url}${path}`, init);
}

async function samples(): Promise<readonly string[]> {
  return (await (await ask('/metrics')).text()).split('\n').filter((line) => line.startsWith('ocl_'));
}

describe('the endpoints of a server', () => {
  it('tell whether it lives and works', async () => {
    await ready();
    expect((await ask('/readyz')).status).toBe(200);
    await clock.advance(bench.server.view.beatAt + 59_999 - clock.now());
    expect((await ask('/healthz')).status).toBe(200);
    await bench.stop();
    expect((await ask('/readyz')).status).toBe(503);
  });

  it('tell the state as JSON', async () => {
    await ready();
    const answer = await ask('/status');
    expect(answer.headers.get('content-type')).toBe('application/json');
    const status = (await answer.json()) as Status;
    expect(status).toMatchObject({
      phase: 'running',
      config: { file: 'one.yaml', reload: null },
      ignored: [{ line: 5, source: 's.test/never' }],
      rateLimits: [
        { host: 'docker.io', remaining: 12, limit: 100, resetAt: '1970-01-01T01:00:00.000Z' },
        { host: 'ghcr.io', remaining: 5, limit: null, resetAt: null },
      ],
    });
    expect(status.steps).toMatchObject([
      { line: 2, next: '1970-01-01T01:00:00.000Z', last: { result: 'ok', copied: 1 }, lastSuccess: expect.any(String) },
      {
        line: 3,
        next: '1970-01-01T03:00:00.000Z',
        last: { result: 'failed', failures: [{ image: 's.test/bad', code: 'OCL_UNREACHABLE' }] },
        lastSuccess: null,
      },
      { line: 4, last: { result: 'failed' } },
    ]);
    expect(JSON.stringify(status)).not.toContain('secret');
  });

  it('tell of a file that could not be read anew', async () => {
    await ready();
    bench.file = { name: 'two.yaml', text: 'sync: [' };
    await bench.server.reload();
    const { config } = (await (await ask('/status')).json()) as Status;
    expect(config).toMatchObject({ file: 'one.yaml', reload: { ok: false, error: { code: 'OCL_CONFIG_INVALID' } } });
    expect(await samples()).toEqual(
      expect.arrayContaining([
        'ocl_sync_config_reload_success 0',
        'ocl_sync_config_reloads_total{result="failed"} 1',
        'ocl_sync_config_reloads_total{result="ok"} 0',
      ]),
    );
    expect((await ask('/readyz')).status).toBe(200);
  });

  it.each([
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['*/*', 'application/json'],
    ['application/json, text/html;q=0.5', 'application/json'],
    ['text/html;q=0', 'application/json'],
    [`${'x,'.repeat(2000)}text/html`, 'application/json'],
  ])('answer Accept: %.50s with %s', async (accept, type) => {
    await ready();
    expect((await ask('/status', { headers: { accept } })).headers.get('content-type')).toBe(type);
  });

  it('show a page on which nothing from elsewhere is more than text', async () => {
    await ready();
    const answer = await ask('/', { headers: { accept: 'text/html' } });
    const page = await answer.text();
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('&lt;b&gt;down&lt;/b&gt;');
    expect(page).not.toMatch(/<script|<b>down|secret/);
    expect(page).toContain('docker.io');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('give metrics by step, and drop those of steps that are gone', async () => {
    await ready();
    expect(await samples()).toEqual(
      expect.arrayContaining([
        'ocl_build_info{version="1.2.3"} 1',
        'ocl_sync_step_runs_total{step="2",source="s.test/good",result="ok"} 1',
        'ocl_sync_step_runs_total{step="3",source="s.test/bad",result="failed"} 1',
        'ocl_sync_images_total{step="2",source="s.test/good",outcome="copied"} 1',
        'ocl_sync_step_next_run_timestamp_seconds{step="3",source="s.test/bad"} 10800',
        'ocl_sync_step_last_success_timestamp_seconds{step="2",source="s.test/good"} 0',
        'ocl_sync_rate_limit_remaining{host="docker.io"} 12',
        'ocl_sync_rate_limit{host="docker.io"} 100',
        'ocl_sync_run_duration_seconds_count{pass="first"} 1',
        'ocl_sync_steps_ignored 1',
      ]),
    );
    const text = (await samples()).join('\n');
    expect(text).not.toMatch(/last_success\S*bad|secret/);
    bench.file = { name: 'two.yaml', text: FILE.split('\n').slice(0, 2).join('\n') };
    await bench.server.reload();
    expect((await samples()).join('\n')).not.toContain('s.test/bad');
    // What was counted stays counted.
    expect(await samples()).toContain('ocl_sync_step_runs_total{step="2",source="s.test/good",result="ok"} 1');
  });

  it.each([
    ['another method', '/status', { method: 'DELETE' }, 405],
    ['content', '/status', { method: 'POST', body: 'x' }, 405],
    ['another path', '/status/x', {}, 404],
    ['another site', '/status', { headers: { 'sec-fetch-site': 'cross-site' } }, 403],
  ] as const)('refuse %s', async (_, path, init, status) => {
    expect((await ask(path, init)).status).toBe(status);
  });

  it('answer HEAD without content', async () => {
    const answer = await ask('/metrics', { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
  });

  it.each([
    ['a name that is not its own', 'GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n', 403],
    [
      'content of a GET, which it does not read',
      'GET /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n',
      413,
    ],
    ['content without a length', 'GET /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n', 413],
    ['a path beyond all reason', `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
  ])('refuse %s', async (_, request, status) => {
    const socket = createConnection(listening.port, '127.0.0.1');
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk) => resolve(chunk.toString()));
      socket.once('error', reject);
      socket.write(request);
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    socket.destroy();
  });
});
