// What stands between a competitor and a registry: a longer way, or somebody who counts.
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';

/** Forwards HTTP as it comes and counts the requests by method. */
export class CountingProxy {
  host;
  /** Method to number. */
  counts = {};
  #server;
  #agent = new Agent({ keepAlive: true });

  /** @param upstream a registry, whose `host` may change until the first request */
  constructor(upstream) {
    this.#server = createHttpServer((asked, answer) => {
      const { method, url, headers } = asked;
      this.counts[method] = (this.counts[method] ?? 0) + 1;
      const [hostname, port] = upstream.host.split(':');
      const onward = request({ hostname, port, method, path: url, headers, agent: this.#agent });
      onward.on('response', (response) => {
        answer.writeHead(response.statusCode, response.headers);
        response.pipe(answer);
      });
      onward.on('error', () => answer.destroy());
      asked.on('error', () => onward.destroy());
      asked.pipe(onward);
    });
  }

  async start() {
    this.host = await listening(this.#server);
  }

  /** What was counted since the last call. */
  take() {
    const counts = this.counts;
    this.counts = {};
    return counts;
  }

  async stop() {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/**
 * Passes bytes on, each after half a round trip, as a long line of any width would: what is under way does not wait for what is
 * before it. A connection costs a round trip more, for the handshake that loopback does not have.
 */
export class DelayLine {
  host;
  #server;
  #sockets = new Set();

  /** @param milliseconds of a round trip */
  constructor(upstream, milliseconds) {
    this.#server = createServer({ noDelay: true }, (near) => {
      const [hostname, port] = upstream.host.split(':');
      const far = connect({ host: hostname, port: Number(port), noDelay: true });
      const opened = performance.now();
      for (const socket of [near, far]) this.#keep(socket);
      carry(near, far, milliseconds / 2, opened + milliseconds);
      carry(far, near, milliseconds / 2, opened);
    });
  }

  async start() {
    this.host = await listening(this.#server);
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
  }
}

/** Bytes under way in one direction of one connection, as TCP bounds them: one connection carries 4 MiB a round trip. */
const WINDOW = 2 << 20;

function carry(from, to, delay, notBefore) {
  const line = [];
  let bytes = 0;
  let timer;
  const send = () => {
    timer = undefined;
    const now = performance.now();
    while (line.length > 0 && line[0].due <= now && !to.writableNeedDrain) {
      const { piece } = line.shift();
      if (piece === undefined) return to.end();
      bytes -= piece.length;
      to.write(piece);
    }
    if (bytes < WINDOW && from.isPaused()) from.resume();
    if (to.writableNeedDrain) to.once('drain', send);
    else if (line.length > 0) timer = setTimeout(send, line[0].due - performance.now());
  };
  const add = (piece) => {
    const due = Math.max(performance.now(), notBefore) + delay;
    line.push({ piece, due });
    bytes += piece?.length ?? 0;
    if (bytes >= WINDOW) from.pause();
    if (!to.writableNeedDrain) timer ??= setTimeout(send, due - performance.now());
  };
  from.on('data', add).on('end', () => add(undefined));
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
  to.on('close', () => clearTimeout(timer));
}

async function listening(server) {
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return `127.0.0.1:${server.address().port}`;
}
