import { type Credential, type Credentials } from '../../../../src/stores/registry/auth/credentials.ts';
import { type HostSettings } from '../../../../src/stores/registry/hosts.ts';
import { type RegistryStore } from '../../../../src/stores/registry/repository.ts';
import { fakeClock, type FakeClock } from '../../../support/fakeClock.ts';
import { reply, replyJson, type Handler, type ScriptedServer } from '../../../support/scriptedServer.ts';
import { startTokenServer, type TokenServer, type TokenServerOptions } from '../../../support/tokenServer.ts';
import { connectTo, repository, serve } from '../harness.ts';

const servers: TokenServer[] = [];

/** To be called after each test. */
export async function closeTokenServers(): Promise<void> {
  for (const server of servers.splice(0)) await server.close();
}

export const tags = replyJson(200, { name: 'app', tags: ['v1'] });

export function known(credential: Credential | undefined): Credentials & { asked: string[] } {
  const asked: string[] = [];
  return { asked, find: (registry, name) => (asked.push(`${registry}/${name}`), Promise.resolve(credential)) };
}

export const password: Credential = { kind: 'password', username: 'me', password: 'söcret:x' };
const accounts = { me: 'söcret:x' };

export function basicOf(text: string): string {
  return `Basic ${Buffer.from(text, 'utf8').toString('base64')}`;
}

export function bearerTo(path = '/token'): string {
  return `Bearer realm="${path}",service="test",scope="repository:app:pull"`;
}

/** Answers 401 with a challenge until the right value comes. */
export function guarded(
  challenge: string | string[] | undefined,
  allowed: (authorization: string) => boolean,
  then: Handler,
): Handler {
  return (response, request) => {
    if (allowed(request.headers.authorization ?? '')) return then(response, request);
    return reply(401, challenge === undefined ? {} : { 'www-authenticate': challenge })(response, request);
  };
}

export interface Guarded {
  readonly clock: FakeClock;
  readonly tokens: TokenServer;
  readonly server: ScriptedServer;
  readonly at: (name: string) => RegistryStore;
}

export type Script = Readonly<Record<string, Handler | readonly Handler[]>>;

/** A registry behind a token server. */
export async function behindTokens(
  options: Omit<Partial<TokenServerOptions>, 'clock'>,
  script: (tokens: TokenServer) => Script,
  credentials: Credentials = known(undefined),
  settings: HostSettings = {},
): Promise<Guarded> {
  const clock = fakeClock();
  const tokens = await startTokenServer({ accounts, ...options, clock });
  servers.push(tokens);
  const server = await serve(script(tokens));
  const side = connectTo({ clock, credentials, hosts: new Map([[server.host, settings]]) });
  return { clock, tokens, server, at: (name) => repository(side, server.host, name) };
}

export const pull = (name: string): string => `repository:${name}:pull`;
export const list = (name: string): string => `GET /v2/${name}/tags/list`;
/** Lists of tags, each behind a token for its own repository. */
export const lists =
  (...names: string[]) =>
  (tokens: TokenServer): Script =>
    Object.fromEntries(names.map((name) => [list(name), tokens.guard(pull(name), tags)]));
