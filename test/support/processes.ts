import { type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createServer } from 'node:net';
import { type AddressInfo } from 'node:net';
import { type Readable } from 'node:stream';
import { ended } from './child.ts';
import { startOcl } from './cli.ts';

/** Waits until a stream says something. @throws when it ends before, with what it said instead */
export async function said(stream: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  return await new Promise((done, fail) => {
    let text = '';
    const listen = (chunk: Buffer): void => {
      text += chunk.toString();
      const found = pattern.exec(text);
      if (found === null) return;
      stream.off('data', listen);
      stream.resume();
      done(found);
    };
    stream.on('data', listen);
    stream.once('close', () => fail(new Error(`it ended without saying ${String(pattern)}, but: ${text}`)));
  });
}

export interface Served {
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Stops it as Ctrl-C does. Its exit status. */
  stop(): Promise<number | null>;
}

/** `ocl serve` on a free port. */
export async function startServe(place: string, args: readonly string[] = []): Promise<Served> {
  const child = startOcl(['serve', place, '--listen', '127.0.0.1:0', ...args]);
  child.stdout.resume();
  const gone = ended(child);
  const [, host = ''] = await said(child.stderr, /at http:\/\/([\d.:]+)[ ;]/);
  return {
    host,
    child,
    async stop() {
      child.kill('SIGINT');
      return await gone;
    },
  };
}

export interface Listener {
  readonly host: string;
  /** How many connections were made. */
  readonly count: () => number;
  close(): Promise<void>;
}

/** A door at which nobody should knock. */
export async function countConnections(): Promise<Listener> {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.destroy();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    close: async () => void (await new Promise((done) => server.close(done))),
  };
}
