import { afterEach, describe, expect, it } from 'vitest';
import { type OclError } from '../../../../src/core/errors.ts';
import {
  type Credential,
  type Credentials,
  type CredentialSource,
} from '../../../../src/stores/registry/auth/credentials.ts';
import { reply, replyJson, type Handler } from '../../../support/scriptedServer.ts';
import { guarded, list } from './authHarness.ts';
import { cleanUp, listAll, scripted } from '../harness.ts';

afterEach(cleanUp);

const SECRET = 'hunter2-hunter2';
const file: CredentialSource = { kind: 'file', where: '/home/me/.docker/config.json' };

function from(credential: Credential | undefined, source?: CredentialSource): Credentials {
  const find = (): Promise<Credential | undefined> => Promise.resolve(credential);
  if (source === undefined) return { find };
  return { find, locate: () => Promise.resolve(credential && { credential, source }) };
}

const nobody = from(undefined);
const me: Credential = { kind: 'password', username: 'me', password: SECRET };

const said = (code: string, message: string): unknown => ({ errors: [{ code, message }] });
const challenge = (more = ''): Record<string, string> => ({ 'www-authenticate': `Bearer realm="/token"${more}` });
const limited = replyJson(
  401,
  said('UNAUTHORIZED', 'authentication required'),
  challenge(',error="insufficient_scope"'),
);
const denied = replyJson(401, said('DENIED', 'requested access to the resource is denied'), challenge());
const token = replyJson(200, { token: 't' });
/** What comes once there is a token. */
const behind = (then: Handler): Handler =>
  guarded(challenge()['www-authenticate'], (value) => value === 'Bearer t', then);

interface Case {
  readonly who: Credentials;
  readonly tags: Handler;
  readonly token?: Handler;
  readonly code: string;
  readonly message: RegExp;
  readonly hint: RegExp | undefined;
}

describe('what is told when a registry says no', () => {
  it.each<[string, Case]>([
    [
      'to nobody',
      {
        who: nobody,
        tags: reply(401),
        code: 'OCL_UNAUTHORIZED',
        message: /401, asked without a login$/,
        hint: /^ocl login HOST/,
      },
    ],
    [
      'to nobody, who may not see it or for whom there is nothing to see',
      {
        who: nobody,
        tags: behind(limited),
        code: 'OCL_UNAUTHORIZED',
        message: /asked without a login; it may be private, or not there$/,
        hint: /^ocl login HOST; ocl ping HOST/,
      },
    ],
    [
      'to nobody, with 403',
      {
        who: nobody,
        tags: reply(403),
        code: 'OCL_DENIED',
        message: /asked without a login; it may be private, or not there$/,
        hint: /ocl login HOST/,
      },
    ],
    [
      'to nobody at the token server',
      {
        who: nobody,
        tags: behind(denied),
        token: replyJson(403, said('DENIED', 'denied')),
        code: 'OCL_DENIED',
        message: /^Cannot log in to HOST .*403 \(DENIED: denied\), asked without a login; it may be private/,
        hint: /ocl login HOST/,
      },
    ],
    [
      'to a wrong password, with the file that it stands in',
      {
        who: from(me, file),
        tags: behind(denied),
        token: replyJson(401, { details: 'wrong' }),
        code: 'OCL_UNAUTHORIZED',
        message: /401 .*, asked as "me" from \/home\/me\/\.docker\/config\.json$/,
        hint: /^ocl login HOST; ocl ping HOST/,
      },
    ],
    [
      'to a wrong password, by Basic',
      {
        who: from(me),
        tags: reply(401, { 'www-authenticate': 'Basic realm="x"' }),
        code: 'OCL_UNAUTHORIZED',
        message: /401, asked as "me"$/,
        hint: /^ocl login HOST; ocl ping HOST/,
      },
    ],
    [
      'to an account whose token does not reach so far',
      {
        who: from(me, file),
        tags: behind(limited),
        code: 'OCL_DENIED',
        message: /asked as "me" from .*config\.json, which may not do this, or it is not there$/,
        hint: /ocl login HOST/,
      },
    ],
    [
      "to an account, as Docker Hub's denied",
      {
        who: from(me),
        tags: behind(denied),
        code: 'OCL_DENIED',
        message:
          /\(DENIED: requested access to the resource is denied\), asked as "me", which may not do this, or it is not there$/,
        hint: /ocl login HOST/,
      },
    ],
    [
      'to an account, with 403',
      {
        who: from(me),
        tags: behind(reply(403)),
        code: 'OCL_DENIED',
        message: /403, asked as "me", which may not/,
        hint: /ocl whoami HOST/,
      },
    ],
    [
      'to a token that was handed in',
      {
        who: from({ kind: 'bearer', token: SECRET }, { kind: 'settings', where: 'the settings of this host' }),
        tags: reply(401),
        code: 'OCL_UNAUTHORIZED',
        message: /asked with a token from the settings of this host$/,
        hint: /^correct the login in the settings of this host: it goes before/,
      },
    ],
    [
      'to somebody, by a server that repeats what it was sent',
      {
        who: from(me),
        tags: behind(denied),
        token: reply(401, {}, `no such password: ${SECRET}`),
        code: 'OCL_UNAUTHORIZED',
        message: /no such password: \*\*\*/,
        hint: /ocl login HOST/,
      },
    ],
    [
      'that a repository is there, to nobody',
      {
        who: nobody,
        tags: behind(replyJson(404, said('NAME_UNKNOWN', 'unknown'))),
        code: 'OCL_NOT_FOUND',
        message: /404/,
        hint: /^ocl login HOST, if it is private$/,
      },
    ],
    [
      'that a repository is there, where nobody is ever asked for a login',
      {
        who: nobody,
        tags: replyJson(404, said('NAME_UNKNOWN', 'unknown')),
        code: 'OCL_NOT_FOUND',
        message: /404/,
        hint: /^check the name; ocl ls HOST lists/,
      },
    ],
    [
      'that a repository is there, to an account',
      {
        who: from(me),
        tags: behind(replyJson(404, said('NAME_UNKNOWN', 'unknown'))),
        code: 'OCL_NOT_FOUND',
        message: /404/,
        hint: /^check the name; ocl ls HOST lists/,
      },
    ],
    [
      'to an account of a pipeline',
      {
        who: from(me, { kind: 'environment', where: 'OCL_USERNAME' }),
        tags: reply(401, { 'www-authenticate': 'Basic realm="x"' }),
        code: 'OCL_UNAUTHORIZED',
        message: /asked as "me" from OCL_USERNAME$/,
        hint: /^correct the login in OCL_USERNAME: it goes before/,
      },
    ],
  ])('%s', async (_name, { who, tags, code, message, hint, ...more }) => {
    const { app, server } = await scripted(
      { [list('app')]: tags, 'GET /token': more.token ?? token, 'GET /v2/': reply(200) },
      { credentials: who },
    );
    const error = await listAll(app.tags()).then(
      () => undefined,
      (thrown: OclError) => thrown,
    );
    const shown = (text: string | undefined): string => (text ?? '').replaceAll(server.host, 'HOST');
    expect(error?.code).toBe(code);
    expect(shown(error?.message)).toMatch(message);
    if (hint === undefined) expect(error?.hint).toBeUndefined();
    else expect(shown(error?.hint)).toMatch(hint);
    expect(JSON.stringify([error?.message, error?.hint, error?.stack, error?.cause])).not.toContain(SECRET);
  });
});
