import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { guardedLookup } from '../../src/io/lookups.ts';
import { WideSocket } from '../../src/io/wideSocket.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function connectTo(serve: (socket: Socket) => void): Promise<WideSocket> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = new WideSocket({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    timeout: 5000,
    lookup: guardedLookup,
  });
  cleanups.push(() => {
    socket.destroy();
    server.close();
  });
  return socket;
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('a wide socket', () => {
  it('loses nothing of what its reader takes and gives back, again and again, while more comes', async () => {
    const sent = Buffer.from(Array.from({ length: 4000 }, (_, i) => i % 251));
    let rest: Socket | undefined;
    const socket = await connectTo((peer) => {
      rest = peer;
      peer.write(sent.subarray(0, 1000));
    });
    const taken: Buffer[] = [];
    // As undici does when its parser is paused in the middle: a part is used, the rest given back.
    const takeSome = (): void => {
      const chunk = socket.read();
      if (chunk === null) return;
      taken.push(Buffer.from(chunk.subarray(0, 100)));
      socket.unshift(chunk.subarray(100));
    };
    let ended = false;
    socket.once('end', () => (ended = true));
    const first = new Promise((resolve) => socket.once('readable', resolve));
    socket.once('readable', takeSome);
    await first;
    takeSome();
    rest?.end(sent.subarray(1000));
    await turn();
    takeSome();
    await turn();
    expect(ended).toBe(false);
    const done = new Promise((resolve) => socket.once('end', resolve));
    const takeAll = (): void => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) taken.push(Buffer.from(chunk));
    };
    socket.on('readable', takeAll);
    takeAll();
    await done;
    expect(Buffer.concat(taken).equals(sent)).toBe(true);
  });

  it('goes on to the next address of a name when one does not answer', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('here'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    const socket = new WideSocket({
      host: 'registry.example',
      port: (server.address() as AddressInfo).port,
      timeout: 5000,
      lookup: (_name, _options, done) =>
        done(null, [
          // Nothing listens there.
          { address: '::1', family: 6 },
          { address: '127.0.0.1', family: 4 },
        ]),
    });
    cleanups.push(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    expect(socket.remoteAddress).toBe('127.0.0.1');
  });
});
