import { readFile } from 'node:fs/promises';
import { type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { createHttp } from '../../src/io/http.ts';
import { type Http } from '../../src/io/httpMessages.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { createHookRunner, type HookMessage } from '../../src/sync/hooks.ts';
import { runSync, type SyncReport } from '../../src/sync/run.ts';
import { type Hook } from '../../src/sync/settings.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { startScriptedServer, type ScriptedServer } from '../support/scriptedServer.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, recorder, TestClock, World } from './world.ts';

const temporary = temporaryDirectories();
const message: HookMessage = {
  hook: 'post',
  image: 's.test/app:1',
  target: 't.test/app:1',
  time: '2026-01-01T00:00:00Z',
};
const hook = (params: readonly string[], more: Partial<Hook> = {}): Hook => ({
  type: 'exec',
  params,
  timeout: 20_000,
  env: {},
  ...more,
});
const node = (script: string, ...args: string[]): readonly string[] => [process.execPath, '-e', script, ...args];

let http: Http;
beforeEach(() => {
  http = createHttp({ userAgent: 'ocl/test' });
});
afterEach(async () => {
  await http.close();
});

describe('exec', () => {
  const run = createHookRunner({ clock: systemClock, http: undefined as unknown as Http, env: process.env });

  it('gives the message on standard input and in the environment, without a shell', async () => {
    const out = join(await temporary(), 'out');
    const script = `const fs = require('fs'); fs.writeFileSync(process.argv[1], JSON.stringify([JSON.parse(fs.readFileSync(0, 'utf8')), process.env.OCL_IMAGE, process.env.MORE, process.argv[2]]))`;
    await run(hook(node(script, out, '$(touch x); *'), { env: { MORE: 'yes' } }), message);
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual([message, 's.test/app:1', 'yes', '$(touch x); *']);
  });

  it.each<[string, Hook, string, string]>([
    [
      'a status',
      hook(node('console.error("went\\nwrong"); process.exit(3)')),
      'OCL_INCOMPLETE',
      'status 3: went wrong',
    ],
    ['no such program', hook(['/no/such/program']), 'OCL_INCOMPLETE', 'cannot be started'],
    ['no program', hook([]), 'OCL_CONFIG_INVALID', 'names no program'],
    [
      'no end',
      hook(node('setTimeout(() => {}, 60000)'), { timeout: 300 }),
      'OCL_INCOMPLETE',
      'did not end within 0.3 s',
    ],
    ['an unknown type', hook([], { type: 'log' }), 'OCL_CONFIG_INVALID', 'its type is "log"'],
    ['no reading of its input', hook(node('process.stdin.destroy(); process.exit(1)')), 'OCL_INCOMPLETE', 'status 1'],
  ])('fails for %s', async (_, each, code, why) => {
    await expect(run(each, message)).rejects.toMatchObject({ code, message: expect.stringContaining(why) });
  });

  it('ends with the run', async () => {
    const stop = new AbortController();
    const stopped = createHookRunner({
      clock: systemClock,
      http: undefined as unknown as Http,
      env: process.env,
      signal: stop.signal,
    });
    const ended = stopped(hook(node('setTimeout(() => {}, 60000)')), message);
    stop.abort();
    await expect(ended).rejects.toThrow('was stopped');
  });
});

describe('a webhook', () => {
  let server: ScriptedServer;
  afterEach(async () => {
    await server.close();
  });
  const post = async (url: string, timeout = 20_000): Promise<void> =>
    await createHookRunner({ clock: new Ticking(), http, env: {} })(hook([url], { type: 'webhook', timeout }), message);

  it('gets the message, with the login of its URL', async () => {
    server = await startScriptedServer({ '*': (answer) => void answer.end() });
    await post(server.url.replace('http://', 'http://me:pa%40ss@') + '/hook?x=1');
    const [request] = server.seen;
    expect(request).toMatchObject({ method: 'POST', path: '/hook?x=1' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from('me:pa@ss').toString('base64')}`,
    });
    expect(JSON.parse(String(request?.body))).toEqual(message);
  });

  it('is tried again when the server fails for a while', async () => {
    const busy = (answer: ServerResponse): void => void answer.writeHead(503).end();
    server = await startScriptedServer({ '*': [busy, busy, (answer) => void answer.writeHead(204).end()] });
    await post(server.url.replace('http://', 'http://me:secret@'));
    const login = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([login, login, login]);
  });

  it.each([
    [404, 'it answered 404'],
    [302, 'it answered 302'],
  ])('fails for %i, once', async (status, why) => {
    server = await startScriptedServer({ '*': (answer) => void answer.writeHead(status, { location: '/else' }).end() });
    await expect(post(`${server.url}/a?token=s3cret`)).rejects.toMatchObject({
      code: 'OCL_INCOMPLETE',
      message: expect.stringContaining(why),
    });
    await expect(post(`${server.url}/a?token=s3cret`)).rejects.not.toThrow('s3cret');
    expect(server.seen).toHaveLength(2);
  });

  it('fails when nothing answers in time, and for what is no URL', async () => {
    server = await startScriptedServer({ '*': () => {} });
    await expect(post(server.url, 200)).rejects.toThrow('did not answer within 0.2 s');
    await expect(post('ftp://x.test')).rejects.toMatchObject({ code: 'OCL_CONFIG_INVALID' });
  });
});

/** Time that passes as soon as somebody waits for it. */
class Ticking extends TestClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

describe('a run', () => {
  async function run(
    world: World,
    keys: string,
    fail?: string,
  ): Promise<{ told: readonly string[]; report: SyncReport; notices: readonly string[] }> {
    const told: string[] = [];
    const { emit, notices } = recorder();
    const hooks = ['pre', 'post', 'unchanged', 'failed'].map((name) => `${name}: {type: exec, params: [${name}]}`);
    const text = `sync:\n  - {source: s.test/app, target: t.test/app, type: repository, hooks: {${hooks.join(', ')}}${keys}}\n`;
    const report = await runSync(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
      clock: new TestClock(),
      surroundings: surroundings(),
      emit,
      runHook: (_, { hook: name, image: of, error }) => {
        told.push([name, of, error?.code].filter((part) => part !== undefined).join(' '));
        return name === fail ? Promise.reject(new OclError('OCL_INCOMPLETE', 'Cannot: no')) : Promise.resolve();
      },
    });
    return { told, report, notices: notices() };
  }
  async function world(): Promise<World> {
    const made = new World();
    for (const tag of ['1', '2']) await made.put('s.test/app', tag, image(tag));
    await made.put('t.test/app', '2', image('2'));
    return made;
  }

  it('tells before, after, of what has not changed, and of what failed', async () => {
    const one = await world();
    expect((await run(one, '')).told.toSorted()).toEqual([
      'post s.test/app:1',
      'pre s.test/app:1',
      'unchanged s.test/app:2',
    ]);
    const two = await world();
    two.faults.set('put t.test/app', () => new OclError('OCL_DENIED', 'Cannot: no'));
    expect((await run(two, ', tags: {allow: ["1"]}')).told).toEqual([
      'pre s.test/app:1',
      'failed s.test/app:1 OCL_DENIED',
    ]);
  });

  it('copies nothing when pre fails, and warns when another one does', async () => {
    const one = await world();
    const { report, told } = await run(one, ', tags: {allow: ["1"]}', 'pre');
    expect(report).toMatchObject({ copied: 0, failed: [{ image: 's.test/app:1' }] });
    expect(told).toEqual(['pre s.test/app:1', 'failed s.test/app:1 OCL_INCOMPLETE']);
    expect(await one.tags('t.test/app')).toEqual(['2']);
    const after = await run(one, ', tags: {allow: ["1"]}', 'post');
    expect(after).toMatchObject({ report: { copied: 1, failed: [] }, notices: ['Cannot: no'] });
  });
});
