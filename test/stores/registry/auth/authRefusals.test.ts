import { afterEach, describe, expect, it } from 'vitest';
import { OclError } from '../../../../src/core/errors.ts';
import {
  createCredentials,
  type Credential,
  type Credentials,
} from '../../../../src/stores/registry/auth/credentials.ts';
import { rememberHelper, type AskHelper } from '../../../../src/stores/registry/auth/helperCache.ts';
import { fakeClock } from '../../../support/fakeClock.ts';
import { reply, replyJson, type Handler } from '../../../support/scriptedServer.ts';
import {
  basicOf,
  behindTokens,
  closeTokenServers,
  guarded,
  known,
  list,
  lists,
  password,
  pull,
  tags,
  type Script,
} from './authHarness.ts';
import { cleanUp, listAll, repository, scripted, type Scripted } from '../harness.ts';

afterEach(async () => {
  await cleanUp();
  await closeTokenServers();
});

const wrong: Credential = { kind: 'password', username: 'me', password: 'wrong' };
const names = Array.from({ length: 50 }, (_, n) => `app${n}`);

/** What each of many concurrent requests ends with. */
function all(tagsOf: (name: string) => AsyncIterable<string>, of = names): Promise<(string[] | OclError)[]> {
  return Promise.all(of.map((name) => listAll(tagsOf(name)).catch((error: OclError) => error)));
}

/** The failures behind the failures: those that were met, not those that follow from them. */
function causesOf(outcomes: readonly (string[] | OclError)[]): Set<unknown> {
  return new Set(outcomes.map((outcome) => (outcome as OclError).cause ?? outcome));
}

function at({ server, ...side }: Scripted): (name: string) => AsyncIterable<string> {
  return (name) => repository(side, server.host, name).tags();
}

describe('a wrong password', () => {
  it('is sent to the token server once, for 50 images and all that follow', async () => {
    const side = await behindTokens({}, lists(...names, 'later'), known(wrong));
    const outcomes = await all((name) => side.at(name).tags());
    expect(outcomes.map((outcome) => (outcome as OclError).code)).toEqual(names.map(() => 'OCL_UNAUTHORIZED'));
    expect(side.tokens.asked).toHaveLength(1);
    expect(causesOf(outcomes).size).toBe(1);
    const before = side.server.seen.length;
    await expect(listAll(side.at('later').tags())).rejects.toMatchObject({
      code: 'OCL_UNAUTHORIZED',
      message: expect.stringContaining('refused the same login a short while ago'),
      hint: expect.stringContaining(`ocl login ${side.server.host}`),
    });
    expect(side.server.seen).toHaveLength(before);
  });

  it('is sent twice where a 403 may mean the repository: for it, and for none', async () => {
    const forbidding = await scripted(
      {
        ...Object.fromEntries(
          names.map((name) => [list(name), reply(401, { 'www-authenticate': 'Bearer realm="/token"' })]),
        ),
        'GET /token': replyJson(403, { errors: [{ code: 'DENIED', message: 'denied' }] }),
      },
      { credentials: known(wrong) },
    );
    const outcomes = await all(at(forbidding));
    expect(outcomes.map((outcome) => (outcome as OclError).code)).toEqual(names.map(() => 'OCL_DENIED'));
    expect(causesOf(outcomes).size).toBe(1);
    const paths = forbidding.server.seen.map(({ path }) => path).filter((path) => path.startsWith('/token'));
    expect(paths.map((path) => path.includes('scope='))).toEqual([true, false]);
  });

  it('is sent once by Basic', async () => {
    const side = await scripted(
      Object.fromEntries(
        names.map((name) => [list(name), guarded('Basic realm="x"', (value) => value === basicOf('me:right'), tags)]),
      ),
      { credentials: known(wrong) },
    );
    const outcomes = await all(at(side));
    expect(outcomes.map((outcome) => (outcome as OclError).code)).toEqual(names.map(() => 'OCL_UNAUTHORIZED'));
    expect(side.server.seen.filter(({ headers }) => headers.authorization !== undefined)).toHaveLength(1);
    expect(causesOf(outcomes).size).toBe(1);
  });

  it('counts for those who use it alone, and no longer than five minutes', async () => {
    let app: Credential = wrong;
    const credentials: Credentials = {
      find: (_registry, name) => Promise.resolve(name?.startsWith('team/') === true ? password : app),
    };
    const side = await behindTokens({}, lists('app', 'team/app'), credentials);
    await expect(listAll(side.at('app').tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(await listAll(side.at('team/app').tags())).toEqual(['v1']);
    app = password;
    side.clock.advance(5 * 60_000);
    expect(await listAll(side.at('app').tags())).toEqual(['v1']);
    expect(side.tokens.count('refused')).toBe(1);
  });

  it('that was right before is noticed once', async () => {
    const accounts: Record<string, string> = { me: 'söcret:x' };
    const side = await behindTokens({ accounts }, lists(...names, 'first'), known(password));
    expect(await listAll(side.at('first').tags())).toEqual(['v1']);
    accounts['me'] = 'changed';
    side.tokens.revoke();
    for (const name of names.slice(0, 10))
      await expect(listAll(side.at(name).tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(side.tokens.count('refused')).toBe(1);
  });
});

describe('a login that ended', () => {
  const old: Credential = { kind: 'password', username: 'me', password: 'old' };

  /** A helper that gives `answers` one after the other, and counts its runs. */
  function helped(answers: readonly (Credential | Error)[]): { credentials: Credentials; runs: () => number } {
    let runs = 0;
    const { ask, forget } = rememberHelper(async () => {
      const answer = answers[Math.min(runs++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer;
    }, fakeClock());
    const askHelper: AskHelper = (_name, _server, keep) => ask('own', 'all', keep);
    const files = [{ name: 'TEXT', text: '{"credsStore":"own"}' }];
    return { credentials: createCredentials({ files, askHelper, forgetAnswer: forget }), runs: () => runs };
  }

  it.each(['Bearer realm="/token"', 'Basic realm="x"'])(
    'is asked of its helper once more, for all images together: %s',
    async (challenge) => {
      const right = basicOf('me:söcret:x');
      const token: Handler = (response, request) =>
        request.headers.authorization === right
          ? replyJson(200, { token: 't' })(response, request)
          : reply(401)(response, request);
      const guard = guarded(challenge, (value) => value === 'Bearer t' || value === right, tags);
      const { credentials, runs } = helped([old, password]);
      const side = await scripted(
        { ...Object.fromEntries(names.map((name) => [list(name), guard])), 'GET /token': token },
        { credentials },
      );
      expect(await all(at(side))).toEqual(names.map(() => ['v1']));
      expect(runs()).toBe(2);
    },
  );

  it('is refused where its helper has no other', async () => {
    const { credentials, runs } = helped([old, { ...old }]);
    const side = await behindTokens({}, lists(...names), credentials);
    const outcomes = await all((name) => side.at(name).tags());
    expect(outcomes.map((outcome) => (outcome as OclError).code)).toEqual(names.map(() => 'OCL_UNAUTHORIZED'));
    expect([runs(), side.tokens.asked.length]).toEqual([2, 1]);
  });

  it('is not missed for long when its helper failed once', async () => {
    const { credentials } = helped([password]);
    let fails = true;
    const find: Credentials['find'] = (...args) =>
      fails ? Promise.reject(new OclError('OCL_UNAUTHORIZED', 'Cannot ask: locked')) : credentials.find(...args);
    const side = await behindTokens({}, lists('app'), { find });
    await expect(listAll(side.at('app').tags())).rejects.toMatchObject({ message: 'Cannot ask: locked' });
    fails = false;
    expect(await listAll(side.at('app').tags())).toEqual(['v1']);
  });
});

describe('a right password', () => {
  it('goes to many side by side once it is known to be right', async () => {
    const side = await behindTokens({}, lists(...names), known(password));
    expect(await all((name) => side.at(name).tags())).toEqual(names.map(() => ['v1']));
    expect(side.tokens.count('given')).toBe(50);
    expect(side.tokens.count('refused')).toBe(0);
  });

  it.each([
    ['a 403', 403],
    ['a denial by 401', 401],
  ])('that may not see one repository sees the others: %s', async (_name, status) => {
    const refused: Handler = replyJson(status, { errors: [{ code: 'DENIED', message: 'requested access is denied' }] });
    const token: Handler = (response, request) =>
      request.path.includes('closed') ? refused(response, request) : replyJson(200, { token: 't' })(response, request);
    const challenge = 'Bearer realm="/token"';
    const guard = guarded(challenge, (value) => value === 'Bearer t', tags);
    const side = await scripted(
      { [list('closed')]: guard, [list('closed2')]: guard, [list('open')]: guard, 'GET /token': token },
      { credentials: known(password) },
    );
    const outcomes = await all(at(side), ['closed', 'open', 'closed']);
    expect(outcomes.map((outcome) => (Array.isArray(outcome) ? outcome : outcome.code))).toEqual([
      'OCL_DENIED',
      ['v1'],
      'OCL_DENIED',
    ]);
    await expect(listAll(at(side)('closed'))).rejects.toMatchObject({ code: 'OCL_DENIED' });
    await expect(listAll(at(side)('closed2'))).rejects.toMatchObject({ code: 'OCL_DENIED' });
    const asked = side.server.seen.map(({ path }) => path).filter((path) => path.startsWith('/token'));
    expect(asked.filter((path) => path.includes('closed%3A'))).toHaveLength(1);
    // What the first 403 meant was asked once: the login is good.
    expect(asked.filter((path) => !path.includes('scope='))).toHaveLength(1);
  });

  it('by Basic that may not see one repository sees the others', async () => {
    const open = guarded('Basic realm="x"', (value) => value === basicOf('me:söcret:x'), tags);
    const closed = guarded('Basic realm="x"', Boolean, replyJson(401, { errors: [{ code: 'DENIED' }] }));
    const side = await scripted({ [list('closed')]: closed, [list('open')]: open }, { credentials: known(password) });
    const outcomes = await all(at(side), ['closed', 'open', 'closed', 'open']);
    expect(outcomes.map((outcome) => Array.isArray(outcome))).toEqual([false, true, false, true]);
  });

  it('is tried again by the next one when the registry failed over the first', async () => {
    let tries = 0;
    const guard = guarded('Basic realm="x"', Boolean, (response, request) =>
      (++tries === 1 ? reply(500) : tags)(response, request),
    );
    const side = await scripted(Object.fromEntries(names.map((name) => [list(name), guard])), {
      credentials: known(password),
    });
    expect(await all(at(side))).toEqual(names.map(() => ['v1']));
  });
});

describe('nobody', () => {
  it('is refused for private images alone', async () => {
    const closed = names.filter((_, n) => n % 2 === 0);
    const side = await behindTokens(
      { refuse: (scope) => (closed.some((name) => scope === pull(name)) ? 401 : undefined) },
      lists(...names),
    );
    for (let run = 0; run < 2; run++) {
      const outcomes = await all((name) => side.at(name).tags());
      const codes = outcomes.map((outcome) => (Array.isArray(outcome) ? 'ok' : outcome.code));
      expect(codes).toEqual(names.map((name) => (closed.includes(name) ? 'OCL_UNAUTHORIZED' : 'ok')));
    }
    expect(side.tokens.count('refused')).toBe(closed.length);
  });
});

describe('a refusal of the registry', () => {
  const refusing = (...answers: Handler[]): Script => ({ [list('app')]: answers, 'GET /v2/': reply(200) });

  it('is believed for five minutes', async () => {
    const { app, server, clock } = await scripted(refusing(reply(401, { 'www-authenticate': 'Basic realm="x"' })), {
      credentials: known(password),
    });
    for (let run = 0; run < 3; run++)
      await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(server.seen).toHaveLength(2);
    clock.advance(5 * 60_000);
    await expect(listAll(app.tags())).rejects.toMatchObject({ code: 'OCL_UNAUTHORIZED' });
    expect(server.seen.length).toBeGreaterThan(2);
  });

  it('of one call does not shut out those that are let in; two in a row do', async () => {
    const { app, server } = await scripted(refusing(tags, reply(401), tags, reply(401)));
    expect(await listAll(app.tags())).toEqual(['v1']);
    await expect(listAll(app.tags())).rejects.toThrow(/answered 401/);
    expect(await listAll(app.tags())).toEqual(['v1']);
    for (const words of [/answered 401/, /answered 401/, /a short while ago/])
      await expect(listAll(app.tags())).rejects.toThrow(words);
    expect(server.calls().filter((call) => call === list('app'))).toHaveLength(5);
  });

  it('is that of a login, and not held against another one', async () => {
    let token = 'old';
    const credentials: Credentials = { find: () => Promise.resolve({ kind: 'bearer', token }) };
    const { app, server, clock } = await scripted(refusing(tags, reply(401), reply(401), tags), { credentials });
    await listAll(app.tags());
    clock.advance(4 * 60_000);
    for (const words of [/answered 401/, /answered 401/, /a short while ago/])
      await expect(listAll(app.tags())).rejects.toThrow(words);
    token = 'new';
    clock.advance(60_000);
    expect(await listAll(app.tags())).toEqual(['v1']);
    expect(server.seen.at(-1)?.headers.authorization).toBe('Bearer new');
  });
});
