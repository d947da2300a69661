import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Digest } from '../../src/core/digest.ts';
import { type Graph } from './graphs.ts';

/** What happens to the content that is asked for. */
export type Mood =
  | { readonly kind: 'whole' }
  /** After so many bytes the connection is closed, and from then on every other that asks for it. */
  | { readonly kind: 'gone'; readonly after: number }
  /** After so many bytes nothing comes any more. */
  | { readonly kind: 'stuck'; readonly after: number };

export interface Told {
  /** The header, if there was one. */
  readonly range: string | undefined;
  /** Bytes of the answer that were given to the connection. */
  sent: number;
}

export interface BrittleRegistry {
  readonly host: string;
  /** What was asked for of the content in question, since the mood changed. */
  readonly told: readonly Told[];
  setMood(mood: Mood): void;
  close(): Promise<void>;
}

/** A registry that has one image as `app:1`, and breaks while it gives one content of it. Honours Range, and counts what it sends. */
export async function startBrittleRegistry(graph: Graph, digest: Digest): Promise<BrittleRegistry> {
  const pieces = new Map(graph.pieces.map((piece) => [piece.descriptor.digest as string, piece]));
  let mood: Mood = { kind: 'whole' };
  let told: Told[] = [];
  let left = Number.POSITIVE_INFINITY;

  async function give(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wanted = (request.url ?? '').split('/').at(-1) ?? '';
    const piece = pieces.get(wanted === '1' ? graph.root.digest : wanted);
    if (request.url === '/v2/') return void response.writeHead(200).end();
    if (request.url?.startsWith('/v2/app/tags/list') === true)
      return void response.end(JSON.stringify({ name: 'app', tags: ['1'] }));
    if (piece === undefined) return void response.writeHead(404).end();
    const { bytes, descriptor } = piece;
    const { range } = request.headers;
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    response.writeHead(range === undefined ? 200 : 206, {
      'content-type': descriptor.mediaType,
      'content-length': String(bytes.length - start),
      'docker-content-digest': descriptor.digest,
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    if (descriptor.digest !== digest) return void response.end(bytes.subarray(start));
    await sendSome({ range, sent: 0 }, response, bytes.subarray(start));
  }

  async function sendSome(record: Told, response: ServerResponse, bytes: Uint8Array): Promise<void> {
    told.push(record);
    const { kind } = mood;
    const end = Math.min(bytes.length, left);
    while (record.sent < end && !response.destroyed) {
      const piece = bytes.subarray(record.sent, Math.min(end, record.sent + (64 << 10)));
      await new Promise<void>((done) => {
        response.once('close', done);
        response.write(piece, () => {
          response.off('close', done);
          done();
        });
      });
      record.sent += piece.length;
    }
    left -= record.sent;
    if (record.sent === bytes.length) response.end();
    else if (kind === 'gone') response.socket?.destroySoon();
  }

  const server = createServer((request, response) => {
    response.on('error', () => {});
    const isGone = mood.kind === 'gone' && left <= 0 && request.url?.endsWith(digest) === true;
    if (isGone) request.socket.destroy();
    else void give(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get told() {
      return told;
    },
    setMood(next) {
      mood = next;
      told = [];
      left = next.kind === 'whole' ? Number.POSITIVE_INFINITY : next.after;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
