import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { addressesOf, connectToAny } from '../../src/io/probe.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(host: string): Promise<number> {
  const server = createServer(
    (socket) =>
      void socket
        .on('error', () => {})
        .on('end', () => socket.end())
        .resume(),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

const live = new AbortController().signal;

/** Elsewhere this machine has one address of its own alone. */
const alone = process.platform !== 'linux';

describe('connecting to all addresses of a name', () => {
  it.skipIf(alone)('takes the first that answers, and keeps no other connection', async () => {
    const port = await listen('0.0.0.0');
    const { attempts, socket } = await connectToAny(['127.0.0.1', '127.0.0.2', '127.0.0.3'], port, live);
    expect(attempts.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    expect(attempts.map(({ result }) => result).toSorted()).toEqual(['connected', 'left', 'left']);
    expect(attempts.find(({ result }) => result === 'connected')?.address).toBe(socket?.remoteAddress);
    // The server closes only when every connection has ended.
    socket?.end();
  });

  it.skipIf(alone)('does not stop at one that refuses', async () => {
    const port = await listen('127.0.0.1');
    const { attempts, socket } = await connectToAny(['127.0.0.2', '127.0.0.1'], port, live);
    expect(socket?.remoteAddress).toBe('127.0.0.1');
    expect(attempts[0]?.result).toMatch(/^(?:refused|left)$/);
    socket?.end();
  });

  it.skipIf(alone)('tells who refused from who did not answer in time', async () => {
    const port = await listen('127.0.0.1');
    const refused = await connectToAny(['127.0.0.2', '127.0.0.3'], port, live);
    expect([refused.socket, ...refused.attempts.map(({ result, code }) => [result, code])]).toEqual([
      undefined,
      ['refused', 'ECONNREFUSED'],
      ['refused', 'ECONNREFUSED'],
    ]);
    const late = await connectToAny(['127.0.0.1'], port, AbortSignal.abort());
    expect([late.socket, late.attempts[0]?.result]).toEqual([undefined, 'timeout']);
  });

  it('of which there are none fails without an attempt', async () => {
    expect(await connectToAny([], 1, live)).toEqual({ attempts: [], socket: undefined });
  });
});

describe('the addresses of a name', () => {
  it.each([
    ['127.0.0.1', ['127.0.0.1']],
    ['[::1]', ['::1']],
  ])('that is one: %s', async (name, addresses) => expect(await addressesOf(name, live)).toEqual(addresses));

  it('are not waited for longer than the caller does', async () => {
    const reason = new Error('enough');
    await expect(addressesOf('localhost', AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(addressesOf('nowhere.invalid', live)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});
