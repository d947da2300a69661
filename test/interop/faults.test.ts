import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { createHttp } from '../../src/io/http.ts';
import { type Http } from '../../src/io/httpMessages.ts';
import { RETRY, type RetryPolicy } from '../../src/io/retry.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { digestOf } from '../../src/io/verify.ts';
import { silent } from '../../src/core/events.ts';
import { openLayout, type LayoutStore } from '../../src/stores/layout/layout.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { anonymous, type Credentials } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { type RegistryStore } from '../../src/stores/registry/repository.ts';
import { startDockerRegistry, whyNoDockerRegistry, type DockerRegistry } from '../support/dockerRegistry.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import * as faults from '../support/faultProxy.ts';
import { startFaultProxy, type FaultProxy, type Rule } from '../support/faultProxy.ts';
import { all, bytesIn, image, noise, opening, piece, put, rootBytes, type Graph } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { reply, replyJson, startScriptedServer, type ScriptedServer } from '../support/scriptedServer.ts';
import { newCopier } from '../support/worlds.ts';

const temporary = temporaryDirectories();
const MIB = 1 << 20;
/** As in life, in a hundredth of its time. */
const QUICK: RetryPolicy = { ...RETRY, firstPause: 5, longestPause: 50, patience: 1500 };

const large = image({ name: 'large', layers: [piece(noise(64 * MIB, 7), MEDIA.ociLayer)] });
const small = image({ name: 'small', layers: [piece(noise(3 * MIB, 8), MEDIA.ociLayer)] });
const layerOf = ({ pieces }: Graph): Graph['pieces'][number] => {
  const [first] = pieces;
  if (first === undefined) throw new Error('an image has layers');
  return first;
};

let embedded: Embedded;
let proxy: FaultProxy;
const library = createMemoryLibrary();
const opened: (() => Promise<void>)[] = [];

beforeAll(async () => {
  embedded = await startEmbedded(library);
  proxy = await startFaultProxy(embedded.host);
  for (const graph of [large, small]) await put(repositoryAt(embedded.host, 'source'), graph, tagOf(graph));
});

afterEach(async () => {
  proxy.rules();
  for (const close of opened.splice(0)) await close();
});

afterAll(async () => {
  await proxy.close();
  await embedded.close();
  await library.close();
});

function tagOf(graph: Graph): string {
  return graph === large ? 'large' : 'small';
}

interface Access {
  readonly retry?: RetryPolicy;
  readonly http?: Http;
  readonly credentials?: Credentials;
}

function repositoryAt(host: string, name: string, access: Access = {}): RegistryStore {
  const http =
    access.http ??
    createHttp({
      userAgent: 'ocl-test',
      timeouts: { connect: 2000, headers: 400, idle: 400 },
      pace: { total: 2000, window: 400 },
    });
  opened.push(() => http.close());
  const { retry = QUICK, credentials = anonymous } = access;
  const registries = createRegistries({ http, clock: systemClock, credentials, emit: silent, retry });
  return registries.repository({ kind: 'registry', registry: host, repository: name });
}

/** Copies by the engine, as every command does, and answers the code of what failed. */
async function copy(from: RegistryStore | LayoutStore, to: RegistryStore | LayoutStore, graph: Graph): Promise<string> {
  const code = await newCopier()
    .copy({ from, to, root: graph.root, name: { tag: tagOf(graph) }, image: tagOf(graph) })
    .then(
      () => 'copied',
      (error: { code: string }) => error.code,
    );
  await to.commit();
  return code;
}

/** Pulls through the proxy into a new layout, of which nothing may be wrong afterwards, whatever came of it. */
async function pull(graph: Graph, rules: readonly Rule[], access: Access = {}): Promise<string> {
  proxy.rules(...rules);
  const root = join(await temporary(), 'layout');
  const layout = await newLayout(root);
  const code = await copy(repositoryAt(proxy.host, 'source', access), layout, graph);
  await layout.close();
  const again = await openLayout(root, layoutOptions());
  const report = await checkStore(again);
  expect(report.findings.filter(({ kind }) => kind !== 'unreferenced')).toEqual([]);
  expect((await all(again.tags())).length).toBe(code === 'copied' ? 1 : 0);
  await again.close();
  return code;
}

let pushes = 0;

/** Pushes through the proxy into a new repository, and reads back past the proxy what came of it. */
async function push(graph: Graph, rules: readonly Rule[], behind = embedded.host, before = proxy): Promise<string> {
  const name = `target${++pushes}`;
  before.rules(...rules);
  const source = repositoryAt(embedded.host, 'source');
  const code = await copy(source, repositoryAt(before.host, name), graph);
  const target = repositoryAt(behind, name);
  for (const { descriptor } of graph.pieces.slice(0, -1)) {
    if (!(await target.has(descriptor))) expect(code).not.toBe('copied');
    else expect(digestOf(await bytesIn(target, descriptor))).toBe(descriptor.digest);
  }
  expect(await target.find(tagOf(graph)).then((found) => found?.digest)).toBe(
    code === 'copied' ? graph.root.digest : undefined,
  );
  return code;
}

/** Ten times three places in 64 MiB, always the same ones. */
const places = Array.from({ length: 10 }, (_, row) => {
  let seed = (row + 1) * 2_654_435_761;
  const next = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0);
  return [next(), next(), next()].map((value) => value % (64 * MIB)).toSorted((a, b) => a - b) as [
    number,
    number,
    number,
  ];
});

const [theLayer, smallLayer] = [layerOf(large), layerOf(small)];

describe('a download of 64 MiB', () => {
  it.each(places)('goes on after breaks at %i, %i and %i', async (first, second, third) => {
    const path = theLayer.descriptor.digest;
    const on = { on: 'GET blob', path, times: 1 };
    const cuts = [first, second - first, third - second];
    expect(
      await pull(
        large,
        cuts.map((bytes) => ({ ...on, fault: faults.cutDown(bytes) })),
      ),
    ).toBe('copied');
    const asked = proxy.passed.filter((request) => request.path.endsWith(path));
    expect(asked).toHaveLength(4);
    // What came is not fetched again, but for the few pieces that were under way at each break.
    expect(asked.reduce((sum, { down }) => sum + down, 0)).toBeLessThan(64 * MIB + 3 * 4 * MIB);
  });
});

describe('an upload of 64 MiB', () => {
  it.each(places)('goes on after breaks at %i, %i and %i', async (first, second, third) => {
    const chunk = 8 * MIB;
    proxy.rules(
      { on: 'PUT upload', times: 1, fault: faults.cutUp(first) },
      { on: 'PATCH upload', times: 1, fault: faults.cutUp(second % chunk) },
      { on: 'PATCH upload', times: 1, fault: faults.cutUp(third % chunk) },
    );
    const name = `target${++pushes}`;
    const { descriptor, bytes } = theLayer;
    await repositoryAt(proxy.host, name).put(descriptor, opening(bytes));
    expect(digestOf(await bytesIn(repositoryAt(embedded.host, name), descriptor))).toBe(descriptor.digest);
    expect(proxy.count('POST upload')).toBe(1);
    const sent = proxy.passed.reduce((sum, { up }) => sum + up, 0);
    expect(sent).toBeLessThan(64 * MIB + 3 * chunk);
  });
});

const blob = { on: 'GET blob', path: smallLayer.descriptor.digest };
const manifest = { on: 'GET manifest' };
const once = (rule: Omit<Rule, 'times' | 'fault'>, fault: faults.Fault): Rule => ({ ...rule, times: 1, fault });
const cut = once(blob, faults.cutDown(2 * MIB));

describe('a pull', () => {
  // What happens, how it ends, and how many requests of that kind it may cost.
  it.each<[string, () => readonly Rule[], string, string, number]>([
    ['a reset', () => [once(blob, faults.resetDown(MIB))], 'copied', 'GET blob', 3],
    ['resets without end', () => [{ ...blob, fault: faults.reset }], 'OCL_UNREACHABLE', 'GET blob', 20],
    ['a stall', () => [once(blob, faults.stall(MIB))], 'copied', 'GET blob', 3],
    ['a byte now and then', () => [once(blob, faults.drip(smallLayer.bytes, 50))], 'copied', 'GET blob', 3],
    [
      'a manifest byte by byte',
      () => [{ ...manifest, fault: faults.drip(rootBytes(small), 50) }],
      'OCL_UNREACHABLE',
      'GET manifest',
      6,
    ],
    ['no answer', () => [once(manifest, faults.silence)], 'copied', 'GET manifest', 2],
    [
      '429, in seconds',
      () => [once(manifest, faults.status(429, { 'retry-after': '1' }))],
      'copied',
      'GET manifest',
      2,
    ],
    [
      '429, with a date',
      () => [once(manifest, faults.status(429, { 'retry-after': inASecond() }))],
      'copied',
      'GET manifest',
      2,
    ],
    [
      '429, for an hour',
      () => [{ ...manifest, fault: faults.status(429, { 'retry-after': '3600' }) }],
      'OCL_RATE_LIMITED',
      'GET manifest',
      1,
    ],
    [
      '503, for an hour',
      () => [{ ...manifest, fault: faults.status(503, { 'retry-after': '3600' }) }],
      'OCL_UNREACHABLE',
      'GET manifest',
      1,
    ],
    ...[429, 500, 502, 503, 504].map((status): [string, () => readonly Rule[], string, string, number] => [
      `${status} twice`,
      () => [{ ...blob, times: 2, fault: faults.status(status) }],
      'copied',
      'GET blob',
      4,
    ]),
    [
      '503 without end',
      () => [{ ...manifest, fault: faults.status(503) }],
      'OCL_REGISTRY',
      'GET manifest',
      QUICK.tries,
    ],
    ['a page of a proxy, passing', () => [once(manifest, faults.html(502))], 'copied', 'GET manifest', 2],
    [
      'a page of a proxy, as an answer',
      () => [{ ...manifest, fault: faults.html(200) }],
      'OCL_SIZE_MISMATCH',
      'GET manifest',
      2,
    ],
    ['a length too long', () => [{ ...blob, fault: faults.longer(10) }], 'OCL_SIZE_MISMATCH', 'GET blob', 3],
    ['a length too short', () => [{ ...blob, fault: faults.longer(-10) }], 'OCL_SIZE_MISMATCH', 'GET blob', 3],
    ['an end too early', () => [{ ...blob, fault: faults.truncated(MIB) }], 'OCL_SIZE_MISMATCH', 'GET blob', 3],
    ['a wrong byte', () => [{ ...blob, fault: faults.flip(MIB) }], 'OCL_DIGEST_MISMATCH', 'GET blob', 3],
    ['a wrong byte in the second part', () => [cut, once(blob, faults.flip(1000))], 'copied', 'GET blob', 4],
    [
      'wrong bytes in every part',
      () => [cut, { ...blob, fault: faults.flip(1000) }],
      'OCL_DIGEST_MISMATCH',
      'GET blob',
      4,
    ],
    ['a range that is ignored', () => [cut, once(blob, faults.ignoreRange)], 'copied', 'GET blob', 3],
    [
      'another range',
      () => [cut, once(blob, faults.contentRange(`bytes 5-${3 * MIB - 1}/${3 * MIB}`))],
      'OCL_REGISTRY',
      'GET blob',
      3,
    ],
    [
      'a redirect in circles',
      () => [{ ...blob, fault: faults.redirect(307, (path) => path) }],
      'OCL_REGISTRY',
      'GET blob',
      2,
    ],
    [
      'a redirect to a file',
      () => [{ ...blob, fault: faults.redirect(307, () => 'file:///etc/passwd') }],
      'OCL_UNSAFE',
      'GET blob',
      2,
    ],
    [
      'connections that end after each answer',
      () => ['HEAD manifest', 'GET manifest', 'GET blob'].map((on) => ({ on, fault: faults.hangUp })),
      'copied',
      'GET blob',
      2,
    ],
  ])('meets %s', async (_name, rules, ends, kind, most) => {
    expect(await pull(small, rules())).toBe(ends);
    expect(proxy.count(kind)).toBeLessThanOrEqual(most);
  });

  it('takes no login along to the storage of blobs', async () => {
    const storage = await startFaultProxy(embedded.host);
    opened.push(() => storage.close());
    const credentials = { find: () => Promise.resolve({ kind: 'bearer', token: 'secret' } as const) };
    const away = { on: 'GET blob', fault: faults.redirect(307, (path: string) => `${storage.url}${path}`) };
    storage.rules(cut);
    expect(await pull(small, [away], { credentials })).toBe('copied');
    expect(proxy.passed.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true);
    expect(storage.passed.length).toBeGreaterThan(2);
    expect(storage.passed.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  it('fetches a new token, when the old one ends in the middle of a blob', async () => {
    const tokens = await startScriptedServer({ 'GET /token': replyJson(200, { token: 'fresh', expires_in: 300 }) });
    opened.push(() => tokens.close());
    const challenge = { 'www-authenticate': `Bearer realm="${tokens.url}/token",service="s"` };
    expect(await pull(small, [cut, once(blob, faults.status(401, challenge))])).toBe('copied');
    expect(tokens.seen).toHaveLength(1);
    expect(proxy.passed.filter(({ path }) => path.includes(blob.path)).at(-1)?.headers).toMatchObject({
      authorization: 'Bearer fresh',
      range: expect.stringMatching(/^bytes=[1-9]\d*-$/),
    });
  });
});

/** The next second but one, for dates know no parts of it. */
function inASecond(): string {
  return new Date(Date.now() + 1000).toUTCString();
}

const noDocker = whyNoDockerRegistry();

describe.each(['the embedded registry', ...(noDocker === undefined ? ['docker-registry'] : [])])(
  'a push to %s',
  (server) => {
    let docker: DockerRegistry | undefined;
    let before: FaultProxy;
    let host = '';

    beforeAll(async () => {
      if (server === 'docker-registry') docker = await startDockerRegistry();
      host = docker?.host ?? embedded.host;
      before = await startFaultProxy(host);
    });

    afterAll(async () => {
      await before.close();
      await docker?.stop();
    });

    it.each<[string, readonly Rule[], string, string, number]>([
      ['a break', [once({ on: 'PUT upload' }, faults.cutUp(MIB))], 'copied', 'POST upload', 3],
      ['a lost answer', [once({ on: 'PUT upload' }, faults.loseAnswer)], 'copied', 'POST upload', 2],
      ['no answer', [once({ on: 'PUT upload' }, faults.silence)], 'copied', 'POST upload', 3],
      [
        'a lost session',
        [once({ on: 'PUT upload' }, faults.cutUp(MIB)), once({ on: 'GET upload' }, faults.status(404))],
        'copied',
        'POST upload',
        3,
      ],
      ['413', [once({ on: 'PUT upload' }, faults.status(413))], 'copied', 'POST upload', 3],
      ['a reset of the beginning', [once({ on: 'POST upload' }, faults.reset)], 'copied', 'POST upload', 3],
      ['a page of a proxy', [once({ on: 'PUT upload' }, faults.html(502))], 'copied', 'POST upload', 3],
      ['a reset of the manifest', [once({ on: 'PUT manifest' }, faults.loseAnswer)], 'copied', 'PUT manifest', 2],
      ...[429, 500, 502, 503, 504].map((status): [string, readonly Rule[], string, string, number] => [
        `${status}`,
        [once({ on: 'PUT upload' }, faults.status(status))],
        'copied',
        'POST upload',
        3,
      ]),
      [
        '503 without end',
        [
          { on: 'PUT upload', fault: faults.status(503) },
          { on: 'PATCH upload', fault: faults.status(503) },
        ],
        'OCL_REGISTRY',
        'PUT upload',
        30,
      ],
      ['resets without end', [{ on: 'POST upload', fault: faults.reset }], 'OCL_UNREACHABLE', 'POST upload', 30],
      [
        'content sent on to another host',
        [{ on: 'PUT upload', fault: faults.redirect(307, () => 'http://localhost:1/x') }],
        'OCL_UNSAFE',
        'PUT upload',
        2,
      ],
    ])('meets %s', async (_name, rules, ends, kind, most) => {
      expect(await push(small, rules, host, before)).toBe(ends);
      expect(before.count(kind)).toBeLessThanOrEqual(most);
    });
  },
);

it('lists 10,000 tags in pages of 100 with 100 requests', async () => {
  const tags = Array.from({ length: 10_000 }, (_, i) => `v${String(i).padStart(5, '0')}`);
  const server: ScriptedServer = await startScriptedServer({
    'GET /v2/many/tags/list': (response, request) => {
      const start = tags.indexOf(new URL(request.path, 'http://x').searchParams.get('last') ?? '') + 1;
      const page = tags.slice(start, start + 100);
      const more = start + 100 < tags.length;
      const link = { link: `</v2/many/tags/list?n=100&last=${page.at(-1)}>; rel="next"` };
      return replyJson(200, { name: 'many', tags: page }, more ? link : {})(response, request);
    },
  });
  opened.push(() => server.close());
  expect(await all(repositoryAt(server.host, 'many').tags())).toEqual(tags);
  expect(server.seen).toHaveLength(100);
});

it('asks no token server inside a private network for a registry outside of it', async () => {
  const challenge = { 'www-authenticate': 'Bearer realm="http://169.254.169.254/token",service="s"' };
  const line = await startScriptedServer({ 'GET http://registry.example/v2/app/tags/list': reply(401, challenge) });
  opened.push(() => line.close());
  const http = createHttp({ userAgent: 'ocl-test', proxy: { http: line.url } });
  opened.push(() => http.close());
  const hosts = new Map([['registry.example', { tls: 'disabled' as const }]]);
  const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent, hosts });
  const app = registries.repository({ kind: 'registry', registry: 'registry.example', repository: 'app' });
  await expect(all(app.tags())).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
  expect(line.calls()).toEqual(['GET http://registry.example/v2/app/tags/list']);
});
