import { type Clock } from '../../../core/clock.ts';
import { OclError } from '../../../core/errors.ts';
import { parseJson } from '../../../core/json.ts';
import { LIMITS } from '../../../core/limits.ts';
import { isInternal } from '../../../io/addresses.ts';
import { discard, type Http, type HttpResponse } from '../../../io/httpMessages.ts';
import { retrying, type RetryPolicy } from '../../../io/retry.ts';
import { readBounded } from '../../../io/verify.ts';
import { ACR_TOKEN_USER, exchangeForm, isAccessToken } from './acr.ts';
import { type Credential } from './credentials.ts';
import { AnswerError, failureOf } from '../errors.ts';
import { basic } from './login.ts';
import { quirksOf } from '../quirks.ts';
import { readSecret, readToken, type Token } from './tokenAnswer.ts';
import { type Trust } from '../trust.ts';

export interface TokenRequest {
  readonly registry: string;
  /** Checked by `Realms`. */
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
}

/** @throws OCL_UNAUTHORIZED, OCL_DENIED, OCL_REGISTRY, OCL_UNREACHABLE, OCL_UNSAFE */
export type FetchToken = (request: TokenRequest) => Promise<Token>;

export interface TokenOptions {
  readonly http: Http;
  readonly clock: Clock;
  readonly trust: Pick<Trust, 'tlsFor'>;
  /** Where the registry itself is reached. */
  readonly base: URL;
  readonly retry?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Form = Readonly<Record<string, string>>;

const CLIENT = 'ocl';

/**
 * Token servers: GET with Basic or without (Docker token specification), and OAuth2's POST for refresh tokens and where GET is not known.
 * A GET names each scope in a parameter of its own; a form has them in one, since OAuth2 forbids two of a name (RFC 6749, 3.2).
 * Redirects are not followed (spec oci.md C1).
 */
export function createFetchToken(options: TokenOptions): FetchToken {
  /** Realms that know no GET. */
  const formOnly = new Set<string>();
  /** Refresh tokens that ACR gave for access tokens. */
  const exchanged = new Map<string, string>();

  return async (request) => {
    const { credential, realm } = request;
    const refresh = refreshTokenOf(credential);
    if (refresh !== undefined) {
      const response = await byRefreshToken(request, refresh);
      if (!lacksMethod(response)) return read(response, request);
      await discard(response);
    }
    const form = passwordForm(credential);
    if (form !== undefined && formOnly.has(realm.href))
      return read(await post(request, scoped(request, form)), request);
    const response = await get(request);
    if (form === undefined || !lacksMethod(response)) return read(response, request);
    await discard(response);
    const token = await read(await post(request, scoped(request, form)), request);
    formOnly.add(realm.href);
    return token;
  };

  /** ACR takes an access token as well, but only in exchange for a refresh token (spec oci.md 8.2). */
  async function byRefreshToken(request: TokenRequest, secret: string): Promise<HttpResponse> {
    const form = (token: string): Form => scoped(request, { grant_type: 'refresh_token', refresh_token: token });
    const response = await post(request, form(exchanged.get(secret) ?? secret));
    const exchangeable = request.credential?.kind === 'password' && isAccessToken(secret);
    if (!exchangeable || ![400, 401, 403].includes(response.status)) return response;
    await discard(response);
    exchanged.delete(secret);
    const where = new URL('/oauth2/exchange', request.realm);
    const answer = await post({ ...request, realm: where }, exchangeForm(secret, request.service ?? where.host));
    if (answer.status !== 200) return answer;
    const better = readSecret(await readAnswer(answer, request), ['refresh_token'], actionOf(request));
    exchanged.set(secret, better);
    return post(request, form(better));
  }

  function get(request: TokenRequest): Promise<HttpResponse> {
    const { realm, service, scopes, credential } = request;
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    url.searchParams.set('client_id', CLIENT);
    if (credential?.kind === 'password') url.searchParams.set('account', credential.username);
    const authorization = basicOf(credential);
    return send('GET', url, authorization === undefined ? {} : { authorization });
  }

  function post(request: TokenRequest, form: Form): Promise<HttpResponse> {
    const body = Buffer.from(new URLSearchParams(form).toString(), 'utf8');
    return send('POST', request.realm, { 'content-type': 'application/x-www-form-urlencoded' }, body);
  }

  function send(method: string, url: URL, headers: Form, body?: Uint8Array): Promise<HttpResponse> {
    const { base, http, trust, retry, signal } = options;
    const ask = (): Promise<HttpResponse> =>
      http.request({
        method,
        url,
        body,
        headers: { accept: 'application/json', ...headers },
        tls: trust.tlsFor(url),
        signal,
        repeatable: true,
        publicOnly: url.hostname !== base.hostname && !isInternal(base.hostname),
        askedBy: base,
      });
    return retrying(ask, { ...options, policy: retry });
  }

  async function read(response: HttpResponse, request: TokenRequest): Promise<Token> {
    return readToken(await readAnswer(response, request), actionOf(request), options.clock.now());
  }
}

async function readAnswer(response: HttpResponse, request: TokenRequest): Promise<unknown> {
  const { realm } = request;
  const action = actionOf(request);
  if (response.status >= 300 && response.status < 400) {
    await discard(response);
    throw new OclError(
      'OCL_UNSAFE',
      `Cannot ${action}: the token server answers with a redirect, and credentials do not follow those`,
    );
  }
  if (response.status !== 200) throw await refusalOf(response, request);
  const what = `the token of ${realm.origin}`;
  return parseJson(await readBounded(response.body, LIMITS.tokenBody, what), what);
}

/** What a token server says instead of a token. OAuth2 refuses a grant with 400 (RFC 6749, 5.2). */
async function refusalOf(response: HttpResponse, request: TokenRequest): Promise<AnswerError> {
  const { registry } = request;
  const about = { action: actionOf(request), method: 'GET', host: registry, quirks: quirksOf(registry) };
  const error = await failureOf(response, about);
  if (error.status !== 400 || !/"error"\s*:\s*"invalid_(?:grant|client)"/.test(error.message)) return error;
  return new AnswerError('OCL_UNAUTHORIZED', error.message, { status: 400, codes: error.codes });
}

function actionOf({ registry, realm }: TokenRequest): string {
  return `log in to ${registry} at ${realm.origin}`;
}

/** The answers of servers that know only the other method (spec oci.md 8.3, rule 2). */
function lacksMethod(response: HttpResponse): boolean {
  return response.status === 404 || response.status === 405;
}

function scoped({ service, scopes }: TokenRequest, form: Form): Form {
  return {
    client_id: CLIENT,
    ...form,
    ...(service === undefined ? {} : { service }),
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
  };
}

function refreshTokenOf(credential: Credential | undefined): string | undefined {
  if (credential?.kind === 'identity') return credential.token;
  return credential?.kind === 'password' && credential.username === ACR_TOKEN_USER ? credential.password : undefined;
}

function passwordForm(credential: Credential | undefined): Form | undefined {
  if (credential?.kind !== 'password') return undefined;
  return { grant_type: 'password', username: credential.username, password: credential.password };
}

function basicOf(credential: Credential | undefined): string | undefined {
  if (credential === undefined || credential.kind === 'bearer') return undefined;
  if (credential.kind === 'password') return basic(credential.username, credential.password, credential.charset);
  return basic(credential.username ?? '<token>', credential.token);
}
