import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock } from '../../core/clock.ts';
import { type ServerMetrics } from './metrics.ts';
import { PAGE_POLICY, pageOf } from './page.ts';
import { statusOf } from './status.ts';
import { isAlive, isReady, type ServerView } from './view.ts';

export interface EndpointOptions {
  readonly view: ServerView;
  readonly metrics: ServerMetrics;
  readonly clock: Clock;
}

export interface Endpoints {
  /** Answers one request; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const PLAIN = 'text/plain; charset=utf-8';
const ALWAYS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': PAGE_POLICY,
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept',
  'X-Content-Type-Options': 'nosniff',
};

/** Answers for people and machines that watch a server: /healthz, /readyz, /metrics, /status. It only tells; nothing is changed. */
export function createEndpoints(options: EndpointOptions): Endpoints {
  const { view, metrics, clock } = options;

  async function answer(req: IncomingMessage): Promise<Answer> {
    if (req.method !== 'GET' && req.method !== 'HEAD')
      return { ...plain(405, 'only GET and HEAD'), headers: { Allow: 'GET, HEAD' } };
    if (hasBody(req)) return plain(413, 'no content is accepted');
    const now = clock.now();
    switch ((req.url ?? '/').split('?')[0]) {
      case '/healthz':
        return isAlive(view, now) ? plain(200, 'ok') : plain(503, 'the server does not look at the clock any more');
      case '/readyz':
        return isReady(view, now) ? plain(200, 'ok') : plain(503, view.phase);
      case '/metrics':
        return { status: 200, type: metrics.contentType, body: await metrics.text() };
      case '/':
      case '/status': {
        const status = statusOf(view, now);
        return wantsPage(req.headers.accept)
          ? { status: 200, type: 'text/html; charset=utf-8', body: pageOf(status) }
          : { status: 200, type: 'application/json', body: `${JSON.stringify(status)}\n` };
      }
      default:
        return plain(404, 'there is /healthz, /readyz, /metrics and /status');
    }
  }

  return {
    handle(req, res) {
      answer(req)
        .catch((): Answer => plain(500, 'the server failed'))
        .then((done) => send(req, res, done))
        .catch(() => void res.destroy());
    },
  };
}

function plain(status: number, words: string): Answer {
  return { status, type: PLAIN, body: `${words}\n` };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function send(req: IncomingMessage, res: ServerResponse, { status, type, body, headers }: Answer): void {
  const bytes = Buffer.from(body, 'utf8');
  // What was sent along is not read: the connection ends here.
  if (hasBody(req)) {
    res.setHeader('Connection', 'close');
    res.once('finish', () => req.socket.destroySoon());
  }
  res.writeHead(status, { ...ALWAYS, ...headers, 'Content-Type': type, 'Content-Length': bytes.length });
  res.end(req.method === 'HEAD' ? undefined : bytes);
}

/** Browsers name HTML before all else; who names neither gets JSON. */
function wantsPage(accept = ''): boolean {
  const kinds = accept
    .slice(0, 1000)
    .split(',')
    .map((part) => part.split(';').map((piece) => piece.trim().toLowerCase()));
  const weight = (type: string): number => {
    const found = kinds.find(([name]) => name === type);
    if (found === undefined) return -1;
    const q = found.find((piece) => piece.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  };
  return weight('text/html') > Math.max(0, weight('application/json'));
}
