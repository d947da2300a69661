import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

export interface SlowRegistry {
  readonly host: string;
  /** Resolved when somebody waits for the slow content. */
  readonly asked: Promise<void>;
  /** From now on it is as fast as the others. */
  release(): void;
  close(): Promise<void>;
}

const DRIP_BYTES = 1024;
const DRIP_MS = 20;

/** A registry in front of another, for reading, in which one content drips until it is released. */
export async function startSlowRegistry(upstream: string, slowDigest: string): Promise<SlowRegistry> {
  const stop = new AbortController();
  let ask: () => void = () => {};
  const asked = new Promise<void>((done) => {
    ask = done;
  });
  const server = createServer((request, response) => {
    void (async () => {
      const { method = 'GET', url = '/', headers } = request;
      const asks = Object.entries(headers).filter(([name]) => name === 'accept' || name === 'range');
      const answer = await fetch(`http://${upstream}${url}`, { method, headers: asks as [string, string][] });
      const body = Buffer.from(await answer.arrayBuffer());
      const { connection: _hop, ...kept } = Object.fromEntries(answer.headers);
      response.writeHead(answer.status, kept);
      const slow = method === 'GET' && url.endsWith(slowDigest) && !stop.signal.aborted;
      if (slow) ask();
      response.end(slow ? await drip(response, body, stop.signal) : body);
    })();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    release: () => stop.abort(),
    async close() {
      stop.abort();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Gives half at once, then a little now and then. Answers what is left when it is released. */
async function drip(response: ServerResponse, body: Buffer, stop: AbortSignal): Promise<Buffer> {
  let at = body.length >> 1;
  response.write(body.subarray(0, at));
  await new Promise<void>((done) => {
    const timer = setInterval(() => {
      response.write(body.subarray(at, at + DRIP_BYTES));
      at += DRIP_BYTES;
    }, DRIP_MS);
    stop.addEventListener('abort', () => {
      clearInterval(timer);
      done();
    });
  });
  return body.subarray(at);
}
