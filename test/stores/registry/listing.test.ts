import { afterEach, describe, expect, it } from 'vitest';
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
});
