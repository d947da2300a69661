import { type Clock } from '../../core/clock.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { parseJson } from '../../core/json.ts';
import { printable } from '../../core/redact.ts';
import { type Gate } from '../../core/store.ts';
import { createGate } from '../../io/gate.ts';
import {
  discard,
  header,
  type Http,
  type HttpRequest,
  type HttpResponse,
  type TlsSettings,
} from '../../io/httpMessages.ts';
import { isRedirect, nextHop, withoutSecrets } from '../../io/redirect.ts';
import { RETRY, retrying, type RetryPolicy } from '../../io/retry.ts';
import { readBounded } from '../../io/verify.ts';
import { Auth, type Need } from './auth.ts';
import { type Credentials } from './credentials.ts';
import { failureOf, type AnswerError } from './errors.ts';
import { createExclusive } from './exclusive.ts';
import { DEFAULT_CONCURRENCY, endpointOf, type HostSettings } from './hosts.ts';
import { type RateLimit } from './rateLimit.ts';
import { RateLimits } from './rateLimits.ts';
import { createFetchToken } from './token.ts';
import { Turns } from './turns.ts';
import { Warnings } from './warnings.ts';

export interface ApiRequest {
  readonly method: string;
  /** A path below `/v2/`, or a URL that the registry gave. */
  readonly to: string | URL;
  readonly need: Need;
  /** Completes "Cannot …" in errors. */
  readonly action: string;
  /** The statuses that are handed back; all others are thrown. */
  readonly ok: readonly number[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: HttpRequest['body'];
  /** Whether a second one does no harm; GET, HEAD and DELETE are. */
  readonly repeatable?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer extends HttpResponse {
  /** Where it came from, after redirects. */
  readonly url: URL;
}

export interface ClientOptions {
  readonly registry: string;
  readonly settings: HostSettings;
  readonly http: Http;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly emit: Emit;
  readonly retry?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One registry host: its door, tokens, limits and manners are shared by all repositories there. */
export class RegistryClient {
  readonly registry: string;
  readonly base: URL;
  readonly settings: HostSettings;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  readonly turns: Turns;
  readonly #http: Http;
  readonly #tls: TlsSettings | undefined;
  readonly #auth: Auth;
  readonly #warnings: Warnings;
  /** Lets one task at a time work on what has no lock of its own at the registry, such as a tag that is read, changed and written. */
  readonly exclusively = createExclusive();
  readonly #rateLimits: RateLimits;

  constructor(options: ClientOptions) {
    const { registry, settings, http, clock, credentials, signal } = options;
    const { base, tls } = endpointOf(registry, settings);
    this.registry = registry;
    this.base = base;
    this.settings = settings;
    this.clock = clock;
    this.emit = options.emit;
    this.retry = options.retry ?? RETRY;
    this.signal = signal;
    this.gate = createGate(registry, settings.concurrency ?? DEFAULT_CONCURRENCY);
    this.#http = http;
    this.#tls = tls;
    const fetchToken = createFetchToken({ http, clock, tls, registryHost: base.host, retry: this.retry, signal });
    this.#auth = new Auth({ registry, base, clock, credentials, fetchToken });
    this.turns = new Turns({
      host: registry,
      clock,
      retry: this.retry,
      emit: options.emit,
      requestsPerSecond: settings.requestsPerSecond ?? 0,
    });
    this.#warnings = new Warnings(options.emit, registry);
    this.#rateLimits = new RateLimits(clock);
  }

  /** What is known of the registry's limits now. */
  get rateLimit(): RateLimit | undefined {
    return this.#rateLimits.current;
  }

  /**
   * One call of the API: with credentials, redirects and further tries as they are needed.
   * @throws AnswerError for statuses that are not `ok`; OCL_UNREACHABLE, OCL_UNSAFE, OCL_REGISTRY
   */
  async send(request: ApiRequest): Promise<Answer> {
    const repeatable = request.repeatable ?? ['GET', 'HEAD', 'DELETE'].includes(request.method);
    const signal = request.signal ?? this.signal;
    const turn = this.turns.turn();
    let answer: Answer | undefined;
    const once = async (): Promise<Answer> => (answer = await this.#attempt({ ...request, repeatable }));
    const attempt = (): Promise<Answer> => turn.run(request.action, once, signal);
    if (repeatable) await retrying(attempt, { clock: this.clock, policy: this.retry, signal, pauses: turn });
    else await attempt();
    if (answer === undefined) throw new OclError('OCL_INTERNAL', `Cannot ${request.action}: no try was made`);
    if (!request.ok.includes(answer.status)) throw await this.#failure(answer, request);
    refuseEncoding(answer, request);
    return answer;
  }

  /** The parsed JSON of an answer of bounded size. @throws OCL_LIMIT, OCL_REGISTRY */
  async readJson(answer: Answer, limit: number, what: string): Promise<unknown> {
    return parseJson(await readBounded(answer.body, limit, what), what);
  }

  async #attempt(request: ApiRequest): Promise<Answer> {
    const url = typeof request.to === 'string' ? new URL(`v2/${request.to}`, this.base) : request.to;
    const own = url.origin === this.base.origin;
    const refusal = own ? this.#auth.refusal(request.need) : undefined;
    if (refusal !== undefined) {
      throw new OclError(
        refusal.code,
        `Cannot ${request.action}: ${this.registry} refused the same right a short while ago`,
        { hint: refusal.hint, cause: refusal },
      );
    }
    const used = own ? await this.#auth.authorization(request.need) : undefined;
    let answer = await this.#follow(request, url, used);
    this.#observe(answer);
    if (answer.url.origin !== this.base.origin) return answer;
    if (answer.status !== 401) {
      if (answer.status < 400) this.#auth.accept(request.need);
      return answer;
    }
    const better = await this.#auth.answer(await this.#challenges(answer), request.need, used);
    if (better !== undefined) {
      await discard(answer);
      answer = await this.#follow(request, url, better);
      this.#observe(answer);
      if (answer.status < 400) this.#auth.accept(request.need);
    }
    return answer;
  }

  /** GCR leaves the challenge out of real calls; `/v2/` has it (spec oci.md 8.2). */
  async #challenges(answer: Answer): Promise<readonly string[]> {
    const values = answer.headers.get('www-authenticate');
    if (values !== undefined) return values;
    const ping = await this.#request({ method: 'GET', url: new URL('v2/', this.base), tls: this.#tls });
    await discard(ping);
    return ping.status === 401 ? (ping.headers.get('www-authenticate') ?? []) : [];
  }

  async #follow(request: ApiRequest, start: URL, authorization: string | undefined): Promise<Answer> {
    const { method, body, signal } = request;
    const trail = [start];
    let own = start.origin === this.base.origin;
    for (;;) {
      const url = trail.at(-1) ?? start;
      const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
      const response = await this.#request({
        method,
        url,
        body,
        signal,
        headers: own ? headers : withoutSecrets(headers),
        tls: url.origin === this.base.origin ? this.#tls : undefined,
        repeatable: request.repeatable,
      });
      if (!isRedirect(response.status, method) || request.ok.includes(response.status)) return { ...response, url };
      const hop = nextHop(trail, header(response.headers, 'location'));
      await discard(response);
      if (!hop.sameOrigin && method !== 'GET' && method !== 'HEAD') {
        throw new OclError(
          'OCL_UNSAFE',
          `Cannot ${request.action}: ${this.registry} sends the content on to ${hop.url.origin}`,
        );
      }
      own &&= hop.sameOrigin;
      trail.push(hop.url);
    }
  }

  async #request(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.#http.request({ ...request, signal: request.signal ?? this.signal });
    if (request.url.origin === this.base.origin) this.#rateLimits.observe(response);
    return response;
  }

  async #failure(answer: Answer, request: ApiRequest): Promise<AnswerError> {
    const error = await failureOf(answer, request.action, this.registry);
    if (error.status === 401 && answer.url.origin === this.base.origin) this.#auth.refuse(request.need, error);
    return error;
  }

  #observe(answer: Answer): void {
    this.#warnings.read(answer.headers);
  }
}

function refuseEncoding(answer: Answer, request: ApiRequest): void {
  const encoding = header(answer.headers, 'content-encoding');
  if (encoding === undefined || encoding === '' || encoding.toLowerCase() === 'identity' || request.method === 'HEAD')
    return;
  answer.body.destroy();
  throw new OclError(
    'OCL_REGISTRY',
    `Cannot ${request.action}: the answer is encoded as ${JSON.stringify(printable(encoding.slice(0, 50)))}, which was not asked for`,
  );
}
