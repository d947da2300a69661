import { afterEach, describe, expect, it } from 'vitest';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { failureOf } from '../../../src/stores/registry/errors.ts';
import { quirksOf } from '../../../src/stores/registry/quirks.ts';
import { Readable } from 'node:stream';
import { reply, replyJson, type Handler } from '../../support/scriptedServer.ts';
import { bare, cleanUp, openBytes, scripted } from './harness.ts';

afterEach(cleanUp);

interface Case {
  readonly host: string;
  readonly repository?: string;
  readonly method?: string;
  readonly status: number;
  readonly code?: string;
  readonly text?: string;
  readonly signs?: Record<string, string>;
}

const HARBOR = { 'x-harbor-csrf-token': 'x' };
const ECR = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

async function told(one: Case): Promise<{ code: string; message: string; hint: string | undefined }> {
  const { host, repository = 'team/app', method = 'PUT', status, code, text = '', signs = {} } = one;
  const body = code === undefined ? text : JSON.stringify({ errors: [{ code, message: text }] });
  const headers = new Map(Object.entries(signs).map(([name, value]) => [name, [value]]));
  const response = { status, headers, body: Readable.from([Buffer.from(body)], { objectMode: false }) };
  const {
    code: told,
    message,
    hint,
  } = await failureOf(response, {
    action: 'store it',
    host,
    method,
    repository,
    quirks: quirksOf(host, headers),
  });
  return { code: told, message, hint };
}

describe('what a registry refuses is told in plain words', () => {
  it.each<[string, Case, { code: string; why: string; hint: string }]>([
    [
      'an immutable tag of ECR',
      {
        host: ECR,
        status: 400,
        code: 'TAG_INVALID',
        text: "The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is immutable.",
      },
      { code: 'OCL_DENIED', why: 'the tag is immutable there', hint: `ocl tag ls ${ECR}/team/app` },
    ],
    [
      'an immutable tag of ECR, by 409',
      { host: ECR, status: 409, code: 'ImageTagAlreadyExistsException', text: 'the tag is immutable' },
      { code: 'OCL_DENIED', why: 'the tag is immutable there', hint: 'ocl tag ls' },
    ],
    [
      'an immutable tag of Harbor',
      {
        host: 'h.example',
        status: 412,
        code: 'PRECONDITION',
        text: "Failed to process request due to 'app:v1' configured as immutable.",
        signs: HARBOR,
      },
      { code: 'OCL_DENIED', why: 'the tag is immutable there', hint: 'ocl tag ls h.example/team/app' },
    ],
    [
      'an immutable tag of Google',
      {
        host: 'europe-docker.pkg.dev',
        status: 400,
        code: 'MANIFEST_INVALID',
        text: 'cannot update tag v1. The repository has enabled tag immutability',
      },
      { code: 'OCL_DENIED', why: 'the tag is immutable there', hint: 'ocl tag ls' },
    ],
    [
      'a repository that ECR does not have',
      {
        host: ECR,
        method: 'POST',
        status: 404,
        code: 'NAME_UNKNOWN',
        text: "The repository with name 'team/app' does not exist in the registry with id '123456789012'",
      },
      {
        code: 'OCL_NOT_FOUND',
        why: 'there is no such repository',
        hint: 'aws ecr create-repository --region eu-west-1 --repository-name team/app',
      },
    ],
    [
      'a repository that Google does not have',
      {
        host: 'europe-west3-docker.pkg.dev',
        repository: 'project/images/app',
        method: 'POST',
        status: 404,
        code: 'NAME_UNKNOWN',
        text: 'Repository "images" not found',
      },
      {
        code: 'OCL_NOT_FOUND',
        why: 'there is no such repository',
        hint: 'gcloud artifacts repositories create images --repository-format=docker --location=europe-west3 --project=project',
      },
    ],
    [
      'a project that Harbor does not have',
      {
        host: 'h.example',
        method: 'POST',
        status: 404,
        code: 'NOT_FOUND',
        text: 'project team not found',
        signs: HARBOR,
      },
      {
        code: 'OCL_NOT_FOUND',
        why: 'no such repository',
        hint: 'create the project team on https://h.example/harbor/projects',
      },
    ],
    [
      'a project that Harbor does not tell of',
      {
        host: 'h.example',
        method: 'POST',
        status: 401,
        code: 'UNAUTHORIZED',
        text: 'unauthorized to access',
        signs: HARBOR,
      },
      { code: 'OCL_UNAUTHORIZED', why: 'answered 401', hint: 'ocl login h.example' },
    ],
    [
      'a repository that another does not have',
      { host: 'r.example', method: 'POST', status: 404, code: 'NAME_UNKNOWN' },
      { code: 'OCL_NOT_FOUND', why: 'no such repository', hint: 'create r.example/team/app there first' },
    ],
    [
      "a push to Harbor's proxy cache",
      {
        host: 'h.example',
        repository: 'proxy/library/alpine',
        method: 'POST',
        status: 403,
        code: 'DENIED',
        text: "can not push artifact to a proxy project: 'proxy'",
        signs: HARBOR,
      },
      { code: 'OCL_DENIED', why: 'a proxy cache takes no pushes', hint: 'h.example/OTHER/library/alpine' },
    ],
    ...[401, 403, 404, 400].map((status): [string, Case, { code: string; why: string; hint: string }] => [
      `a name too deep for Docker Hub, by ${status}`,
      { host: 'docker.io', repository: 'me/group/app', method: 'POST', status },
      {
        code: { 401: 'OCL_UNAUTHORIZED', 403: 'OCL_DENIED', 404: 'OCL_NOT_FOUND' }[status] ?? 'OCL_REGISTRY',
        why: 'Docker Hub has names like NAMESPACE/NAME alone',
        hint: 'name it docker.io/me/group-app',
      },
    ]),
    [
      'a name too short for Harbor',
      { host: 'h.example', repository: 'app', method: 'POST', status: 401, signs: HARBOR },
      { code: 'OCL_UNAUTHORIZED', why: 'Harbor has names like PROJECT/NAME alone', hint: 'h.example/NAMESPACE/app' },
    ],
    [
      'a name too deep for Docker Hub, to read',
      { host: 'docker.io', repository: 'me/group/app', method: 'HEAD', status: 404 },
      { code: 'OCL_NOT_FOUND', why: 'names like NAMESPACE/NAME alone', hint: 'check the name' },
    ],
    [
      'a deep name that another does not take',
      { host: 'r.example', repository: 'a/b/c', method: 'POST', status: 400, code: 'NAME_INVALID' },
      { code: 'OCL_REGISTRY', why: 'NAME_INVALID', hint: 'try r.example/a/b-c' },
    ],
    [
      'a project that GitLab does not have',
      { host: 'registry.gitlab.com', repository: 'group/project/app', method: 'POST', status: 403, code: 'DENIED' },
      { code: 'OCL_DENIED', why: 'answered 403', hint: 'create the project group/project in GitLab' },
    ],
    [
      'a repository that Artifactory does not have',
      { host: 'me.jfrog.io', repository: 'docker/app', method: 'POST', status: 404, code: 'NAME_UNKNOWN' },
      {
        code: 'OCL_NOT_FOUND',
        why: 'no such repository',
        hint: 'create the Docker repository docker on https://me.jfrog.io',
      },
    ],
    [
      'a manifest without mediaType at ECR',
      { host: ECR, status: 405, code: 'UNSUPPORTED', text: 'Invalid JSON syntax' },
      { code: 'OCL_UNSUPPORTED', why: 'Invalid JSON syntax', hint: 'mediaType' },
    ],
    [
      'a referrer at ECR',
      { host: ECR, status: 405, code: 'UNSUPPORTED' },
      { code: 'OCL_UNSUPPORTED', why: 'answered 405', hint: '--no-referrers' },
    ],
    [
      'a login',
      { host: 'r.example', method: 'GET', status: 401 },
      { code: 'OCL_UNAUTHORIZED', why: 'answered 401', hint: 'ocl login r.example; ocl ping r.example' },
    ],
    [
      'a right',
      { host: 'r.example', method: 'GET', status: 403 },
      { code: 'OCL_DENIED', why: 'answered 403', hint: 'ocl whoami r.example' },
    ],
    [
      'a limit',
      { host: 'docker.io', method: 'GET', status: 429, text: 'Too Many Requests' },
      { code: 'OCL_RATE_LIMITED', why: 'Too Many Requests', hint: 'ocl ratelimit docker.io' },
    ],
    [
      'a limit of pushes, which is none of the name',
      { host: 'docker.io', repository: 'me/group/app', method: 'POST', status: 403, code: 'TOOMANYREQUESTS' },
      { code: 'OCL_RATE_LIMITED', why: 'TOOMANYREQUESTS', hint: 'ocl login docker.io' },
    ],
    [
      'a gateway',
      { host: 'r.example', method: 'GET', status: 502, text: '<html><title>Bad Gateway</title></html>' },
      { code: 'OCL_REGISTRY', why: 'Bad Gateway', hint: 'ocl ping r.example' },
    ],
    [
      'what is no registry',
      { host: 'r.example', method: 'GET', status: 404, text: '<!doctype html><title>Welcome</title>' },
      { code: 'OCL_NOT_FOUND', why: 'Welcome', hint: 'ocl ping r.example' },
    ],
  ])('%s', async (_name, one, { code, why, hint }) => {
    const answer = await told(one);
    expect(answer).toMatchObject({
      code,
      message: expect.stringContaining(why),
      hint: expect.stringContaining(hint),
    });
    expect(answer.message).toMatch(/^Cannot store it: /);
    expect(answer.message).toContain(`${one.host} answered ${one.status}`);
  });

  it.each<[string, Case]>([
    ['a tag that is not there', { host: 'docker.io', method: 'GET', status: 404, code: 'MANIFEST_UNKNOWN' }],
    ['a repository that is not there to read', { host: ECR, method: 'GET', status: 404, code: 'NAME_UNKNOWN' }],
  ])('%s gets no hint from here', async (_name, one) => {
    expect((await told(one)).hint).toBeUndefined();
  });
});

describe('a port of TLS to which plain http was spoken', () => {
  it.each([
    ["Go's server", 'Client sent an HTTP request to an HTTPS server.'],
    ['nginx', '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>'],
  ])('is told of by %s', async (_name, text) => {
    const one = { host: 'localhost:5000', method: 'GET', status: 400, text };
    expect(await told(one)).toMatchObject({
      message: expect.stringContaining('it speaks TLS, and plain http was spoken to it; localhost:5000 answered 400'),
      hint: expect.stringMatching(/^leave --plain-http .* --cert-dir DIR, or --insecure localhost:5000$/),
    });
    expect((await told({ ...one, text: 'no HTTP here' })).message).not.toContain('TLS');
  });
});

describe('a failure that the specification explains', () => {
  const bytes = (layers: readonly unknown[]): Buffer =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: bare(describeBytes(Buffer.from('{}'), MEDIA.ociConfig)),
        layers,
      }),
    );
  const layer = bare(describeBytes(Buffer.from('far'), MEDIA.dockerForeignLayerGzip));
  const said = (status: number, code: string): Handler => replyJson(status, { errors: [{ code }] });
  const tag = 'PUT /v2/app/manifests/v1';

  it.each(['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_INVALID', 'NAME_UNKNOWN', 'DENIED', 'UNSUPPORTED'])(
    'is an answer: 500 with %s is not tried again',
    async (code) => {
      const { app, server, clock } = await scripted({ [tag]: said(500, code) });
      const document = bytes([]);
      await expect(
        app.tag(describeBytes(document, MEDIA.ociManifest), { tag: 'v1' }, openBytes(document)),
      ).rejects.toMatchObject({ message: expect.stringContaining(code) });
      expect(server.calls()).toEqual([tag]);
      expect(clock.sleeps).toEqual([]);
    },
  );

  it.each<[string, Handler]>([
    ['500 with UNKNOWN', said(500, 'UNKNOWN')],
    ['500 without words', reply(500)],
    ['500 with a limit', said(500, 'TOOMANYREQUESTS')],
    ['503 with DENIED', said(503, 'DENIED')],
  ])('is not %s: that may pass', async (_name, handler) => {
    const { app, server } = await scripted({ [tag]: [handler, reply(201)] });
    const document = bytes([]);
    await app.tag(describeBytes(document, MEDIA.ociManifest), { tag: 'v1' }, openBytes(document));
    expect(server.calls()).toEqual([tag, tag]);
  });

  it.each([
    [[{ ...layer, urls: ['https://x.example/layer'] }], expect.stringContaining('--foreign')],
    [
      [{ ...layer, mediaType: MEDIA.ociLayer, urls: ['https://x.example/layer'] }],
      expect.stringContaining('--foreign'),
    ],
    [[{ ...layer, mediaType: MEDIA.ociLayer }], undefined],
  ])('and tells of layers that lie elsewhere %#', async (layers, hint: unknown) => {
    const document = bytes(layers);
    const { app } = await scripted({ [tag]: said(500, 'MANIFEST_BLOB_UNKNOWN') });
    await expect(
      app.tag(describeBytes(document, MEDIA.ociManifest), { tag: 'v1' }, openBytes(document)),
    ).rejects.toMatchObject({ code: 'OCL_MISSING_BLOBS', hint });
  });
});
