import { type FakeClock } from './fakeClock.ts';
import { reply, replyJson, startScriptedServer, type Handler, type Seen } from './scriptedServer.ts';

export interface TokenServerOptions {
  /** Of what `expires_in` and `issued_at` tell, and of when a token ends. */
  readonly clock: Pick<FakeClock, 'now'>;
  /** Passwords by account. */
  readonly accounts?: Readonly<Record<string, string>> | undefined;
  /** What `grant_type=refresh_token` takes. */
  readonly refreshTokens?: readonly string[] | undefined;
  /** What `/exchange` takes, and the refresh token that it gives for it, as ACR does. */
  readonly exchange?: Readonly<Record<string, string>> | undefined;
  /** Answers to the method that the server does not have: 404 or 405. Absent: it has both. */
  readonly without?: { readonly method: 'GET' | 'POST'; readonly status: 404 | 405 } | undefined;
  /** Whether those without a login get tokens; they do if not said otherwise. */
  readonly anonymous?: boolean | undefined;
  /** Seconds that a token lives. */
  readonly life?: number | undefined;
  /** Whether `expires_in` is told. */
  readonly tellLife?: boolean | undefined;
  /** Seconds since the token was made, for servers that hand one out several times. Absent: `issued_at` is not told. */
  readonly age?: number | undefined;
  /** The member that the token stands in. */
  readonly member?: 'token' | 'access_token' | undefined;
  /** Status for a scope that is not given. Absent: each is given. */
  readonly refuse?: ((scope: string, account: string | undefined) => number | undefined) | undefined;
  readonly service?: string | undefined;
  /** Makes the token, for registries that read it; times are milliseconds since the epoch. Absent: it is any text. */
  readonly mint?: ((scopes: readonly string[], issued: number, until: number) => string) | undefined;
}

/** One request to the token server, as it was understood. */
export interface TokenAsked {
  readonly method: string;
  readonly path: string;
  /** `basic` and `none` for GET; the grant for POST. */
  readonly grant: string;
  /** Who was let in. */
  readonly account: string | undefined;
  /** Each parameter `scope` as it came. */
  readonly scopes: readonly string[];
  readonly service: string | null;
  readonly status: number;
  readonly seen: Seen;
}

export interface TokenServer {
  readonly host: string;
  readonly realm: string;
  /** In the order in which they came. */
  readonly asked: readonly TokenAsked[];
  /** Those that were answered by a token, or by none. */
  count(which: 'given' | 'refused'): number;
  /** Whether a request carries a token of this server that still lives and has the scope. */
  admits(authorization: string | undefined, scope?: string): boolean;
  /** The handler behind a token that has the scope; without one there is a 401 with the challenge. */
  guard(scope: string, then: Handler, challenge?: string): Handler;
  challenge(scope?: string): string;
  /** No token that was given so far is taken any more. */
  revoke(): void;
  close(): Promise<void>;
}

/** A token server (Docker's token specification by GET, OAuth2 by POST, ACR's exchange) that remembers what it was asked. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { clock, life = 300, member = 'token', service = 'test' } = options;
  const asked: TokenAsked[] = [];
  const tokens = new Map<string, { scopes: readonly string[]; until: number }>();
  let made = 0;

  const handle: Handler = (response, request) => {
    const url = new URL(request.path, 'http://x');
    const params = request.method === 'POST' ? new URLSearchParams(request.body.toString()) : url.searchParams;
    const exchanging = url.pathname.endsWith('/exchange');
    const login = loginOf(request, params, options);
    const scopes = params.getAll('scope').flatMap((scope) => (request.method === 'POST' ? scope.split(' ') : [scope]));
    const status = statusOf(request.method, login, scopes);
    const exchanged = options.exchange?.[params.get('access_token') ?? ''];
    const answer = exchanging ? (exchanged === undefined ? 401 : 200) : status;
    const known = login === 'refused' ? undefined : login;
    asked.push({
      method: request.method,
      path: url.pathname,
      grant: known?.grant ?? params.get('grant_type') ?? 'none',
      account: known?.account,
      scopes: params.getAll('scope'),
      service: params.get('service'),
      status: answer,
      seen: request,
    });
    if (answer !== 200) return replyJson(answer, { details: 'refused by the token server' })(response, request);
    if (exchanging) return replyJson(200, { refresh_token: exchanged })(response, request);
    return replyJson(200, give(scopes))(response, request);
  };

  function statusOf(method: string, login: Login, scopes: readonly string[]): number {
    if (options.without?.method === method) return options.without.status;
    if (login === 'refused' || (login.account === undefined && options.anonymous === false)) return 401;
    return scopes.map((scope) => options.refuse?.(scope, login.account)).find((status) => status !== undefined) ?? 200;
  }

  function give(scopes: readonly string[]): Record<string, unknown> {
    const issued = clock.now() - (options.age ?? 0) * 1000;
    const until = issued + life * 1000;
    const value = options.mint?.(scopes, issued, until) ?? `t${++made}`;
    tokens.set(value, { scopes, until });
    return {
      [member]: value,
      ...(options.tellLife === false ? {} : { expires_in: life }),
      ...(options.age === undefined ? {} : { issued_at: new Date(issued).toISOString() }),
    };
  }

  const server = await startScriptedServer({
    'GET /token': handle,
    'POST /token': handle,
    'POST /oauth2/token': handle,
    'GET /oauth2/token': handle,
    'POST /oauth2/exchange': handle,
  });
  const realm = `${server.url}${options.exchange === undefined ? '/token' : '/oauth2/token'}`;

  function admits(authorization: string | undefined, scope?: string): boolean {
    const token = tokens.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
    if (token === undefined || clock.now() >= token.until) return false;
    return scope === undefined || token.scopes.some((given) => covers(given, scope));
  }

  function challenge(scope?: string): string {
    return `Bearer realm="${realm}",service="${service}"${scope === undefined ? '' : `,scope="${scope}"`}`;
  }

  return {
    host: server.host,
    realm,
    asked,
    count: (which) => asked.filter(({ status }) => (status === 200) === (which === 'given')).length,
    admits,
    challenge,
    guard:
      (scope, then, said = challenge(scope)) =>
      (response, request) =>
        admits(request.headers.authorization, scope)
          ? then(response, request)
          : reply(401, { 'www-authenticate': said })(response, request),
    revoke: () => tokens.clear(),
    close: () => server.close(),
  };
}

type Login = 'refused' | { readonly grant: string; readonly account: string | undefined };

function loginOf(request: Seen, params: URLSearchParams, options: TokenServerOptions): Login {
  if (request.method === 'GET') {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (basic === undefined) return { grant: 'none', account: undefined };
    const [account = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return options.accounts?.[account] === rest.join(':') ? { grant: 'basic', account } : 'refused';
  }
  const grant = params.get('grant_type') ?? '';
  const account = params.get('username') ?? '';
  if (grant === 'password')
    return options.accounts?.[account] === params.get('password') ? { grant, account } : 'refused';
  const refresh = params.get('refresh_token') ?? '';
  return grant === 'refresh_token' && options.refreshTokens?.includes(refresh) === true
    ? { grant, account: refresh }
    : 'refused';
}

/** Whether `repository:a:pull,push` covers `repository:a:pull`. */
function covers(given: string, wanted: string): boolean {
  const split = (scope: string): [string, string[]] => {
    const at = scope.lastIndexOf(':');
    return [scope.slice(0, at), scope.slice(at + 1).split(',')];
  };
  const [givenFor, actions] = split(given);
  const [wantedFor, needed] = split(wanted);
  return givenFor === wantedFor && needed.every((action) => actions.includes(action));
}
