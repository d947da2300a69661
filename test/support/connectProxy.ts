import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { type Pair } from './certificates.ts';

export interface ConnectProxyOptions {
  /** Makes it a proxy with https:. */
  readonly tls?: Pair | undefined;
  /** `user:password` that has to be shown. */
  readonly login?: string | undefined;
  /** Answers all requests with this status. */
  readonly refuse?: number | undefined;
  /** Takes requests and never answers. */
  readonly silent?: boolean | undefined;
  /** Where names lead; absent: to 127.0.0.1. */
  readonly address?: string | undefined;
}

export interface ConnectProxy {
  /** `http://127.0.0.1:port`, or `https://localhost:port` */
  readonly url: string;
  readonly host: string;
  /** The request lines without the version: `CONNECT host:port`, `GET http://…`. */
  readonly lines: readonly string[];
  /** Connections of clients that are open now. */
  readonly open: () => number;
  /** Resolves when nothing is connected any more. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** A proxy as networks have them: CONNECT for tunnels, whole URLs for plain http. All names lead to this machine. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const { tls, login, refuse, silent, address = '127.0.0.1' } = options;
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  const expected = login === undefined ? undefined : `Basic ${Buffer.from(login, 'utf8').toString('base64')}`;

  const refusal = (request: IncomingMessage): number | undefined => {
    lines.push(`${request.method} ${request.url}`);
    if (expected !== undefined && request.headers['proxy-authorization'] !== expected) return 407;
    return refuse;
  };
  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const status = refusal(request);
    if (silent === true) return;
    if (status !== undefined) return void response.writeHead(status, { 'content-type': 'text/html' }).end('<p>no');
    const url = new URL(request.url ?? '');
    const { 'proxy-authorization': _secret, ...headers } = request.headers;
    const { method, port } = { method: request.method, port: url.port || 80 };
    const onward = httpRequest({ host: address, port, method, path: url.pathname + url.search, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };
  const server = tls === undefined ? createServer(forward) : createTlsServer(tls, forward);
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const watcher of watchers) watcher();
    });
  });
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    client.on('error', () => {});
    const status = refusal(request);
    // What nobody reads would not show that it ended.
    if (silent === true) return void client.on('end', () => client.end()).resume();
    if (status !== undefined)
      return void client.end(`HTTP/1.1 ${status} Said By The Proxy\r\ncontent-length: 0\r\n\r\n`);
    const port = Number(/:(\d+)$/.exec(request.url ?? '')?.[1]);
    const onward = connect(port, address, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) onward.write(head);
      onward.pipe(client).pipe(onward);
    });
    onward.on('error', () => client.destroy());
    client.on('close', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = tls === undefined ? `127.0.0.1:${port}` : `localhost:${port}`;
  return {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    lines,
    open: () => sockets.size,
    async idle() {
      if (sockets.size > 0) await new Promise<void>((resolve) => watchers.add(resolve));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
