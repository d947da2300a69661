import { type Clock } from '../../core/clock.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { parseJson } from '../../core/json.ts';
import { printable } from '../../core/redact.ts';
import { type Gate } from '../../core/store.ts';
import { isInternal } from '../../io/addresses.ts';
import { createGate } from '../../io/gate.ts';
import { discard, header, type Http, type HttpRequest, type HttpResponse } from '../../io/httpMessages.ts';
import { isRedirect, nextHop, withoutSecrets } from '../../io/redirect.ts';
import { RETRY, retrying, type RetryPolicy } from '../../io/retry.ts';
import { readBounded } from '../../io/verify.ts';
import { type Answer } from './answer.ts';
import { Auth, type Need } from './auth/auth.ts';
import { type Hosts } from './certs.ts';
import { type Credentials } from './auth/credentials.ts';
import { failureOf, isAnswer, type AnswerError } from './errors.ts';
import { createExclusive } from './exclusive.ts';
import { DEFAULT_CONCURRENCY, endpointOf, type HostSettings } from './hosts.ts';
import { Learned } from './learned.ts';
import { type RateLimit } from './rateLimit.ts';
import { RateLimits } from './rateLimits.ts';
import { createFetchToken } from './auth/token.ts';
import { Trust } from './trust.ts';
import { Turns } from './turns.ts';
import { isNamedForUploads } from './transfer/uploadHost.ts';
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
  /** A blob goes one way or the other: see HttpRequest. */
  readonly content?: boolean | undefined;
  /** Whether a second one does no harm; GET, HEAD and DELETE are. */
  readonly repeatable?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientOptions {
  readonly registry: string;
  readonly settings: HostSettings;
  /** The settings of others, to which the registry may lead. */
  readonly hosts?: Hosts | undefined;
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
  readonly #trust: Trust;
  readonly #auth: Auth;
  readonly #warnings: Warnings;
  /** Lets one task at a time work on what has no lock of its own at the registry, such as a tag that is read, changed and written. */
  readonly exclusively = createExclusive();
  /** What its answers have told so far: habits, and who has which blob. */
  readonly learned: Learned;
  readonly #rateLimits: RateLimits;

  constructor(options: ClientOptions) {
    const { registry, settings, http, clock, credentials, signal } = options;
    const { base } = endpointOf(registry, settings);
    const trust = new Trust(registry, settings, options.hosts);
    this.registry = registry;
    this.base = base;
    this.settings = settings;
    this.clock = clock;
    this.emit = options.emit;
    this.retry = options.retry ?? RETRY;
    this.signal = signal;
    this.gate = createGate(registry, settings.concurrency ?? DEFAULT_CONCURRENCY);
    this.#http = http;
    this.#trust = trust;
    const fetchToken = createFetchToken({ http, clock, trust, base, retry: this.retry, signal });
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
    this.learned = new Learned(settings.hostname ?? registry, clock);
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
    let failure: AnswerError | undefined;
    const once = async (): Promise<Answer> => {
      answer = await this.#attempt({ ...request, repeatable });
      failure = answer.status === 500 ? await this.#failure(answer, request) : undefined;
      if (failure !== undefined && isAnswer(failure)) throw failure;
      return answer;
    };
    const attempt = (): Promise<Answer> => turn.run(request.action, once, signal);
    if (repeatable) await retrying(attempt, { clock: this.clock, policy: this.retry, signal, pauses: turn });
    else await attempt();
    if (answer === undefined) throw new OclError('OCL_INTERNAL', `Cannot ${request.action}: no try was made`);
    if (!request.ok.includes(answer.status)) throw failure ?? (await this.#failure(answer, request));
    refuseEncoding(answer, request);
    return answer;
  }

  /** The parsed JSON of an answer of bounded size. @throws OCL_LIMIT, OCL_REGISTRY */
  async readJson(answer: Answer, limit: number, what: string): Promise<unknown> {
    return parseJson(await readBounded(answer.body, limit, what), what);
  }

  #attempt(request: ApiRequest): Promise<Answer> {
    const url = typeof request.to === 'string' ? new URL(`v2/${request.to}`, this.base) : request.to;
    const send = async (authorization: string | undefined): Promise<Answer> => {
      const answer = await this.#follow(request, url, authorization);
      this.#warnings.read(answer.headers);
      return answer;
    };
    if (url.origin !== this.base.origin) return send(undefined);
    const { need, action, body } = request;
    return this.#auth.send({
      need,
      action,
      streams: body !== undefined && !(body instanceof Uint8Array),
      send,
      failure: (answer) => this.#read(answer, request),
      ping: () => this.#ping(),
    });
  }

  /** The challenges of `/v2/`. */
  async #ping(): Promise<readonly string[]> {
    const url = new URL('v2/', this.base);
    const answer = await this.#request({ method: 'GET', url, tls: this.#trust.tlsFor(url) });
    await discard(answer);
    return answer.status === 401 ? (answer.headers.get('www-authenticate') ?? []) : [];
  }

  async #follow(request: ApiRequest, start: URL, authorization: string | undefined): Promise<Answer> {
    const { method, body, signal, content } = request;
    const trail = [start];
    let own = start.origin === this.base.origin;
    // An upload that goes on elsewhere: a name of the registry's domain may lead inside all the same.
    const publicOnly = !own && !isInternal(this.base.hostname) && !isNamedForUploads(start, this.settings);
    for (;;) {
      const url = trail.at(-1) ?? start;
      const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
      const response = await this.#request({
        method,
        url,
        body,
        signal,
        headers: own ? headers : withoutSecrets(headers),
        tls: this.#trust.tlsFor(url),
        repeatable: request.repeatable,
        content,
        publicOnly,
        askedBy: this.base,
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
    if (request.url.origin === this.base.origin) {
      this.#rateLimits.observe(response);
      this.learned.observe(response.headers);
    }
    return response;
  }

  async #failure(answer: Answer, request: ApiRequest): Promise<AnswerError> {
    const error = await this.#read(answer, request);
    return answer.url.origin === this.base.origin ? this.#auth.explain(error, request.need) : error;
  }

  #read(answer: Answer, { action, method, need }: ApiRequest): Promise<AnswerError> {
    const about = { action, method, repository: need.repository, host: this.registry, quirks: this.learned.quirks };
    return failureOf(answer, about);
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
