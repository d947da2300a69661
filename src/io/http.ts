import { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { OclError } from '../core/errors.ts';
import { connectionError, ConnectionError } from './connectionError.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';
import { SlabBody } from './slabs.ts';

/** How the other end of a TLS connection is trusted, and what is shown to it. Texts are PEM. */
export interface TlsSettings {
  /** False takes any certificate: for hosts that are named in the configuration alone. */
  readonly verify?: boolean | undefined;
  /** Authorities beside those of the system. */
  readonly ca?: readonly string[] | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** Milliseconds: to connect; until the answer's header is there; between two pieces of a body. */
export interface HttpTimeouts {
  readonly connect: number;
  readonly headers: number;
  readonly idle: number;
}

export const HTTP_TIMEOUTS: HttpTimeouts = { connect: 15_000, headers: 120_000, idle: 60_000 };

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxy?: ProxySettings | undefined;
  /** For requests that bring no `tls` of their own. */
  readonly tls?: TlsSettings | undefined;
  readonly timeouts?: HttpTimeouts | undefined;
  /** The authorities of the system where they are not those that Node brings. */
  readonly systemCa?: readonly string[] | undefined;
}

/** A body that can be sent again. */
export interface StreamBody {
  /** Bytes. */
  readonly size: number;
  open(): Readable | Promise<Readable>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tls?: TlsSettings | undefined;
  /** Whether a second one does no harm; GET and HEAD are. */
  readonly repeatable?: boolean | undefined;
}

/** Names in lower case; all values that came. */
export type HttpHeaders = ReadonlyMap<string, readonly string[]>;

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** Must be read to its end or destroyed. Comes in pieces of up to 1 MiB. */
  readonly body: Readable;
}

export interface Http {
  /**
   * One exchange, without redirects. Answers of every status are returned.
   * @throws ConnectionError (OCL_UNREACHABLE); the error of the request's body; the signal's reason
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Breaks all connections. */
  close(): Promise<void>;
}

/** The first value of a header. */
export function header(headers: HttpHeaders, name: string): string | undefined {
  return headers.get(name)?.[0];
}

/** Lets go of an answer whose body does not matter; a short one is read, so that its connection can be used again. */
export async function discard(response: HttpResponse): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > DISCARD_LIMIT) break;
    }
  } catch {
    // What was given up cannot fail.
  } finally {
    response.body.destroy();
  }
}

const DISCARD_LIMIT = 64 << 10;
const KEEP_ALIVE = 15_000;

/** An HTTP/1.1 client with one pool of kept connections per origin and TLS setting. */
export function createHttp(options: HttpOptions): Http {
  const timeouts = options.timeouts ?? HTTP_TIMEOUTS;
  const pools = new Map<TlsSettings | undefined, Map<string, Dispatcher>>();
  let closed = false;

  function dispatcherFor(url: URL, tls: TlsSettings | undefined): Dispatcher {
    if (closed) throw new OclError('OCL_CANCELLED', `Cannot reach ${url.origin}: the client was closed`);
    const proxy = proxyFor(url, options.proxy) ?? '';
    let perProxy = pools.get(tls);
    if (perProxy === undefined) pools.set(tls, (perProxy = new Map<string, Dispatcher>()));
    let dispatcher = perProxy.get(proxy);
    if (dispatcher === undefined) perProxy.set(proxy, (dispatcher = createDispatcher(proxy, connectOptions(tls))));
    return dispatcher;
  }

  function connectOptions(tls: TlsSettings | undefined): Record<string, unknown> {
    const ca = tls?.ca === undefined || tls.ca.length === 0 ? options.systemCa : [...(options.systemCa ?? rootCertificates), ...tls.ca];
    return {
      timeout: timeouts.connect,
      ...(ca === undefined ? {} : { ca }),
      ...(tls?.verify === false ? { rejectUnauthorized: false } : {}),
      ...(tls?.clientCert === undefined ? {} : { cert: tls.clientCert }),
      ...(tls?.clientKey === undefined ? {} : { key: tls.clientKey }),
    };
  }

  async function request(spec: HttpRequest): Promise<HttpResponse> {
    const repeatable = spec.repeatable ?? (spec.method === 'GET' || spec.method === 'HEAD');
    try {
      return await exchange(spec);
    } catch (error) {
      // A kept connection that the server closed while it was idle shows it only when it is used.
      if (!repeatable || !(error instanceof ConnectionError) || !error.unanswered || spec.signal?.aborted === true) throw error;
      return exchange(spec);
    }
  }

  async function exchange(spec: HttpRequest): Promise<HttpResponse> {
    spec.signal?.throwIfAborted();
    const dispatcher = dispatcherFor(spec.url, spec.tls ?? options.tls);
    const body = await openBody(spec.body);
    return new Promise((resolve, reject) => {
      const exchanged = new Exchange(spec, resolve, reject);
      exchanged.watch(body);
      dispatcher.dispatch(
        {
          origin: spec.url.origin,
          path: spec.url.pathname + spec.url.search,
          method: spec.method,
          headers: {
            'user-agent': options.userAgent,
            'accept-encoding': 'identity',
            ...spec.headers,
            ...(body instanceof Readable ? { 'content-length': String(spec.body === undefined || spec.body instanceof Uint8Array ? 0 : spec.body.size) } : {}),
          },
          body,
          headersTimeout: timeouts.headers,
          bodyTimeout: timeouts.idle,
        },
        exchanged,
      );
    });
  }

  async function close(): Promise<void> {
    closed = true;
    const all = [...pools.values()].flatMap((perProxy) => [...perProxy.values()]);
    pools.clear();
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  return { request, close };
}

function createDispatcher(proxy: string, connect: Record<string, unknown>): Dispatcher {
  const common = { keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE * 4 };
  if (proxy === '') return new Agent({ ...common, connect });
  return new ProxyAgent({ ...common, uri: proxy, requestTls: connect, proxyTls: { timeout: connect['timeout'] as number }, proxyTunnel: false });
}

async function openBody(body: HttpRequest['body']): Promise<Uint8Array | Readable | null> {
  if (body === undefined || body instanceof Uint8Array) return body ?? null;
  return body.open();
}

/** One request under way: turns the calls of undici into a promise and a stream. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #spec: HttpRequest;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #body: SlabBody | undefined;
  #sent: Readable | undefined;
  #senderError: Error | undefined;
  readonly #abort = (): void => this.#controller?.abort(this.#spec.signal?.reason as Error);

  constructor(spec: HttpRequest, resolve: (response: HttpResponse) => void, reject: (error: unknown) => void) {
    this.#spec = spec;
    this.#resolve = resolve;
    this.#reject = reject;
    spec.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Remembers why the stream that is sent failed, for undici tells it as a failure of the connection. */
  watch(body: Uint8Array | Readable | null): void {
    if (!(body instanceof Readable)) return;
    this.#sent = body;
    body.on('error', (error: Error) => (this.#senderError ??= error));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#spec.signal?.aborted === true) this.#abort();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, raw: Record<string, string | string[] | undefined>): void {
    if (status < 200) return;
    const headers = readHeaders(raw);
    const announced = Number(header(headers, 'content-length') ?? Number.NaN);
    const noBody = this.#spec.method === 'HEAD' || status === 204 || status === 304;
    this.#body = new SlabBody(controller, noBody ? 1 : Number.isSafeInteger(announced) ? announced : undefined);
    this.#resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.receive(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    this.#body?.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#settle();
    const reason = this.#explain(error);
    if (this.#body === undefined) this.#reject(reason);
    else this.#body.destroy(reason);
  }

  #explain(error: Error): Error {
    const { signal, url } = this.#spec;
    if (signal?.aborted === true) return signal.reason as Error;
    if (this.#senderError instanceof OclError) return this.#senderError;
    if (error instanceof OclError) return error;
    return connectionError(error, url, this.#body !== undefined);
  }

  #settle(): void {
    this.#spec.signal?.removeEventListener('abort', this.#abort);
    // An answer may come before all was sent, and no connection may have been made at all.
    this.#sent?.destroy();
  }
}

function readHeaders(raw: Record<string, string | string[] | undefined>): HttpHeaders {
  const headers = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined) headers.set(name.toLowerCase(), Array.isArray(value) ? value : [value]);
  }
  return headers;
}
