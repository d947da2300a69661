import { type Clock } from '../../src/core/clock.ts';
import { type Graph, type Piece } from './graphs.ts';
import { reply, startScriptedServer, type Handler, type ScriptedServer, type Seen } from './scriptedServer.ts';

export interface LimitedOptions {
  readonly clock: Clock;
  /** Pulls in a window. */
  readonly limit: number;
  /** Seconds. */
  readonly window: number;
  /** `reset`: all pulls come back at once, and the headers say when; `slide`: one after the other, and they do not. */
  readonly kind: 'reset' | 'slide';
  /** Seconds of `Retry-After` with a 429. */
  readonly retryAfter?: number;
  /** Whether an answer tells of limits; all do when it is not given. */
  readonly tells?: (request: Seen) => boolean;
}

/** A registry that is only read, and that counts the manifests which it hands out as Docker Hub does: HEAD is free. */
export interface LimitedRegistry extends ScriptedServer {
  /** Pulls that are left. */
  readonly remaining: number;
  /** The least that was ever left. */
  readonly lowest: number;
  readonly pulls: number;
  readonly refused: number;
}

/** @param images by `repository:tag` */
export async function startLimitedRegistry(
  images: Readonly<Record<string, Graph>>,
  { clock, limit, window, kind, retryAfter, tells = () => true }: LimitedOptions,
): Promise<LimitedRegistry> {
  const pieces = new Map<string, Piece>();
  for (const graph of Object.values(images))
    for (const piece of graph.pieces) pieces.set(piece.descriptor.digest, piece);
  const count = { left: limit, lowest: limit, pulls: 0, refused: 0, since: clock.now() };

  function elapse(): void {
    const now = clock.now();
    const passed = (now - count.since) / 1000;
    if (kind === 'slide') {
      count.left = Math.min(limit, count.left + (passed * limit) / window);
      count.since = now;
    } else if (passed >= window) {
      count.left = limit;
      count.since = now;
    }
  }

  function headers(): Record<string, string> {
    const left = {
      'ratelimit-limit': `${limit};w=${window}`,
      'ratelimit-remaining': `${Math.floor(count.left)};w=${window}`,
    };
    const reset = Math.ceil(window - (clock.now() - count.since) / 1000);
    return kind === 'reset' ? { ...left, 'ratelimit-reset': String(reset) } : left;
  }

  const handler: Handler = (response, request) => {
    elapse();
    const [, listed] = /^\/v2\/(.+)\/tags\/list/.exec(request.path) ?? [];
    if (listed !== undefined) {
      const prefix = `${listed}:`;
      const names = Object.keys(images).filter((name) => name.startsWith(prefix));
      const tags = names.map((name) => name.slice(prefix.length));
      return reply(200, {}, JSON.stringify({ name: listed, tags }))(response, request);
    }
    const [, repository = '', what = '', name = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^?]+)/.exec(request.path) ?? [];
    const digest = images[`${repository}:${name}`]?.root.digest ?? name;
    const piece = pieces.get(digest);
    if (piece === undefined) return reply(request.path === '/v2/' ? 200 : 404)(response, request);
    const { mediaType } = piece.descriptor;
    const content = { 'content-type': mediaType, 'docker-content-digest': digest };
    if (what === 'blobs') return reply(200, content, piece.bytes)(response, request);
    if (request.method === 'GET' && count.left < 1) {
      count.refused++;
      const pause: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
      const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] });
      return reply(429, { ...(tells(request) ? headers() : {}), ...pause }, body)(response, request);
    }
    if (request.method === 'GET') {
      count.pulls++;
      count.left--;
      count.lowest = Math.min(count.lowest, count.left);
    }
    return reply(200, { ...content, ...(tells(request) ? headers() : {}) }, piece.bytes)(response, request);
  };
  const server = await startScriptedServer({ '*': handler });
  return {
    ...server,
    get remaining() {
      return count.left;
    },
    get lowest() {
      return count.lowest;
    },
    get pulls() {
      return count.pulls;
    },
    get refused() {
      return count.refused;
    },
  };
}
