import {
  createServer,
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo } from 'node:net';
import { Transform } from 'node:stream';

/** `METHOD what`, as `GET blob`, `PATCH upload`, `HEAD manifest`, `GET tags`, `POST mount`, `GET ping`, `GET other`. */
export type Kind = string;

export interface Passed {
  readonly kind: Kind;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of the answer; 0 where none was given. */
  status: number;
  /** Bytes of the body that the server behind was given. */
  up: number;
  /** Bytes of the body that the client was given. */
  down: number;
}

export interface Head {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
}

/** How a request is changed on its way. */
export interface Meddling {
  readonly ask?: (headers: IncomingHttpHeaders) => IncomingHttpHeaders;
  readonly answer?: (head: Head) => Head;
  /** Sees each piece of a body and its offset; answers what goes on instead. Throwing `Break` breaks both connections. */
  readonly up?: (piece: Buffer, at: number) => Buffer | Promise<Buffer>;
  readonly down?: (piece: Buffer, at: number) => Buffer | Promise<Buffer>;
  /** The connection is closed after the answer, without a word. */
  readonly hangUp?: boolean;
  /** The server behind does its work, and nobody hears of it. */
  readonly loseAnswer?: boolean;
}

/** What happens to one request: it is changed on its way, or answered here. */
export type Fault = Meddling | ((response: ServerResponse, request: IncomingMessage) => void);

export interface Rule {
  readonly on: Kind;
  /** A part of the path. */
  readonly path?: string;
  /** How often; always, when nothing is said. */
  readonly times?: number;
  /** Requests that pass before. */
  readonly after?: number;
  readonly fault: Fault;
}

export interface FaultProxy {
  readonly host: string;
  readonly url: string;
  readonly passed: readonly Passed[];
  /** Requests of one kind; of all, without one. */
  count(kind?: Kind): number;
  /** New rules, and nothing passed yet. The first one that fits a request and is not used up holds. */
  rules(...rules: readonly Rule[]): void;
  close(): Promise<void>;
}

/** What a connection that is broken on purpose is broken with. */
class Break extends Error {
  readonly reset: boolean;
  readonly rest: Buffer;

  /** @param rest what still goes on before */
  constructor(rest: Buffer, reset: boolean) {
    super('broken on purpose');
    this.rest = rest;
    this.reset = reset;
  }
}

/** A proxy between a client and a registry that spoils what the rules say, and counts. It speaks plain HTTP on both sides. */
export async function startFaultProxy(upstream: string, ...first: readonly Rule[]): Promise<FaultProxy> {
  let rules = first.map((rule) => ({ ...rule, left: rule.times ?? Infinity, before: rule.after ?? 0 }));
  const passed: Passed[] = [];
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const record: Passed = { kind: kindOf(method, url), path: url, headers, at: Date.now(), status: 0, up: 0, down: 0 };
    passed.push(record);
    request.on('error', () => {});
    response.on('error', () => {});
    response.once('close', () => (record.status = response.headersSent ? response.statusCode : 0));
    const rule = rules.find(({ on, path = '', left }) => on === record.kind && url.includes(path) && left > 0);
    if (rule === undefined || rule.before-- > 0) return forward(upstream, request, response, record, {});
    rule.left--;
    if (typeof rule.fault === 'object') return forward(upstream, request, response, record, rule.fault);
    request.resume();
    const { fault } = rule;
    // Who answers before all has come would break connections that it does not mean to break.
    request.once('end', () => fault(response, request));
  });
  await listening(server);
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    passed,
    count: (kind) => (kind === undefined ? passed : passed.filter((record) => record.kind === kind)).length,
    rules(...next) {
      rules = next.map((rule) => ({ ...rule, left: rule.times ?? Infinity, before: rule.after ?? 0 }));
      passed.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function kindOf(method: string, url: string): Kind {
  const [path = '', query = ''] = url.split('?');
  if (path === '/v2/') return `${method} ping`;
  if (/\/blobs\/uploads\/?/.test(path)) return `${method} ${/(?:^|&)mount=/.test(query) ? 'mount' : 'upload'}`;
  const [, what] = /\/(blobs|manifests|tags|referrers)\//.exec(path) ?? [];
  return `${method} ${what === undefined ? 'other' : what === 'tags' ? what : what.slice(0, -1)}`;
}

function forward(
  upstream: string,
  request: IncomingMessage,
  response: ServerResponse,
  record: Passed,
  meddling: Meddling,
): void {
  const [hostname, port] = upstream.split(':');
  const { method, url, headers } = request;
  const onward = ask({ hostname, port, method, path: url, headers: meddling.ask?.({ ...headers }) ?? headers });
  const breakBoth = (broken: Break): void => {
    onward.destroy();
    if (broken.reset) response.socket?.resetAndDestroy();
    else response.socket?.destroySoon();
  };
  onward.on('error', () => response.socket?.destroy());
  response.once('close', () => onward.destroy());
  onward.on('response', (answer) => {
    answer.on('error', () => response.socket?.destroy());
    if (meddling.loseAnswer === true) return breakBoth(new Break(Buffer.alloc(0), true));
    const head = { status: answer.statusCode ?? 500, headers: answer.headers };
    const { status, headers: given } = meddling.answer?.(head) ?? head;
    response.writeHead(status, given);
    response.flushHeaders();
    const { socket } = response;
    const down = passing(meddling.down, (bytes) => (record.down += bytes));
    down.on('error', (error) =>
      error instanceof Break ? response.write(error.rest, () => breakBoth(error)) : socket?.destroy(),
    );
    if (meddling.hangUp === true) response.once('finish', () => socket?.destroySoon());
    answer.pipe(down).pipe(response);
  });
  const up = passing(meddling.up, (bytes) => (record.up += bytes));
  up.on('error', (error) =>
    error instanceof Break ? onward.write(error.rest, () => breakBoth(error)) : onward.destroy(),
  );
  request.pipe(up).pipe(onward);
}

/** A stream that changes what flows by, and counts what goes on. */
function passing(change: Meddling['up'], count: (bytes: number) => void): Transform {
  let at = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      const start = at;
      at += piece.length;
      void (async () => {
        try {
          const next = (await change?.(piece, start)) ?? piece;
          count(next.length);
          done(null, next);
        } catch (error) {
          if (error instanceof Break) count(error.rest.length);
          done(error as Error);
        }
      })();
    },
  });
}

async function listening(server: Server): Promise<void> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
}

/** After so many bytes of the body on its way: what comes before goes on, then the connection ends (or is reset). */
function breaking(after: number, reset: boolean): (piece: Buffer, at: number) => Buffer {
  return (piece, at) => {
    if (at + piece.length < after) return piece;
    throw new Break(piece.subarray(0, after - at), reset);
  };
}

export const cutDown = (after: number): Fault => ({ down: breaking(after, false) });
export const resetDown = (after: number): Fault => ({ down: breaking(after, true) });
export const cutUp = (after: number): Fault => ({ up: breaking(after, true) });

export const loseAnswer: Fault = { loseAnswer: true };

/** Nothing more comes after so many bytes, for as long as the client waits. */
export const stall = (after: number): Fault => ({
  down: async (piece, at) => (at + piece.length <= after ? piece : await new Promise<Buffer>(() => {})),
});

/** The connection is there, and no answer comes. */
export const silence: Fault = () => {};

/** Answers one byte in so many milliseconds. */
export function drip(body: Uint8Array, every: number, headers: Readonly<Record<string, string>> = {}): Fault {
  return (response) => {
    response.writeHead(200, { 'content-length': String(body.length), ...headers });
    let at = 0;
    const timer = setInterval(() => response.write(body.subarray(at, ++at)), every);
    response.once('close', () => clearInterval(timer));
  };
}

export function status(code: number, headers: Readonly<Record<string, string>> = {}, body = ''): Fault {
  return (response) =>
    void response.writeHead(code, { 'content-length': String(Buffer.byteLength(body)), ...headers }).end(body);
}

export const html = (code: number): Fault =>
  status(code, { 'content-type': 'text/html' }, '<html><head><title>Sorry</title></head><body>try later</body></html>');

/** One byte of the answer is another. */
export const flip = (offset: number): Fault => ({
  down(piece, at) {
    if (offset < at || offset >= at + piece.length) return piece;
    const changed = Buffer.from(piece);
    changed[offset - at] = (changed[offset - at] ?? 0) ^ 0xff;
    return changed;
  },
});

/** The answer says that it is so many bytes longer (or shorter) than it is. */
export const longer = (bytes: number): Fault => ({
  answer: ({ status: code, headers }) => ({
    status: code,
    headers: { ...headers, 'content-length': String(Number(headers['content-length']) + bytes) },
  }),
  hangUp: true,
});

/** The first bytes alone, as if they were all. */
export const truncated = (bytes: number): Fault => ({
  answer: ({ status: code, headers }) => ({ status: code, headers: { ...headers, 'content-length': String(bytes) } }),
  down: (piece, at) => piece.subarray(0, Math.max(0, bytes - at)),
});

export const ignoreRange: Fault = {
  ask: ({ range: _range, ...headers }) => headers,
};

export const contentRange = (value: string): Fault => ({
  answer: ({ status: code, headers }) => ({ status: code, headers: { ...headers, 'content-range': value } }),
});

export function redirect(code: number, to: (path: string) => string): Fault {
  return (response, request) => void response.writeHead(code, { location: to(request.url ?? '/') }).end();
}

/** Kept connections are closed as soon as they are idle, without a word. */
export const hangUp: Fault = { hangUp: true };

/** The connection is reset before any answer. */
export const reset: Fault = (response) => void response.socket?.resetAndDestroy();
