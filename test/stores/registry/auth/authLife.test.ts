import { afterEach, describe, expect, it } from 'vitest';
import { describe as describeBytes } from '../../../../src/io/verify.ts';
import { wantedScopes } from '../../../../src/stores/registry/auth/scopes.ts';
import { readToken } from '../../../../src/stores/registry/auth/tokenAnswer.ts';
import { reply, type Handler } from '../../../support/scriptedServer.ts';
import { behindTokens, closeTokenServers, list, lists, pull, tags } from './authHarness.ts';
import { cleanUp, listAll, openBytes } from '../harness.ts';

afterEach(async () => {
  await cleanUp();
  await closeTokenServers();
});

describe('the life of a token', () => {
  const now = Date.UTC(2026, 0, 1);
  const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();
  it.each<[string, unknown, number, number]>([
    ['as told', { expires_in: 300 }, 240, 150],
    ['not told', {}, 48, 30],
    ['nonsense', { expires_in: -5 }, 48, 30],
    ['a text', { expires_in: '300' }, 48, 30],
    ['short', { expires_in: 10 }, 5, 5],
    ['of years', { expires_in: 1e12 }, 0.8 * 30 * 86_400, 15 * 86_400],
    ['in part over', { expires_in: 300, issued_at: at(-100) }, 140, 100],
    ['over, by clocks that differ', { expires_in: 300, issued_at: at(-9999) }, 90, 75],
    ['of the future', { expires_in: 300, issued_at: at(500) }, 240, 150],
    ['of no time at all', { expires_in: 300, issued_at: 'yesterday' }, 240, 150],
  ])('%s', (_name, members, renew, renewForStream) => {
    const token = readToken({ token: 't', ...(members as object) }, 'x', now);
    expect((token.renewAt - now) / 1000).toBeCloseTo(renew, 3);
    expect((token.renewForStreamAt - now) / 1000).toBeCloseTo(renewForStream, 3);
  });

  it('never ends a run of hours: no request is refused for it', async () => {
    const { clock, tokens, server, at: repo } = await behindTokens({ life: 60, age: 20 }, lists('app'));
    for (let minute = 0; minute < 240; minute++) {
      expect(await listAll(repo('app').tags())).toEqual(['v1']);
      clock.advance(15_000);
    }
    expect(server.seen).toHaveLength(241);
    expect(tokens.count('refused')).toBe(0);
  });

  it('is held to a fresh one before a body flows', async () => {
    const bytes = Buffer.alloc(1 << 20, 7);
    const blob = describeBytes(bytes, 'a/b');
    const scope = 'repository:app:pull,push';
    let opened = 0;
    const {
      clock,
      tokens,
      at: repo,
    } = await behindTokens({ life: 300 }, (made) => ({
      'POST /v2/app/blobs/uploads/': made.guard(scope, (response, request) => {
        // Time passes between the beginning of an upload and its body.
        clock.advance(200_000);
        return reply(202, { location: '/up' })(response, request);
      }),
      'PUT /up': made.guard(scope, reply(201)),
    }));
    await repo('app').put(blob, () => (opened++, openBytes(bytes)()));
    expect(opened).toBe(1);
    expect(tokens.count('given')).toBe(2);
  });

  it.each<[string, Handler, (app: Awaited<ReturnType<typeof behindTokens>>) => Promise<unknown>]>([
    ['GET', tags, ({ at: repo }) => listAll(repo('app').tags())],
    [
      'HEAD',
      reply(200, { 'content-length': '2' }),
      ({ at: repo }) => repo('app').has(describeBytes(Buffer.from('{}'), 'a/b')),
    ],
  ])('that ends early is answered once with a new one: %s', async (_name, then, ask) => {
    const digest = describeBytes(Buffer.from('{}'), 'a/b').digest;
    const side = await behindTokens({}, (made) => ({
      [list('app')]: made.guard(pull('app'), then),
      [`HEAD /v2/app/blobs/${digest}`]: made.guard(pull('app'), then),
    }));
    await ask(side);
    side.tokens.revoke();
    await ask(side);
    expect(side.tokens.count('given')).toBe(2);
    expect(side.server.seen).toHaveLength(4);
  });

  it.each([
    ['whole', undefined],
    ['in chunks', 512 << 10],
  ])('that ends in the middle of an upload, %s, costs one more request and no byte', async (_name, chunkBytes) => {
    const bytes = Buffer.alloc(1 << 20, 7);
    const blob = describeBytes(bytes, 'a/b');
    const scope = 'repository:app:pull,push';
    const got: Buffer[] = [];
    let revoked = 0;
    const script = (made: Awaited<ReturnType<typeof behindTokens>>['tokens']) => {
      const revokedOnce: (then: Handler) => Handler = (then) => (response, request) => {
        if (++revoked === 2) made.revoke();
        return made.guard(scope, then)(response, request);
      };
      return {
        'POST /v2/app/blobs/uploads/': made.guard(scope, reply(202, { location: '/up' })),
        'PATCH /up': revokedOnce((response, request) => {
          got.push(request.body);
          return reply(202, { location: '/up', range: `0-${Buffer.concat(got).length - 1}` })(response, request);
        }),
        'PUT /up': revokedOnce((response, request) => {
          got.push(request.body);
          return reply(201)(response, request);
        }),
      };
    };
    revoked = chunkBytes === undefined ? 1 : 0;
    const settings = chunkBytes === undefined ? {} : { chunkBytes, monolithicBytes: 1 };
    const side = await behindTokens({}, script, undefined, settings);
    await side.at('app').put(blob, openBytes(bytes));
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
    expect(side.tokens.count('given')).toBe(2);
    expect(side.server.calls().filter((call) => !call.startsWith('POST'))).toHaveLength(
      chunkBytes === undefined ? 2 : 4,
    );
  });
});

describe('the scopes of a token', () => {
  const app = pull('app');
  it.each<[string, string[], string[], string[]]>([
    ['are those of the request', [app], [], [app]],
    ['are those of the request, once', [app], [app], [app]],
    ['are those of the challenge where none is needed', [], ['registry:catalog:read'], ['registry:catalog:read']],
    ['are the actions of both', [app], ['repository:app:metadata_read'], ['repository:app:pull,metadata_read']],
    ['never write where the request does not', [app], ['repository:app:pull,push,delete,*'], [app]],
    ['never delete for a push', ['repository:app:pull,push'], ['repository:app:delete'], ['repository:app:pull,push']],
    ['name the repository as the registry does', [app], [pull('group/project/app')], [pull('group/project/app')]],
    [
      'write there, when the request does',
      ['repository:app:pull,push'],
      ['repository:group/app:pull,push'],
      ['repository:group/app:pull,push'],
    ],
    [
      'keep both ends of a mount',
      ['repository:app:pull,push', pull('other')],
      ['repository:app:push,pull'],
      ['repository:app:pull,push', pull('other')],
    ],
    ['may hold a port', [app], [pull('host:5000/app')], [pull('host:5000/app')]],
    [
      'leave nonsense out',
      [app],
      ['', ':', 'x', 'a:b:', 'repository:x y:pull', `repository:${'x'.repeat(500)}:pull`],
      [app],
    ],
    ['are few', [], Array.from({ length: 50 }, (_, n) => pull(`r${n}`)), [0, 1, 2, 3].map((n) => pull(`r${n}`))],
  ])('%s', (_name, own, challenged, expected) => expect(wantedScopes(own, challenged)).toEqual(expected));

  it('come from the challenge over the wire, and stay for the renewal', async () => {
    const { clock, tokens, server, at } = await behindTokens({ life: 100 }, (made) => ({
      [list('app')]: made.guard(pull('group/app'), tags),
    }));
    await listAll(at('app').tags());
    clock.advance(90_000);
    await listAll(at('app').tags());
    expect(tokens.asked.map(({ scopes }) => scopes)).toEqual([[pull('group/app')], [pull('group/app')]]);
    expect(server.seen).toHaveLength(3);
  });
});
