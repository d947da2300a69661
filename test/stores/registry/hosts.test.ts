import { describe, expect, it } from 'vitest';
import { endpointOf } from '../../../src/stores/registry/hosts.ts';
import { silent } from '../../../src/core/events.ts';
import { createHttp } from '../../../src/io/http.ts';
import { anonymous } from '../../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../../src/stores/registry/registries.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { replyJson } from '../../support/scriptedServer.ts';
import { cleanUp, connectTo, listAll, repository, scripted, serve } from './harness.ts';

describe('where a registry is reached', () => {
  it.each([
    ['docker.io', {}, 'https://registry-1.docker.io/'],
    ['ghcr.io', {}, 'https://ghcr.io/'],
    ['registry.example:5000', {}, 'https://registry.example:5000/'],
    ['localhost', {}, 'http://localhost/'],
    ['localhost:5000', {}, 'http://localhost:5000/'],
    ['127.0.0.1:5000', {}, 'http://127.0.0.1:5000/'],
    ['127.9.9.9:443', {}, 'http://127.9.9.9:443/'],
    ['[::1]:5000', {}, 'http://[::1]:5000/'],
    ['localhost.example:5000', {}, 'https://localhost.example:5000/'],
    ['10.0.0.1:5000', {}, 'https://10.0.0.1:5000/'],
    ['localhost:5000', { tls: 'enabled' }, 'https://localhost:5000/'],
    ['localhost:5000', { tls: 'insecure' }, 'https://localhost:5000/'],
    ['registry.example', { tls: 'disabled' }, 'http://registry.example/'],
    ['alias', { hostname: 'registry.example:444' }, 'https://registry.example:444/'],
    ['docker.io', { hostname: 'mirror.example' }, 'https://mirror.example/'],
    ['alias', { hostname: 'localhost:5000' }, 'http://localhost:5000/'],
  ] as const)('%s with %j at %s', (registry, settings, href) =>
    expect(endpointOf(registry, settings).base.href).toBe(href),
  );

  it.each(['a/b', 'a?b', 'a#b', 'user@a', 'a b', 'a:99999', ''])('%j is no host', (hostname) => {
    expect(() => endpointOf('x', { hostname })).toThrow(expect.objectContaining({ code: 'OCL_CONFIG_INVALID' }));
  });

  it('trust is as the settings say', () => {
    expect(endpointOf('a.example', {}).tls).toBeUndefined();
    expect(endpointOf('a.example', { tls: 'insecure' }).tls).toMatchObject({ verify: false });
    expect(endpointOf('a.example', { ca: ['pem'] }).tls).toMatchObject({ verify: true, ca: ['pem'] });
    expect(endpointOf('a.example', { tls: 'disabled', ca: ['pem'] }).tls).toBeUndefined();
  });
});

describe('settings of a host', () => {
  it('a path prefix stands before every repository, and goes from the catalog', async () => {
    const server = await serve({
      'GET /v2/proxy/hub/app/tags/list': replyJson(200, { tags: ['v1'] }),
      'GET /v2/_catalog': replyJson(200, { repositories: ['proxy/hub/app', 'proxy/other', 'else'] }),
    });
    const side = connectTo({ hosts: new Map([[server.host, { pathPrefix: '/proxy/hub/' }]]) });
    expect(await listAll(repository(side, server.host).tags())).toEqual(['v1']);
    expect(await listAll(side.registries.catalog(server.host))).toEqual(['app']);
    await cleanUp();
  });

  it('requests keep their distance', async () => {
    const server = await serve({ 'GET /v2/app/tags/list': replyJson(200, { tags: [] }) });
    const side = connectTo({ hosts: new Map([[server.host, { requestsPerSecond: 2 }]]) });
    const app = repository(side, server.host);
    for (let i = 0; i < 3; i++) await listAll(app.tags());
    expect(side.clock.sleeps).toEqual([500, 500]);
    await cleanUp();
  });

  it('one gate serves all repositories of a host, as wide as it is told', async () => {
    const { registries, server } = await scripted({});
    const [one] = registries.repository({ kind: 'registry', registry: server.host, repository: 'one' }).gates;
    const [two] = registries.repository({ kind: 'registry', registry: server.host, repository: 'two' }).gates;
    expect(one).toBe(two);
    expect(one?.id).toBe(server.host);
    await cleanUp();
  });
});

it('never speaks plain http to hosts that did not ask for it', async () => {
  const http = createHttp({ userAgent: 'x', timeouts: { connect: 2000, headers: 2000, idle: 2000 } });
  const asked: string[] = [];
  const spy = {
    ...http,
    request: (request: Parameters<typeof http.request>[0]) => (
      asked.push(request.url.protocol),
      Promise.reject(new Error('no'))
    ),
  };
  const registries = createRegistries({ http: spy, clock: fakeClock(), credentials: anonymous, emit: silent });
  await expect(
    registries.repository({ kind: 'registry', registry: 'registry.example', repository: 'app' }).resolve('v1'),
  ).rejects.toThrow('no');
  expect(asked).toEqual(['https:']);
  await http.close();
});
