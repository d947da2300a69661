import { afterEach, describe, expect, it } from 'vitest';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { fittingName, quirksOf, type Quirks } from '../../../src/stores/registry/quirks.ts';
import { reply } from '../../support/scriptedServer.ts';
import { cleanUp, connectTo, openBytes, repository, serve } from './harness.ts';

afterEach(cleanUp);

const ECR = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

describe('what is known of a registry by its name', () => {
  it.each<[string, Partial<Quirks>]>([
    ['docker.io', { product: 'Docker Hub', catalog: 'no', referrers: 'tag', deepestRepository: 2, deletes: 'nothing' }],
    ['registry-1.docker.io', { product: 'Docker Hub', pullCountsBy: 'GET of a manifest' }],
    ['ghcr.io', { product: 'GHCR', catalog: 'no', referrers: 'tag' }],
    [ECR, { product: 'ECR', catalog: 'privileged', maxPage: 1000, minChunk: 5_242_880, deletes: 'digests' }],
    ['1.dkr.ecr.cn-north-1.amazonaws.com.cn', { product: 'ECR' }],
    ['1.dkr-ecr.eu-west-1.on.aws', { product: 'ECR' }],
    ['public.ecr.aws', { product: 'ECR Public', catalog: 'no' }],
    ['gcr.io', { product: 'Google Artifact Registry', chunkedUpload: false }],
    ['eu.gcr.io', { product: 'Google Artifact Registry', chunkedUpload: false }],
    ['europe-west3-docker.pkg.dev', { product: 'Google Artifact Registry', chunkedUpload: false }],
    ['me.azurecr.io', { product: 'Azure Container Registry', referrers: 'api', catalog: 'yes' }],
    ['quay.io', { product: 'Quay', deleteBlob: false, maxPage: 100, catalog: 'privileged' }],
    ['registry.gitlab.com', { product: 'GitLab', referrers: 'tag', catalog: 'no' }],
    ['me.jfrog.io', { product: 'Artifactory' }],
    ['registry.redhat.io', { product: "Red Hat's registry", catalog: 'no' }],
    ['GHCR.IO:443', { product: 'GHCR' }],
  ])('%s', (host, expected) => {
    expect(quirksOf(host)).toMatchObject(expected);
  });

  it.each(['localhost:5000', 'notdocker.io', 'ghcr.io.example', 'quay.io.evil.example', 'azurecr.io', 'xgcr.io'])(
    '%s is nothing special: it follows the specification',
    (host) => {
      expect(quirksOf(host)).toEqual(quirksOf('registry.example'));
      expect(quirksOf(host)).toMatchObject({ product: undefined, chunkedUpload: true, mount: true, referrers: 'ask' });
    },
  );
});

describe('what is known of a registry by its answers', () => {
  it.each<[string, string, Partial<Quirks>]>([
    ['server', 'AzureContainerRegistry', { product: 'Azure Container Registry' }],
    ['server', 'Nexus/3.70.1-02 (OSS)', { product: 'Nexus' }],
    ['server', 'Artifactory/7.90.1', { product: 'Artifactory' }],
    ['x-jfrog-version', 'Artifactory/7.90.1 79001900', { product: 'Artifactory' }],
    ['gitlab-container-registry-version', 'v4.0.0-gitlab', { product: 'GitLab', referrers: 'tag' }],
    [
      'www-authenticate',
      'Bearer realm="https://git.example/jwt/auth",service="container_registry"',
      { product: 'GitLab' },
    ],
    [
      'www-authenticate',
      'Bearer realm="https://h.example/service/token",service="harbor-registry"',
      { product: 'Harbor' },
    ],
    ['x-harbor-csrf-token', 'abc', { product: 'Harbor', deletes: 'digests', referrers: 'api' }],
    ['www-authenticate', 'Bearer realm="https://q.example/v2/auth",service="q.example"', { product: 'Quay' }],
    ['www-authenticate', `Basic realm="https://${ECR}/",service="ecr.amazonaws.com"`, { product: 'ECR' }],
    [
      'www-authenticate',
      'Bearer realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev"',
      { product: 'Google Artifact Registry' },
    ],
    ['docker-distribution-api-version', 'registry/2.0', { product: undefined }],
    ['server', 'nginx', { product: undefined }],
  ])('%s: %s', (name, value, expected) => {
    expect(quirksOf('registry.example', new Map([[name, [value]]]))).toMatchObject(expected);
  });

  it('says less than the name', () => {
    expect(quirksOf('ghcr.io', new Map([['server', ['Nexus/3']]])).product).toBe('GHCR');
  });

  it('costs no time where a header is long', () => {
    const started = performance.now();
    quirksOf('registry.example', new Map([['www-authenticate', ['realm="https://'.repeat(100_000)]]]));
    expect(performance.now() - started).toBeLessThan(200);
  });
});

it.each([
  ['docker.io', 'me/app', undefined],
  ['docker.io', 'me/group/app', 'me/group-app'],
  ['docker.io', 'me/a/b/c', 'me/a-b-c'],
  ['docker.io', 'app', 'NAMESPACE/app'],
  ['ghcr.io', 'app', 'NAMESPACE/app'],
  ['quay.io', 'app', undefined],
  ['registry.example', 'a/b/c/d/e', undefined],
])('a name that fits %s: %s → %s', (host, name, expected) => {
  expect(fittingName(name, quirksOf(host))).toBe(expected);
});

it('pieces of an upload are as large as ECR wants them', async () => {
  const sizes: number[] = [];
  const ecr = { 'www-authenticate': 'Basic realm="https://x/",service="ecr.amazonaws.com"' };
  const bytes = Buffer.alloc(6 << 20, 1);
  const blob = describeBytes(bytes, MEDIA.ociLayer);
  const server = await serve({
    [`HEAD /v2/app/blobs/${blob.digest}`]: reply(404, ecr),
    'POST /v2/app/blobs/uploads/': reply(202, { location: '/up/1' }),
    'PATCH /up/1': (response, request) => {
      sizes.push(request.body.length);
      const range = `0-${sizes.reduce((sum, size) => sum + size, 0) - 1}`;
      return reply(202, { location: '/up/1', range })(response, request);
    },
    'PUT /up/1': (response, request) => {
      sizes.push(request.body.length);
      return reply(201)(response, request);
    },
  });
  const app = repository(
    connectTo({ hosts: new Map([[server.host, { monolithicBytes: 0, chunkBytes: 1 << 20 }]]) }),
    server.host,
  );
  expect(await app.has(blob)).toBe(false);
  await app.put(blob, openBytes(bytes));
  expect(sizes[0]).toBe(5 << 20);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes.length);
});

it('Google gets blobs as a whole, whatever the settings say', async () => {
  const google = { 'www-authenticate': 'Bearer realm="https://gcr.io/v2/token",service="gcr.io"' };
  const bytes = Buffer.alloc(1 << 20, 1);
  const blob = describeBytes(bytes, MEDIA.ociLayer);
  const server = await serve({
    [`HEAD /v2/app/blobs/${blob.digest}`]: reply(404, google),
    'POST /v2/app/blobs/uploads/': reply(202, { location: '/up/1' }),
    'PUT /up/1': [(response) => void response.socket?.resetAndDestroy(), reply(201)],
  });
  const app = repository(connectTo({ hosts: new Map([[server.host, { monolithicBytes: 0 }]]) }), server.host);
  expect(await app.has(blob)).toBe(false);
  await app.put(blob, openBytes(bytes));
  expect(server.calls().filter((call) => call.startsWith('PATCH'))).toEqual([]);
});
