import { type Socket } from 'node:net';
import { Readable, type Duplex } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { Agent, buildConnector, ProxyAgent, type Dispatcher } from 'undici';
import { OclError } from '../core/errors.ts';
import { ConnectionError } from './connectionError.ts';
import { Exchange } from './exchange.ts';
import { type Http, type HttpRequest, type HttpResponse, type TlsSettings } from './httpMessages.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';
import { WideSocket } from './wideSocket.ts';

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
  /** The authorities of the system where they are not those that Node brings. */
  readonly systemCa?: readonly string[] | undefined;
}

const KEEP_ALIVE = 15_000;

/** An HTTP/1.1 client with one pool of kept connections per origin and TLS setting. */
export function createHttp(options: HttpOptions): Http {
  const timeouts = options.timeouts ?? HTTP_TIMEOUTS;
  const pools = new Map<TlsSettings | undefined, Map<string, Dispatcher>>();
  /** Connections that are being made: undici lets go of them only when they are, or time out, and the process would wait for that. */
  const connecting = new Set<Duplex>();
  let closed = false;

  function dispatcherFor(url: URL, tls: TlsSettings | undefined): Dispatcher {
    if (closed) throw new OclError('OCL_CANCELLED', `Cannot reach ${url.origin}: the client was closed`);
    const proxy = proxyFor(url, options.proxy) ?? '';
    let perProxy = pools.get(tls);
    if (perProxy === undefined) pools.set(tls, (perProxy = new Map<string, Dispatcher>()));
    let dispatcher = perProxy.get(proxy);
    if (dispatcher === undefined)
      perProxy.set(proxy, (dispatcher = createDispatcher(proxy, connectOptions(tls), connecting)));
    return dispatcher;
  }

  function connectOptions(tls: TlsSettings | undefined): Record<string, unknown> {
    const ca =
      tls?.ca === undefined || tls.ca.length === 0
        ? options.systemCa
        : [...(options.systemCa ?? rootCertificates), ...tls.ca];
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
      if (!repeatable || !(error instanceof ConnectionError) || !error.unanswered || spec.signal?.aborted === true)
        throw error;
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
            ...(body instanceof Readable
              ? {
                  'content-length': String(
                    spec.body === undefined || spec.body instanceof Uint8Array ? 0 : spec.body.size,
                  ),
                }
              : {}),
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
  }

  async function close(): Promise<void> {
    closed = true;
    const all = [...pools.values()].flatMap((perProxy) => [...perProxy.values()]);
    pools.clear();
    for (const socket of connecting) socket.destroy();
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  return { request, close };
}

function createDispatcher(proxy: string, connect: Record<string, unknown>, connecting: Set<Duplex>): Dispatcher {
  const common = { keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE * 4 };
  if (proxy === '') return new Agent({ ...common, connect: connector(connect, connecting) });
  return new ProxyAgent({
    ...common,
    uri: proxy,
    requestTls: connect,
    proxyTls: { timeout: connect['timeout'] as number },
    proxyTunnel: false,
  });
}

/** Plain connections read in large pieces; TLS is Node's own. */
function connector(options: Record<string, unknown>, connecting: Set<Duplex>): buildConnector.connector {
  const secure = buildConnector(options);
  const watch = (socket: Duplex, made: 'connect' | 'secureConnect'): void => {
    const forget = (): void => void connecting.delete(socket);
    connecting.add(socket.once(made, forget).once('close', forget));
  };
  return (target, done) => {
    if (target.protocol !== 'http:') {
      watch(secure(target, done) as unknown as Duplex, 'secureConnect');
      return;
    }
    const socket = new WideSocket({
      host: target.hostname.replace(/^\[|\]$/g, ''),
      port: Number(target.port || 80),
      timeout: options['timeout'] as number,
    });
    watch(socket, 'connect');
    const fail = (error: Error): void => done(error, null);
    socket.once('error', fail).once('connect', () => {
      socket.off('error', fail);
      // A Duplex with what undici asks of a socket.
      done(null, socket as unknown as Socket);
    });
  };
}

async function openBody(body: HttpRequest['body']): Promise<Uint8Array | Readable | null> {
  if (body === undefined || body instanceof Uint8Array) return body ?? null;
  return body.open();
}
