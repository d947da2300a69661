import { type Clock } from '../../core/clock.ts';
import { OclError } from '../../core/errors.ts';
import { isObject, parseJson } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { discard, type Http, type HttpResponse, type TlsSettings } from '../../io/httpMessages.ts';
import { retrying, type RetryPolicy } from '../../io/retry.ts';
import { readBounded } from '../../io/verify.ts';
import { type Credential } from './credentials.ts';
import { failureOf } from './errors.ts';

export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch: from here on a new one is fetched. */
  readonly renewAt: number;
}

export interface TokenRequest {
  readonly registry: string;
  /** Checked by `checkRealm`. */
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
}

/** @throws OCL_UNAUTHORIZED, OCL_DENIED, OCL_REGISTRY, OCL_UNREACHABLE */
export type FetchToken = (request: TokenRequest) => Promise<Token>;

export interface TokenOptions {
  readonly http: Http;
  readonly clock: Clock;
  /** Of the registry's own host; other hosts are met as strangers. */
  readonly tls: TlsSettings | undefined;
  readonly registryHost: string;
  readonly retry?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

const CLIENT = 'ocl';
/** Seconds that a token lives when its server does not say, and at least (Docker token specification). */
const SHORTEST_LIFE = 60;
/** The part of its life that a token is used for. */
const USED_PART = 0.8;

/** Token servers: GET with Basic or without (Docker token specification), POST for identity tokens (OAuth2). Redirects are not followed (spec oci.md C1). */
export function createFetchToken(options: TokenOptions): FetchToken {
  return async (request) => {
    const { credential } = request;
    if (credential?.kind === 'identity') {
      const response = await send(request, 'POST', credential);
      if (response.status !== 404 && response.status !== 405) return read(response, request);
      await discard(response);
    }
    return read(await send(request, 'GET', credential), request);
  };

  function send(
    request: TokenRequest,
    method: 'GET' | 'POST',
    credential: Credential | undefined,
  ): Promise<HttpResponse> {
    const { realm, service, scopes } = request;
    const tls = realm.host === options.registryHost ? options.tls : undefined;
    const common = { method, tls, signal: options.signal, repeatable: true };
    if (method === 'POST' && credential?.kind === 'identity') {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: CLIENT,
        refresh_token: credential.token,
      });
      if (service !== undefined) form.set('service', service);
      if (scopes.length > 0) form.set('scope', scopes.join(' '));
      const body = Buffer.from(form.toString(), 'utf8');
      const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' };
      return retrying(() => options.http.request({ ...common, url: realm, headers, body }), {
        ...options,
        policy: options.retry,
      });
    }
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    url.searchParams.set('client_id', CLIENT);
    const login = loginOf(credential);
    if (login?.username !== undefined && credential?.kind === 'password')
      url.searchParams.set('account', login.username);
    const headers = {
      accept: 'application/json',
      ...(login === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${login.username}:${login.password}`, 'utf8').toString('base64')}` }),
    };
    return retrying(() => options.http.request({ ...common, url, headers }), { ...options, policy: options.retry });
  }

  async function read(response: HttpResponse, { registry, realm }: TokenRequest): Promise<Token> {
    const action = `log in to ${registry} at ${realm.origin}`;
    if (response.status >= 300 && response.status < 400) {
      await discard(response);
      throw new OclError(
        'OCL_UNSAFE',
        `Cannot ${action}: the token server answers with a redirect, and credentials do not follow those`,
      );
    }
    if (response.status !== 200) throw await failureOf(response, action, registry);
    const value = parseJson(
      await readBounded(response.body, LIMITS.tokenBody, `the token of ${realm.origin}`),
      `the token of ${realm.origin}`,
    );
    return readToken(value, action, options.clock.now());
  }
}

function loginOf(credential: Credential | undefined): { username: string; password: string } | undefined {
  if (credential === undefined || credential.kind === 'bearer') return undefined;
  if (credential.kind === 'password') return credential;
  return { username: credential.username ?? '<token>', password: credential.token };
}

function readToken(value: unknown, action: string, now: number): Token {
  const members = isObject(value) ? value : {};
  const token = [members['token'], members['access_token']].find((text) => typeof text === 'string' && text !== '');
  if (typeof token !== 'string') throw new OclError('OCL_REGISTRY', `Cannot ${action}: the answer holds no token`);
  // What goes into a header must not be able to end it.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new OclError('OCL_REGISTRY', `Cannot ${action}: the token holds characters that no token has`);
  const seconds =
    typeof members['expires_in'] === 'number' && members['expires_in'] > SHORTEST_LIFE
      ? members['expires_in']
      : SHORTEST_LIFE;
  return { value: token, renewAt: now + seconds * 1000 * USED_PART };
}
