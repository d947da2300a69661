import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { type Readable } from 'node:stream';
import { handOver } from '../io/slabPool.ts';

/** An unread rest of a request up to this many bytes is read and thrown away, to keep the connection. */
const KEPT_REST = 1 << 20;
/** Bytes and milliseconds that a client which talks on after its refusal is listened to, so that it can read the refusal. */
const LINGER_BYTES = 16 << 20;
const LINGER_MS = 2000;

/** Sends a whole small body. */
export async function sendBytes(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  body: Uint8Array,
  headers: OutgoingHttpHeaders,
): Promise<void> {
  const full = { ...headers, 'Content-Length': body.length, 'X-Content-Type-Options': 'nosniff' };
  if (restIsShort(req)) {
    res.writeHead(status, full).end(body);
    return;
  }
  res.writeHead(status, { ...full, Connection: 'close' });
  if (body.length > 0) res.write(body);
  else res.flushHeaders();
  await linger(req);
  res.end();
}

export function sendJson(
  req: IncomingMessage,
  res: ServerResponse,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  return sendBytes(req, res, 200, Buffer.from(JSON.stringify(value)), {
    'Content-Type': 'application/json',
    ...headers,
  });
}

export function sendEmpty(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  const body = Buffer.alloc(0);
  if (status !== 204) return sendBytes(req, res, status, body, headers);
  res.writeHead(status, headers).end();
  return Promise.resolve();
}

/**
 * Sends a stream of a known length, one chunk in flight. A stream that ends early, late or with an error cuts the connection:
 * to the client the body is then incomplete, and nobody takes it for the content. When the client goes away the stream is destroyed.
 */
export async function sendStream(
  res: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  stream: Readable,
  length: number,
): Promise<void> {
  const gone = new Promise<void>((resolve) => void res.once('close', resolve));
  res.once('close', () => void stream.destroy());
  res.writeHead(status, { ...headers, 'Content-Length': length, 'X-Content-Type-Options': 'nosniff' });
  let seen = 0;
  // The last chunk waits for the end: whatever is wrong with the stream, the client has not got the whole before it shows.
  let held: Uint8Array | undefined;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (res.destroyed) return;
      seen += chunk.length;
      if (seen > length) break;
      if (held !== undefined && !res.write(handOver(held))) {
        await Promise.race([new Promise<void>((resolve) => void res.once('drain', resolve)), gone]);
      }
      held = chunk;
    }
  } catch (error) {
    // A stream that was destroyed because its reader left has done nothing wrong.
    if (!res.destroyed) throw error;
  } finally {
    stream.destroy();
  }
  if (seen === length) res.end(held === undefined ? undefined : handOver(held));
  else res.destroy();
}

function restIsShort(req: IncomingMessage): boolean {
  if (req.complete || req.destroyed) return true;
  const declared = Number(req.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return (
    req.headers['transfer-encoding'] === undefined &&
    (req.headers['content-length'] === undefined || declared <= KEPT_REST)
  );
}

function linger(req: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(done, LINGER_MS);
    function done(): void {
      clearTimeout(timer);
      resolve();
    }
    req.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > LINGER_BYTES) done();
    });
    req.once('end', done).once('close', done).once('error', done);
    req.resume();
  });
}
