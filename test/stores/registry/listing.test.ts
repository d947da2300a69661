import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/core/limits.ts';
import { cleanUp, listAll, scripted, serve } from './harness.ts';
import { reply, replyJson, type Handler } from '../../support/scriptedServer.ts';

afterEach(cleanUp);

const page = (tags: unknown, link?: string): Handler =>
  replyJson(200, { name: 'app', tags }, link === undefined ? {} : { link });
const path = '/v2/app/tags/list';

describe('tags', () => {
  it('come from all pages, by rel=next alone', async () => {
    const { app, server } = await scripted({
      [`GET ${path}`]: [
        page(['a', 'b'], `<${path}?n=2&last=b>; rel="next"`),
        page(['c'], `</first>; rel="first", <${path}?last=c>; title="x"; rel=next`),
        page(['d'], `<${path}?last=0>; rel="prev"`),
      ],
    });
    expect(await listAll(app.tags())).toEqual(['a', 'b', 'c', 'd']);
    expect(server.seen.map((request) => request.path)).toEqual([path, `${path}?n=2&last=b`, `${path}?last=c`]);
  });

  it.each([
    ['null', null],
    ['nothing', undefined],
    ['an empty list', []],
  ])('may be %s', async (_name, tags) => {
    const { app } = await scripted({ [`GET ${path}`]: page(tags) });
    expect(await listAll(app.tags())).toEqual([]);
  });

  it('that are none are left out', async () => {
    const { app } = await scripted({
      [`GET ${path}`]: page(['ok', 'sha256:abc', '../x', '', 'a\u001b[2J', 'x'.repeat(129)]),
    });
    expect(await listAll(app.tags())).toEqual(['ok']);
  });

  it('with absolute links of the same host are fine', async () => {
    let host = '';
    const { app, server } = await scripted({
      [`GET ${path}`]: [
        (response, request) => page(['a'], `<http://${host}${path}?last=a>; rel="next"`)(response, request),
        page(['b']),
      ],
    });
    host = server.host;
    expect(await listAll(app.tags())).toEqual(['a', 'b']);
  });

  it('with links of another scheme are asked for where the first page came from', async () => {
    const { app, server } = await scripted({
      [`GET ${path}`]: [page(['a'], `<https://127.0.0.1${path}?last=a>; rel="next"`), page(['b'])],
    });
    expect(await listAll(app.tags())).toEqual(['a', 'b']);
    expect(server.seen.at(-1)?.path).toBe(`${path}?last=a`);
  });

  it.each<[string, string]>([
    ['an encrypted token, as of Quay', '?next_page=gAAAAABYF4XlRL00%3D%3D&n=50'],
    ['a long token, as of ECR', `?last=${'x'.repeat(2000)}&n=1000`],
    ['NextToken', '?NextToken=abc%2Fdef%2B%3D&n=1000'],
  ])('go on with %s, byte for byte', async (_name, query) => {
    const { app, server } = await scripted({
      [`GET ${path}`]: [page(['a'], `<${path}${query}>; rel="next"`), page(['b'])],
    });
    expect(await listAll(app.tags())).toEqual(['a', 'b']);
    expect(server.seen.at(-1)?.path).toBe(`${path}${query}`);
  });

  it('are told once, where pages overlap', async () => {
    const { app } = await scripted({
      [`GET ${path}`]: [page(['a', 'b'], `<${path}?last=b>; rel="next"`), page(['b', 'c', 'c'])],
    });
    expect(await listAll(app.tags())).toEqual(['a', 'b', 'c']);
  });

  it('of Google come with members that nobody asked for', async () => {
    const manifest = { 'sha256:abc': { tag: ['v1'], timeUploadedMs: '1' } };
    const { app } = await scripted({
      [`GET ${path}`]: replyJson(200, { child: ['x'], manifest, name: 'app', tags: ['v1'] }),
    });
    expect(await listAll(app.tags())).toEqual(['v1']);
  });

  it('are not asked for with a number where nothing is known of the registry', async () => {
    const { app, server } = await scripted({ [`GET ${path}`]: page([]) });
    await listAll(app.tags());
    expect(server.seen[0]?.path).toBe(path);
  });

  it('come in pages as large as the registry takes, and as it likes where it refuses that', async () => {
    const ecr = { 'www-authenticate': 'Basic realm="https://x/",service="ecr.amazonaws.com"' };
    const tooMany = replyJson(400, { errors: [{ code: 'UNSUPPORTED', message: "Invalid parameter at 'maxResults'" }] });
    const { app, server } = await scripted({
      [`GET ${path}`]: [replyJson(200, { tags: ['a'] }, ecr), page(['b']), tooMany, page(['c'])],
    });
    expect(await listAll(app.tags())).toEqual(['a']);
    expect(await listAll(app.tags())).toEqual(['b']);
    expect(await listAll(app.tags())).toEqual(['c']);
    expect(server.seen.map((request) => request.path)).toEqual([path, `${path}?n=1000`, `${path}?n=1000`, path]);
  });

  it('end where there are too many', async () => {
    const half = (first: string): string[] =>
      Array.from({ length: LIMITS.names / 2 + 1 }, (_, i) => first + i.toString(36));
    const { app } = await scripted({
      [`GET ${path}`]: [page(half('a_'), `<${path}?last=a>; rel="next"`), page(half('b_'))],
    });
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_LIMIT' });
  }, 30_000);

  it('end at a link to another host', async () => {
    const other = await serve({ 'GET /x': page(['stolen']) });
    const { app } = await scripted({ [`GET ${path}`]: page(['a'], `<${other.url}/x>; rel="next"`) });
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNSAFE' });
    expect(other.seen).toEqual([]);
  });

  it('that go in a circle are an error', async () => {
    const { app, server } = await scripted({ [`GET ${path}`]: page(['a'], `<${path}?last=a>; rel="next"`) });
    await expect(listAll(app.tags())).rejects.toMatchObject({
      code: 'OCL_REGISTRY',
      message: expect.stringContaining('circle'),
    });
    expect(server.seen).toHaveLength(2);
  });

  it.each([
    ['too large', reply(200, {}, Buffer.alloc(17 << 20, 0x20)), 'OCL_LIMIT'],
    ['no JSON', reply(200, {}, '<html>'), 'OCL_DOCUMENT_INVALID'],
    ['no list', page('a'), 'OCL_REGISTRY'],
    ['a list of other things', page([1]), 'OCL_REGISTRY'],
    ['not there', reply(404), 'OCL_NOT_FOUND'],
  ] as const)('%s are an error', async (_name, handler, code) => {
    const { app } = await scripted({ [`GET ${path}`]: handler });
    await expect(listAll(app.tags())).rejects.toMatchObject({ code });
  });
});

describe('the catalog', () => {
  it('lists repositories over pages, names that are none left out', async () => {
    const { registries, server } = await scripted({
      'GET /v2/_catalog': [
        replyJson(200, { repositories: ['a', 'b/c'] }, { link: '</v2/_catalog?last=b%2Fc>; rel="next"' }),
        replyJson(200, { repositories: ['../etc', 'd'] }),
      ],
    });
    expect(await listAll(registries.catalog(server.host))).toEqual(['a', 'b/c', 'd']);
  });

  it('is not everywhere', async () => {
    const { registries, server } = await scripted({});
    await expect(listAll(registries.catalog(server.host))).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it.each([
    ['Harbor', { 'x-harbor-csrf-token': 'x' }, 403, 'Harbor shows this list to accounts with rights over all of it'],
    ['GitLab', { 'gitlab-container-registry-version': 'v4' }, 404, 'name repositories one by one'],
    ['Quay', { 'www-authenticate': 'Bearer realm="https://127.0.0.1/v2/auth"' }, 404, 'ocl login 127.0.0.1'],
  ])('that %s does not show is explained', async (_name, signs, status, hint) => {
    const { registries, server } = await scripted({ 'GET /v2/_catalog': reply(status, signs) });
    await expect(listAll(registries.catalog(server.host))).rejects.toMatchObject({
      hint: expect.stringContaining(hint),
    });
  });

  it('is asked for anew where a registry has a bound for n that is lower', async () => {
    const quay = { 'www-authenticate': 'Bearer realm="https://127.0.0.1/v2/auth"' };
    const { registries, server } = await scripted({
      'GET /v2/_catalog': [
        replyJson(200, { repositories: ['a'] }, quay),
        replyJson(400, { errors: [{ code: 'PAGINATION_NUMBER_INVALID' }] }),
        replyJson(200, { repositories: ['b'] }),
      ],
    });
    expect(await listAll(registries.catalog(server.host))).toEqual(['a']);
    expect(await listAll(registries.catalog(server.host))).toEqual(['b']);
  });
});
