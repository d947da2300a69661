import { lookup } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { type SecureContext } from 'node:tls';
import { systemCode } from '../core/errors.ts';
import { type Proxy } from './proxy.ts';

/** Addresses of one name that are looked at. */
const MAX_ADDRESSES = 16;

/** A host without the brackets that URLs put around IPv6 addresses. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The port of a URL, also where it is left out. */
export function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/**
 * All addresses of a name as connections get them (hosts file included), in the order of the resolver.
 * @throws with `code` ENOTFOUND, EAI_AGAIN, …; the signal's reason
 */
export async function addressesOf(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
  const host = bareHost(hostname);
  if (isIP(host) !== 0) return [host];
  const found = await untilAborted(lookup(host, { all: true, verbatim: true }), signal);
  return [...new Set(found.map(({ address }) => address))].slice(0, MAX_ADDRESSES);
}

export interface Attempt {
  readonly address: string;
  /** `left` means that another address was faster. */
  readonly result: 'connected' | 'refused' | 'timeout' | 'unreachable' | 'left' | 'failed';
  /** The code of the system call that failed. */
  readonly code?: string | undefined;
  /** Milliseconds. */
  readonly ms: number;
}

export interface Connected {
  /** In the order of the addresses. */
  readonly attempts: readonly Attempt[];
  /** Of the first address that answered; its owner destroys it. */
  readonly socket: Socket | undefined;
}

/** Connects to all addresses at once, and ends with the first that answers. A signal that fires ends it with what is known by then. */
export async function connectToAny(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Connected> {
  const started = performance.now();
  const first = new AbortController();
  let socket: Socket | undefined;
  const attempts = await Promise.all(
    addresses.map(async (address): Promise<Attempt> => {
      const ms = (): number => Math.round(performance.now() - started);
      try {
        const own = await connectTo(address, port, AbortSignal.any([signal, first.signal]));
        if (socket !== undefined) {
          own.destroy();
          return { address, result: 'left', ms: ms() };
        }
        socket = own;
        first.abort();
        return { address, result: 'connected', ms: ms() };
      } catch (error) {
        if (first.signal.aborted) return { address, result: 'left', ms: ms() };
        if (signal.aborted) return { address, result: 'timeout', ms: ms() };
        const code = systemCode(error);
        return { address, result: RESULTS[code ?? ''] ?? 'failed', code, ms: ms() };
      }
    }),
  );
  return { attempts, socket };
}

const RESULTS: Readonly<Record<string, Attempt['result']>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
};

/** @throws the system's error; the signal's reason */
function connectTo(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const socket = connect({ host, port });
    const stop = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', reject).once('connect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', reject).on('error', () => {});
      resolve(socket);
    });
  });
}

export interface Tunnel {
  readonly status: number;
  /** There when the status is 2xx; its owner destroys it. */
  readonly socket: Duplex | undefined;
}

/**
 * Asks a proxy for a way through (CONNECT).
 * @param target `host:port`
 * @param context what a proxy with https: is held against
 * @throws the system's error; the signal's reason
 */
export function askForTunnel(
  { url: proxy, authorization }: Proxy,
  target: string,
  context: SecureContext | undefined,
  signal: AbortSignal,
): Promise<Tunnel> {
  const host = bareHost(proxy.hostname);
  // Node would take the name from the Host header, which is that of the target.
  const tls = proxy.protocol === 'https:' ? { secureContext: context, servername: isIP(host) === 0 ? host : '' } : {};
  return new Promise((resolve, reject) => {
    const headers = {
      host: target,
      ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
    };
    const send = proxy.protocol === 'https:' ? secureRequest : plainRequest;
    const request = send({
      method: 'CONNECT',
      path: target,
      host,
      port: portOf(proxy),
      headers,
      ...tls,
      agent: false,
      signal,
    });
    request.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    request.once('connect', ({ statusCode = 0 }, socket: Duplex) => {
      socket.on('error', () => {});
      const open = statusCode >= 200 && statusCode < 300;
      if (!open) socket.destroy();
      resolve({ status: statusCode, socket: open ? socket : undefined });
    });
    request.end();
  });
}

/** What the system cannot be told to stop is not waited for. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
