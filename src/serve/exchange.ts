import { type IncomingMessage, type ServerResponse } from 'node:http';
import { Refusal } from './errors.ts';
import { type ServeLimits } from './limits.ts';
import { type Repositories } from './repositories.ts';
import { type UploadSessions } from './sessions.ts';

/** One request and its answer. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
}

/** Which documents may be pushed before, or without, what they are made of. */
export type Sparse = 'none' | 'indexes' | 'all';

/** What all requests share. */
export interface Registry {
  readonly repositories: Repositories;
  readonly sessions: UploadSessions;
  readonly limits: ServeLimits;
  readonly sparse: Sparse;
}

/** The chunks of a request's body. Who stops early leaves the connection whole, so that the refusal can still be read. */
export function bodyOf(req: IncomingMessage): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => req.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array> };
}

/** Bytes that the request says will come; undefined when it comes in chunks of unknown number. */
export function declaredLength(req: IncomingMessage): number | undefined {
  if (req.headers['transfer-encoding'] !== undefined) return undefined;
  return Number(req.headers['content-length'] ?? 0);
}

/** A whole small body. @throws Refusal SIZE_INVALID (413) */
export async function readBody(req: IncomingMessage, limit: number): Promise<Uint8Array> {
  const tooLarge = (): Refusal =>
    new Refusal('SIZE_INVALID', `the content is larger than the ${limit} bytes that are accepted`, { status: 413 });
  if ((declaredLength(req) ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(req)) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
