import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referrersTag } from '../../src/core/digest.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { NamedEntries } from '../../src/stores/named/library.ts';
import { errorCode, LIBRARIES, Pusher, startEmbedded, type Embedded, type OpenedLibrary } from '../support/embedded.ts';

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
}

async function entries(answer: Response): Promise<readonly Entry[]> {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, MEDIA.ociIndex]);
  const index = (await answer.json()) as { schemaVersion: number; mediaType: string; manifests: Entry[] };
  expect([index.schemaVersion, index.mediaType]).toEqual([2, MEDIA.ociIndex]);
  return index.manifests;
}

function nextOf(answer: Response): string | undefined {
  return /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
}

describe.each(LIBRARIES)('listings over a %s library', (_kind, open) => {
  let opened: OpenedLibrary;
  let server: Embedded;
  let one: Pusher;
  beforeAll(async () => {
    opened = await open();
    server = await startEmbedded(opened.library);
    one = new Pusher(server.url, 'c/one');
    for (const tag of ['b', 'a', 'Z', 'v1.0', '_x']) await one.manifest(tag);
    await new Pusher(server.url, 'a').manifest('v1');
    await new Pusher(server.url, 'docker.io/library/alpine').manifest('hub', { annotations: { of: 'hub' } });
    await new Pusher(server.url, 'ghcr.io/org/app').manifest('gh', { annotations: { of: 'gh' } });
    await new Pusher(server.url, 'org/app').manifest('plain', { annotations: { of: 'plain' } });
  });
  afterAll(async () => {
    await server.close();
    await opened.close();
  });

  it.each([
    ['', ['Z', '_x', 'a', 'b', 'v1.0'], undefined],
    ['?n=2', ['Z', '_x'], '/v2/c/one/tags/list?n=2&last=_x'],
    ['?n=2&last=_x', ['a', 'b'], '/v2/c/one/tags/list?n=2&last=b'],
    ['?last=b', ['v1.0'], undefined],
    ['?last=aa', ['b', 'v1.0'], undefined],
    ['?n=0', [], undefined],
  ])('lists tags %s', async (query, tags, next) => {
    const answer = await one.ask('GET', `tags/list${query}`);
    expect([answer.status, await answer.json(), nextOf(answer)]).toEqual([200, { name: 'c/one', tags }, next]);
  });

  it('refuses a number that is none, and a repository that is not there', async () => {
    expect((await one.ask('GET', 'tags/list?n=-1')).status).toBe(400);
    const answer = await one.ask('GET', '/v2/no/such/tags/list');
    expect([answer.status, await errorCode(answer)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  it('lists repositories, page by page', async () => {
    const first = await one.ask('GET', '/v2/_catalog?n=3');
    expect(await first.json()).toEqual({ repositories: ['a', 'c/one', 'docker.io/library/alpine'] });
    const second = await one.ask('GET', nextOf(first) ?? '');
    expect([await second.json(), nextOf(second)]).toEqual([
      { repositories: ['ghcr.io/org/app', 'org/app'] },
      undefined,
    ]);
  });

  it.each([
    ['/v2/library/alpine/manifests/hub?ns=docker.io', 200, 'docker.io'],
    ['/v2/alpine/manifests/hub?ns=docker.io', 200, 'docker.io'],
    ['/v2/library/alpine/manifests/hub', 200, null],
    ['/v2/alpine/manifests/hub', 200, null],
    ['/v2/alpine/manifests/hub?ns=ghcr.io', 404, null],
    ['/v2/org/app/manifests/gh?ns=ghcr.io', 200, 'ghcr.io'],
    ['/v2/org/app/manifests/plain?ns=ghcr.io', 404, 'ghcr.io'],
    ['/v2/org/app/manifests/plain', 200, null],
    ['/v2/org/app/manifests/plain?ns=quay.io', 200, null],
    ['/v2/org/app/manifests/plain?ns=..%2f..', 200, null],
    ['/v2/org/app/manifests/plain?ns=localhost:5000', 200, null],
    ['/v2/org/app/tags/list?ns=ghcr.io', 200, 'ghcr.io'],
  ])('%s is %i from %s', async (path, status, namespace) => {
    const answer = await one.ask('GET', path);
    expect([answer.status, answer.headers.get('oci-namespace')]).toEqual([status, namespace]);
  });

  it('has no referrers of what is not there, and refuses digests that are none', async () => {
    const absent = digestOf(Buffer.from('absent'));
    expect(await entries(await one.ask('GET', `referrers/${absent}`))).toEqual([]);
    expect(await entries(await one.ask('GET', `/v2/no/such/referrers/${absent}`))).toEqual([]);
    const answer = await one.ask('GET', 'referrers/sha256:nope');
    expect([answer.status, await errorCode(answer)]).toEqual([400, 'DIGEST_INVALID']);
  });

  it('lists referrers with type and annotations, all or of one type', async () => {
    const { descriptor: subject } = await one.manifest('subject', { annotations: { i: 'am' } });
    const config = { ...(await one.blob('{"c":1}')), mediaType: 'application/x.config' };
    const a = await one.manifest(undefined, { subject, artifactType: 'application/x.a', annotations: { n: 'a' } });
    const b = await one.manifest(undefined, { subject, config, annotations: { n: 'b' } });
    const c = await one.manifest(undefined, { subject, annotations: { n: 'c' } }, MEDIA.ociIndex);
    const all = await entries(await one.ask('GET', `referrers/${subject.digest}`));
    const wanted = [
      { ...a.descriptor, artifactType: 'application/x.a', annotations: { n: 'a' } },
      { ...b.descriptor, artifactType: 'application/x.config', annotations: { n: 'b' } },
      { ...c.descriptor, annotations: { n: 'c' } },
    ];
    expect(all).toEqual(wanted.toSorted((x, y) => (x.digest < y.digest ? -1 : 1)));
    const some = await one.ask('GET', `referrers/${subject.digest}?artifactType=application%2Fx.a`);
    expect(some.headers.get('oci-filters-applied')).toBe('artifactType');
    expect(await entries(some)).toEqual([wanted[0]]);
    const none = await one.ask('GET', `referrers/${subject.digest}?artifactType=x`);
    expect(await entries(none)).toEqual([]);
    await one.ask('DELETE', `manifests/${a.descriptor.digest}`);
    expect(await entries(await one.ask('GET', `referrers/${subject.digest}`))).toHaveLength(2);
  });

  it('lists once what an older client listed under the referrers tag as well', async () => {
    const { descriptor: subject } = await one.manifest('old-subject', { annotations: { i: 'am old' } });
    const { descriptor } = await one.manifest(undefined, { subject, artifactType: 'application/x.old' });
    const entry = { ...descriptor, artifactType: 'application/x.old' };
    await one.manifest(referrersTag(subject.digest), { manifests: [entry] }, MEDIA.ociIndex);
    expect(await entries(await one.ask('GET', `referrers/${subject.digest}`))).toEqual([entry]);
  });
});

describe('pages of referrers', () => {
  it.each([
    ['entries', { pageEntries: 2 }],
    ['bytes', { pageBytes: 2500 }],
  ])('end by %s', async (_what, limits) => {
    const server = await startEmbedded(createMemoryLibrary(), { limits });
    const one = new Pusher(server.url, 'c/one');
    const { descriptor: subject } = await one.manifest('subject');
    for (let i = 0; i < 5; i++) {
      await one.manifest(undefined, { subject, artifactType: 'x/y', annotations: { [`k${i}`]: 'x'.repeat(1000) } });
    }
    const seen = new Set<string>();
    let pages = 0;
    for (let path: string | undefined = `referrers/${subject.digest}?artifactType=x%2Fy`; path !== undefined; pages++) {
      const answer: Response = await one.ask('GET', path);
      path = nextOf(answer);
      for (const { digest } of await entries(answer)) seen.add(digest);
    }
    expect([seen.size, pages]).toEqual([5, 3]);
    await server.close();
  });
});

describe('a library that is one store with full names', () => {
  it('serves each repository its own names, and takes pushes where the store can', async () => {
    const store = createMemory();
    for (const [imageName, n] of [
      ['docker.io/library/alpine:3.20', '1'],
      ['ghcr.io/org/app:3.20', '2'],
    ] as const) {
      const config = store.putBytes(Buffer.from(`{"n":${n}}`), MEDIA.ociConfig);
      const manifest = { schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [] };
      const root = store.putBytes(Buffer.from(JSON.stringify(manifest)), MEDIA.ociManifest);
      await store.tag(root, { tag: '3.20', imageName }, () => store.open(root));
    }
    await store.commit();
    const server = await startEmbedded(new NamedEntries(store, 'own', store));
    const one = new Pusher(server.url, 'own');
    const digests = new Set<string | null>();
    for (const path of ['library/alpine', 'docker.io/library/alpine', 'org/app', 'ghcr.io/org/app']) {
      const answer = await one.ask('GET', `/v2/${path}/manifests/3.20`);
      expect([path, answer.status]).toEqual([path, 200]);
      digests.add(answer.headers.get('docker-content-digest'));
      const { config } = (await answer.json()) as { config: Entry };
      expect((await one.ask('GET', `/v2/${path}/blobs/${config.digest}`)).status).toBe(200);
    }
    expect(digests.size).toBe(2);
    expect((await one.manifest('v1')).answer.status).toBe(201);
    expect((await one.ask('GET', 'manifests/v1')).status).toBe(200);
    const elsewhere = await one.ask('POST', '/v2/org/app/blobs/uploads/');
    expect([elsewhere.status, await errorCode(elsewhere)]).toEqual([405, 'UNSUPPORTED']);
    await server.close();
  });
});

describe('a read-only registry', () => {
  it('reads, and refuses all else', async () => {
    const library = createMemoryLibrary();
    const writer = await startEmbedded(library);
    await new Pusher(writer.url, 'c/one').manifest('v1');
    await writer.close();
    const server = await startEmbedded(library, { readOnly: true });
    const one = new Pusher(server.url, 'c/one');
    expect((await one.ask('GET', 'manifests/v1')).status).toBe(200);
    expect((await one.ask('GET', 'tags/list')).status).toBe(200);
    for (const [method, path] of [
      ['POST', 'blobs/uploads/'],
      ['PATCH', 'blobs/uploads/x'],
      ['PUT', 'manifests/v1'],
      ['DELETE', 'manifests/v1'],
      ['DELETE', `blobs/${digestOf(Buffer.from('{}'))}`],
    ] as const) {
      const answer = await one.ask(method, path);
      expect([method, answer.status, answer.headers.get('allow'), await errorCode(answer)]).toEqual([
        method,
        405,
        'GET, HEAD',
        'UNSUPPORTED',
      ]);
    }
    await server.close();
    const closed = await startEmbedded({ ...library, ...unwritable(library) });
    expect((await new Pusher(closed.url, 'c/one').ask('POST', 'blobs/uploads/')).status).toBe(405);
    await closed.close();
  });
});

function unwritable(library: ReturnType<typeof createMemoryLibrary>): ReturnType<typeof createMemoryLibrary> {
  return {
    name: library.name,
    writable: false,
    repositories: () => library.repositories(),
    source: (repository) => library.source(repository),
    sink: (repository) => library.sink(repository),
    close: () => library.close(),
  };
}
