import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { type SecureContext } from 'node:tls';
import { printable } from '../core/redact.ts';
import { ConnectionError, connectionError } from './connectionError.ts';
import { type Connecting } from './connecting.ts';
import { ADDRESSING } from './wideSocket.ts';
import { type Proxy } from './proxy.ts';

export interface TunnelOptions {
  readonly proxy: Proxy;
  /** The target's origin. */
  readonly target: URL;
  readonly userAgent: string;
  /** Milliseconds until the proxy has connected. */
  readonly timeout: number;
  /** What a proxy with https: is held against. */
  readonly context: SecureContext | undefined;
  readonly connecting: Connecting;
}

/** A connection to the target through a proxy, by CONNECT (RFC 9110, 9.3.6). @throws ConnectionError, which names the proxy */
export function openTunnel(options: TunnelOptions): Promise<Socket> {
  const { proxy, target, userAgent, timeout, context, connecting } = options;
  const secure = proxy.url.protocol === 'https:';
  const host = proxy.url.hostname.replace(/^\[|\]$/g, '');
  const authority = `${target.hostname}:${target.port || 443}`;
  return new Promise((resolve, reject) => {
    let made = (): void => {};
    const asked = (secure ? httpsRequest : httpRequest)({
      method: 'CONNECT',
      host,
      port: proxy.url.port || (secure ? 443 : 80),
      path: authority,
      headers: {
        host: authority,
        'user-agent': userAgent,
        connection: 'keep-alive',
        ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      },
      agent: false,
      ...ADDRESSING,
      ...(secure ? { secureContext: context, servername: isIP(host) === 0 ? host : '' } : {}),
    });
    const timer = setTimeout(
      () => asked.destroy(Object.assign(new Error('no tunnel in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' })),
      timeout,
    );
    asked
      .once('socket', (socket) => (made = connecting.add(target.origin, socket, undefined)))
      .once('close', () => clearTimeout(timer))
      .on('error', (error) => reject(connectionError(error, target, { answered: false, proxy: proxy.url })))
      .once('connect', (response: IncomingMessage, socket: Socket, rest: Buffer) => {
        clearTimeout(timer);
        made();
        // Until TLS takes the connection over, nobody else listens.
        socket.on('error', () => {});
        const { statusCode = 0, statusMessage } = response;
        if (statusCode >= 200 && statusCode < 300) {
          if (rest.length > 0) socket.unshift(rest);
          return resolve(socket.setNoDelay(true));
        }
        socket.destroy();
        reject(proxyRefusal(target, proxy.url, statusCode, statusMessage));
      })
      .end();
  });
}

/** The proxy itself said no. */
export function proxyRefusal(target: URL, proxy: URL, status: number, reason = ''): ConnectionError {
  const said = reason === '' ? '' : ` (${printable(reason.slice(0, 100))})`;
  return new ConnectionError(`Cannot reach ${target.origin}: the proxy ${proxy.origin} answered ${status}${said}`, {
    hint:
      status === 407
        ? `the proxy wants a login: write USER:PASSWORD@ before its host in HTTPS_PROXY (HTTP_PROXY for http)`
        : `this is the proxy's answer, not the registry's: ask who runs it to let ${target.host} pass, or name the host in NO_PROXY`,
    cause: undefined,
    temporary: [408, 429, 500, 502, 503, 504].includes(status),
    unanswered: false,
  });
}
