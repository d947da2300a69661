import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Duplex } from 'node:stream';
import { OclError } from '../core/errors.ts';
import { givesBack } from '../io/slabPool.ts';
import { answerError, toRefusal } from './errors.ts';
import { type RegistryHandler } from './handler.ts';
import { checkCaller, isLoopback } from './hosts.ts';

export interface ListenOptions {
  /** The address to bind, such as `127.0.0.1` or `::`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Names that clients may call this server by. Without it, a server on a loopback address answers to loopback names only, any other to all. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Milliseconds that requests under way are given when the server closes. */
  readonly graceMs?: number | undefined;
  /** Milliseconds without a byte after which a connection is closed. */
  readonly idleMs?: number | undefined;
}

export interface Listening {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Stops accepting and lets requests under way finish, within `graceMs`. The handler stays open. */
  close(): Promise<void>;
}

const GRACE_MS = 10_000;
const IDLE_MS = 120_000;
const HEADERS_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
const SOCKET_BUFFER = 256 << 10;

/** Serves over HTTP. @throws OCL_IO when the address cannot be bound */
export async function listen(handler: Pick<RegistryHandler, 'handle'>, options: ListenOptions): Promise<Listening> {
  const known = knownHosts(options);
  const connections = new Connections();
  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    connections.enter(req.socket, res);
    try {
      checkCaller(req, known);
    } catch (error) {
      answerError(req, res, toRefusal(error)).catch(() => void res.destroy());
      return;
    }
    handler.handle(req, res);
  };
  // Uploads may take hours: not their duration is bounded, but their silence.
  const server = createServer(
    { requestTimeout: 0, headersTimeout: HEADERS_MS, keepAliveTimeout: KEEP_ALIVE_MS, highWaterMark: SOCKET_BUFFER },
    serve,
  );
  server.setTimeout(options.idleMs ?? IDLE_MS);
  server.on('connection', (socket) => connections.add(givesBack(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  }).catch((error: unknown) => {
    throw new OclError(
      'OCL_IO',
      `Cannot listen on ${options.host} port ${options.port}: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: 'choose another port',
        cause: error,
      },
    );
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), options.graceMs ?? GRACE_MS);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        connections.close();
      }),
  };
}

function knownHosts({ host, allowedHosts }: ListenOptions): ReadonlySet<string> | undefined {
  if (allowedHosts !== undefined) return new Set([host, ...allowedHosts].map((name) => name.toLowerCase()));
  return isLoopback(host) ? new Set([host.toLowerCase()]) : undefined;
}

/**
 * Which connections have requests under way. Node's own list takes one that has never asked anything for busy, and keeps one open that
 * finished its request while the server closes.
 */
class Connections {
  readonly #requests = new Map<Duplex, number>();
  #closing = false;

  add(socket: Duplex): void {
    this.#requests.set(socket, 0);
    socket.once('close', () => this.#requests.delete(socket));
  }

  enter(socket: Duplex, res: ServerResponse): void {
    this.#count(socket, 1);
    if (this.#closing) res.setHeader('Connection', 'close');
    res.once('close', () => {
      this.#count(socket, -1);
      if (this.#closing && this.#requests.get(socket) === 0) socket.end();
    });
  }

  close(): void {
    this.#closing = true;
    for (const [socket, requests] of this.#requests) if (requests === 0) socket.destroy();
  }

  #count(socket: Duplex, change: number): void {
    const requests = this.#requests.get(socket);
    if (requests !== undefined) this.#requests.set(socket, requests + change);
  }
}
