import { Readable } from 'node:stream';
import { type SecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import { OclError } from '../core/errors.ts';
import { isInternal } from './addresses.ts';
import { Authorities, type AuthorityPlaces } from './authorities.ts';
import { createConnector } from './connect.ts';
import { ConnectionError } from './connectionError.ts';
import { Connecting } from './connecting.ts';
import { Exchange } from './exchange.ts';
import { discard, header, type Http, type HttpRequest, type HttpResponse, type TlsSettings } from './httpMessages.ts';
import { PACE, type Pace } from './pace.ts';
import { parseProxy, proxyFor, type Proxy, type ProxySettings } from './proxy.ts';
import { secureContextOf } from './secureContext.ts';
import { throttled, type Throttle } from './throttle.ts';
import { proxyRefusal } from './tunnel.ts';
import { Agent } from './undici.ts';

/** Milliseconds: to connect; until the answer's header is there; between two pieces of a body. */
export interface HttpTimeouts {
  readonly connect: number;
  readonly headers: number;
  readonly idle: number;
}

const HTTP_TIMEOUTS: HttpTimeouts = { connect: 15_000, headers: 120_000, idle: 60_000 };

export interface HttpOptions {
  readonly userAgent: string;
  readonly proxy?: ProxySettings | undefined;
  /** For requests that bring no `tls` of their own. */
  readonly tls?: TlsSettings | undefined;
  readonly timeouts?: HttpTimeouts | undefined;
  readonly pace?: Pace | undefined;
  /** For the bodies of all requests and answers together. */
  readonly throttle?: Throttle | undefined;
  /** Where the authorities of the machine are; absent: where they usually are. Read when the first TLS connection is made. */
  readonly authorities?: AuthorityPlaces | undefined;
}

const KEEP_ALIVE = 15_000;

interface Pool {
  readonly dispatcher: Dispatcher;
  readonly connecting: Connecting;
}

/** How a request gets to its target. */
interface Route {
  readonly proxy: Proxy | undefined;
  /** The proxy is asked for the target's whole URL, instead of for a tunnel: for http: targets. */
  readonly forwarded: boolean;
  readonly tls: TlsSettings | undefined;
  readonly publicOnly: boolean;
}

/** An HTTP/1.1 client with one pool of kept connections per origin, TLS setting and proxy. */
export function createHttp(options: HttpOptions): Http {
  const timeouts = options.timeouts ?? HTTP_TIMEOUTS;
  const authorities = new Authorities(options.authorities);
  const pools = new Map<TlsSettings | undefined, Map<string, Pool>>();
  const contexts = new Map<TlsSettings | undefined, Promise<SecureContext>>();
  /** Origins that were found inside a private network. */
  const internal = new Set<string>();
  let closed = false;

  function routeOf(spec: HttpRequest): Route {
    const chosen = proxyFor(spec.url, options.proxy);
    const proxy = chosen === undefined ? undefined : parseProxy(chosen, spec.url);
    const forwarded = proxy !== undefined && spec.url.protocol === 'http:';
    // What is trusted and shown is for the target, not for a proxy that is asked in its place.
    const tls = forwarded ? undefined : (spec.tls ?? options.tls);
    const insider = spec.askedBy !== undefined && internal.has(spec.askedBy.origin);
    // A proxy finds the addresses by itself.
    return { proxy, forwarded, tls, publicOnly: proxy === undefined && spec.publicOnly === true && !insider };
  }

  function poolFor(url: URL, { proxy, tls, publicOnly }: Route): Pool {
    if (closed) throw new OclError('OCL_CANCELLED', `Cannot reach ${url.origin}: the client was closed`);
    let perRoute = pools.get(tls);
    if (perRoute === undefined) pools.set(tls, (perRoute = new Map<string, Pool>()));
    const key = `${proxy?.url.origin ?? ''} ${url.protocol} ${publicOnly}`;
    let pool = perRoute.get(key);
    if (pool === undefined) {
      const connecting = new Connecting();
      const connect = createConnector({
        timeout: timeouts.connect,
        userAgent: options.userAgent,
        verify: tls?.verify !== false,
        context: () => contextOf(tls),
        proxyContext: () => contextOf(undefined),
        proxy: url.protocol === 'https:' ? proxy : undefined,
        publicOnly,
        connecting,
        onConnected: (origin, address) => {
          if (address !== undefined && isInternal(address)) internal.add(origin);
        },
      });
      const kept = { keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE * 4 };
      perRoute.set(key, (pool = { dispatcher: new Agent({ ...kept, connect }), connecting }));
    }
    return pool;
  }

  function contextOf(tls: TlsSettings | undefined): Promise<SecureContext> {
    let context = contexts.get(tls);
    if (context === undefined) contexts.set(tls, (context = readContext(tls)));
    return context;
  }

  async function readContext(tls: TlsSettings | undefined): Promise<SecureContext> {
    const ca = tls?.verify === false ? undefined : await authorities.with(tls?.ca ?? []);
    return secureContextOf(tls, ca);
  }

  async function request(spec: HttpRequest): Promise<HttpResponse> {
    const repeatable = spec.repeatable ?? (spec.method === 'GET' || spec.method === 'HEAD');
    try {
      return await exchange(spec);
    } catch (error) {
      // A kept connection that the server closed while it was idle shows it only when it is used.
      if (!repeatable || !(error instanceof ConnectionError) || !error.unanswered || spec.signal?.aborted === true)
        throw error;
      return exchange(spec);
    }
  }

  async function exchange(spec: HttpRequest): Promise<HttpResponse> {
    spec.signal?.throwIfAborted();
    const route = routeOf(spec);
    const { proxy, forwarded } = route;
    const { dispatcher, connecting } = poolFor(spec.url, route);
    const body = await openBody(spec, options.throttle);
    const origin = forwarded && proxy !== undefined ? proxy.url.origin : spec.url.origin;
    const path = spec.url.pathname + spec.url.search;
    const connected = connecting.wait(origin);
    const answered = new Promise<HttpResponse>((resolve, reject) => {
      const exchanged = new Exchange({
        spec,
        resolve,
        reject,
        connected,
        proxy: forwarded ? proxy?.url : undefined,
        pace: options.pace ?? PACE,
        throttle: options.throttle,
      });
      exchanged.watch(body);
      dispatcher.dispatch(
        {
          origin,
          path: forwarded ? spec.url.origin + path : path,
          method: spec.method,
          headers: {
            'user-agent': options.userAgent,
            'accept-encoding': 'identity',
            ...spec.headers,
            ...(forwarded ? { host: spec.url.host } : {}),
            ...(forwarded && proxy?.authorization !== undefined ? { 'proxy-authorization': proxy.authorization } : {}),
            ...lengthOf(spec.body),
          },
          body,
          headersTimeout: timeouts.headers,
          bodyTimeout: timeouts.idle,
          // undici would close the connection after each HEAD.
          reset: false,
        },
        exchanged,
      );
    });
    const response = await answered.finally(connected);
    if (forwarded && proxy !== undefined && isOfProxy(response)) {
      await discard(response);
      throw proxyRefusal(spec.url, proxy.url, response.status);
    }
    return response;
  }

  async function close(): Promise<void> {
    closed = true;
    const all = [...pools.values()].flatMap((perRoute) => [...perRoute.values()]);
    pools.clear();
    for (const { connecting } of all) connecting.close();
    await Promise.all(all.map(({ dispatcher }) => dispatcher.destroy()));
  }

  return { request, close };
}

/** Whether a forwarded request was answered by the proxy: registries say no in JSON, and none asks for a login to a proxy. */
function isOfProxy({ status, headers }: HttpResponse): boolean {
  if (status === 407) return true;
  const refused = [403, 502, 503, 504].includes(status);
  const ofRegistry =
    headers.has('docker-distribution-api-version') || /json/i.test(header(headers, 'content-type') ?? '');
  return refused && !ofRegistry;
}

/** undici knows the length of bytes, and sends a stream without one in chunks of HTTP. */
function lengthOf(body: HttpRequest['body']): Record<string, string> {
  const size = body instanceof Uint8Array ? body.length : body?.size;
  return size === undefined ? {} : { 'content-length': String(size) };
}

async function openBody(
  { body, signal }: HttpRequest,
  throttle: Throttle | undefined,
): Promise<Uint8Array | Readable | null> {
  if (body === undefined) return null;
  const bytes = body instanceof Uint8Array;
  if (throttle === undefined) return bytes ? body : body.open();
  return throttled(bytes ? Readable.from([body], { objectMode: false }) : await body.open(), throttle, signal);
}
