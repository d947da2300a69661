import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Handler = (response: ServerResponse, request: Seen) => void | Promise<void>;

export interface ScriptedServer {
  readonly host: string;
  readonly url: string;
  /** In the order in which they came. */
  readonly seen: readonly Seen[];
  /** `METHOD path` of all requests, the query left out. */
  calls(): readonly string[];
  close(): Promise<void>;
}

/**
 * A server that answers what it was told to: by `METHOD path` (without query), each handler once and the last one from then on.
 * What no script names goes to `*`; without that it is a 404.
 */
export async function startScriptedServer(
  script: Readonly<Record<string, Handler | readonly Handler[]>>,
  address = '127.0.0.1',
): Promise<ScriptedServer> {
  const queues = new Map(
    Object.entries(script).map(([call, handlers]) => [
      call,
      Array.isArray(handlers) ? [...(handlers as Handler[])] : [handlers as Handler],
    ]),
  );
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const record = { method, path: url, headers, body: Buffer.concat(chunks) };
      seen.push(record);
      const queue = queues.get(`${method} ${url.split('?')[0]}`) ?? queues.get('*');
      const handler = queue === undefined ? undefined : queue.length > 1 ? queue.shift() : queue[0];
      if (handler === undefined) return void response.writeHead(404).end();
      void handler(response, record);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const host = `${address.includes(':') ? `[${address}]` : address}:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    seen,
    calls: () => seen.map(({ method, path }) => `${method} ${path.split('?')[0]}`),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with a status, headers and a body, once and for all. */
export function reply(
  status: number,
  headers: Readonly<Record<string, string | string[]>> = {},
  body: string | Uint8Array = '',
): Handler {
  return (response, request) => {
    response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

export function replyJson(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Handler {
  return reply(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));
}

/** Sends a part of what the header promises, then breaks the connection. */
export function breakOff(status: number, headers: Readonly<Record<string, string>>, part: Uint8Array): Handler {
  return (response) => {
    response.writeHead(status, headers);
    response.write(part, () => setImmediate(() => response.socket?.resetAndDestroy()));
  };
}
