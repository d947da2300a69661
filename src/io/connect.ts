import { isIP, type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { connect as connectTls, type PeerCertificate, type SecureContext } from 'node:tls';
import type { buildConnector as Connectors } from 'undici';
import { CertificateError, checkIdentity, wantsCertificate } from './certificateError.ts';
import { givenUp, type Connecting } from './connecting.ts';
import { type Proxy } from './proxy.ts';
import { guardedLookup, publicLookup, refuseInternal } from './lookups.ts';
import { givesBack } from './slabPool.ts';
import { openTunnel } from './tunnel.ts';
import { buildConnector } from './undici.ts';
import { ADDRESSING, WideSocket } from './wideSocket.ts';

export interface ConnectOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly userAgent: string;
  /** False takes any certificate. */
  readonly verify: boolean;
  /** What the other end is trusted by, and what is shown to it. */
  readonly context: () => Promise<SecureContext>;
  /** What a proxy with https: is trusted by. */
  readonly proxyContext: () => Promise<SecureContext>;
  /** Goes between for https: targets. */
  readonly proxy: Proxy | undefined;
  /** Refuses addresses of private networks. */
  readonly publicOnly: boolean;
  readonly connecting: Connecting;
  /** Told of each connection that was made straight to its target. */
  readonly onConnected: (origin: string, address: string | undefined) => void;
}

type Target = Connectors.Options;
type Done = Connectors.Callback;

/** Milliseconds that are spent on learning whose certificate it is that was not trusted. */
const EXPLAINING = 3000;

/** Makes the connections of one pool: plain ones read in large pieces; TLS is Node's own, straight or through a tunnel. */
export function createConnector(options: ConnectOptions): Connectors.connector {
  const { timeout, connecting, publicOnly } = options;
  const lookup = publicOnly ? publicLookup : guardedLookup;
  const addressing = { ...ADDRESSING, lookup };
  /** Remembers the sessions of the host, so it is made once. */
  let secure: Promise<Connectors.connector> | undefined;

  return (target, done) => {
    try {
      if (publicOnly) refuseInternal(bareHost(target));
      if (target.protocol === 'http:') plain(target, done);
      else void overTls(target, done);
    } catch (error) {
      done(error as Error, null);
    }
  };

  function plain(target: Target, done: Done): void {
    const socket = new WideSocket({ host: bareHost(target), port: Number(target.port || 80), timeout, lookup });
    connecting.add(originOf(target), socket, 'connect');
    const fail = (error: Error): void => done(error, null);
    socket.once('error', fail).once('connect', () => {
      socket.off('error', fail);
      options.onConnected(originOf(target), socket.remoteAddress);
      // A Duplex with what undici asks of a socket.
      done(null, givesBack(socket) as unknown as Socket);
    });
  }

  async function overTls(target: Target, done: Done): Promise<void> {
    try {
      secure ??= secureConnector();
      const connect = await secure;
      const tunnel = await tunnelTo(target);
      if (connecting.isUnwanted(originOf(target))) {
        tunnel?.destroy();
        throw givenUp();
      }
      // undici would take the Host header for the name, which is the registry's where a proxy is asked in its place.
      const named = { ...target, servername: serverName(target) };
      const socket = connect({ ...named, ...(tunnel === undefined ? {} : { httpSocket: tunnel }) }, (error, made) => {
        if (error === null) {
          // An alert is told first and the end after it: undici would remember the end.
          made.once('error', () => made.destroy());
          if (tunnel === undefined) options.onConnected(originOf(target), made.remoteAddress);
          done(null, givesBack(made));
        } else void failExplained(target, error, done);
      }) as unknown as Duplex;
      if (tunnel !== undefined) socket.once('close', () => tunnel.destroy());
      connecting.add(originOf(target), socket, 'secureConnect');
    } catch (error) {
      done(error as Error, null);
    }
  }

  async function failExplained(target: Target, error: Error, done: Done): Promise<void> {
    done(await explain(target, error), null);
  }

  async function secureConnector(): Promise<Connectors.connector> {
    const secureContext = await options.context();
    return buildConnector({
      timeout,
      secureContext,
      rejectUnauthorized: options.verify,
      checkServerIdentity: checkIdentity,
      ...addressing,
    });
  }

  async function tunnelTo(target: Target): Promise<Socket | undefined> {
    const { proxy, userAgent } = options;
    if (proxy === undefined) return undefined;
    const context = proxy.url.protocol === 'https:' ? await options.proxyContext() : undefined;
    return openTunnel({ proxy, target: new URL(originOf(target)), userAgent, timeout, context, connecting });
  }

  /**
   * Node does not tell whose certificate it refused. A second handshake does, of which nothing else is used: its connection carries no
   * request, and ends with it.
   */
  async function explain(target: Target, error: Error): Promise<Error> {
    if (!wantsCertificate(error) || connecting.isUnwanted(originOf(target))) return error;
    try {
      const tunnel = await tunnelTo(target);
      const certificate = await certificateOf(target, tunnel);
      return certificate === undefined ? error : new CertificateError(error, certificate);
    } catch {
      return error;
    }
  }

  function certificateOf(target: Target, tunnel: Socket | undefined): Promise<PeerCertificate | undefined> {
    const host = bareHost(target);
    return new Promise((resolve) => {
      const socket = connectTls({
        host,
        port: Number(target.port || 443),
        servername: serverName(target),
        rejectUnauthorized: false,
        ...addressing,
        ...(tunnel === undefined ? {} : { socket: tunnel }),
      });
      connecting.add(originOf(target), socket, 'secureConnect');
      const timer = setTimeout(() => socket.destroy(), EXPLAINING);
      const end = (certificate?: PeerCertificate): void => {
        clearTimeout(timer);
        socket.destroy();
        tunnel?.destroy();
        resolve(certificate);
      };
      socket
        .on('error', () => end())
        .once('close', () => end())
        .once('secureConnect', () => end(socket.getPeerCertificate()));
    });
  }
}

/** Addresses are no names: certificates are held against them all the same. */
function serverName(target: Target): string {
  const host = bareHost(target);
  return isIP(host) === 0 ? host : '';
}

function bareHost(target: Target): string {
  return target.hostname.replace(/^\[|\]$/g, '');
}

function originOf(target: Target): string {
  return new URL(`${target.protocol}//${target.host ?? target.hostname}`).origin;
}
