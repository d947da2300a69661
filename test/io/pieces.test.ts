import { createHash, randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttp } from '../../src/io/http.ts';
import { type Http } from '../../src/io/httpMessages.ts';
import { givePiece, isPiece } from '../../src/io/slabPool.ts';

const CONTENTS = Array.from({ length: 4 }, (_, i) => randomBytes((3 << 20) + i * 77_777));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Answers `GET /N` with a content, cut as a busy line cuts it: the header with some of the body, then pieces of any size. */
const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (asked) => {
    for (const [, which = '0'] of asked.toString().matchAll(/GET \/(\d)/g)) {
      const content = CONTENTS[Number(which)] as Buffer;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${content.length}\r\n\r\n`);
      for (let at = 0, size = 1; at < content.length; at += size, size = ((size * 7919) % 300_007) + 1)
        socket.write(content.subarray(at, at + size));
    }
  });
});

let http: Http;
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  http = createHttp({ userAgent: 'test' });
});
afterAll(async () => {
  await http.close();
  server.close();
});

describe('pieces of answers, in memory that is used again and again', () => {
  it('stay what they are until they are given back, however many answers come at once', async () => {
    const counts = { pieces: 0, shared: 0 };
    const read = async (which: number): Promise<string> => {
      const { body } = await http.request({ method: 'GET', url: new URL(`${origin}/${which}`), content: true });
      const hash = createHash('sha256');
      const waiting: Uint8Array[] = [];
      const use = (): void => {
        const piece = waiting.shift();
        if (piece === undefined) return;
        hash.update(piece);
        // Whoever has it now may write to it: nobody does before it is given back.
        givePiece(piece);
      };
      for await (const piece of body as AsyncIterable<Uint8Array>) {
        counts.pieces++;
        if (isPiece(piece)) counts.shared++;
        waiting.push(piece);
        // Some are kept for a while, as by a disk that is slow.
        if (waiting.length > 2) use();
        await new Promise((resolve) => setImmediate(resolve));
      }
      while (waiting.length > 0) use();
      return hash.digest('hex');
    };
    for (let round = 0; round < 8; round++) {
      const which = [0, 1, 2, 3, round % 4];
      expect(await Promise.all(which.map(read))).toEqual(which.map((i) => sha256(CONTENTS[i] as Buffer)));
    }
    // Else nothing of this was tried.
    expect(counts.shared).toBeGreaterThan(counts.pieces / 2);
  });

  it('leave an answer that is given up halfway, and others of that connection pool go on', async () => {
    for (let round = 0; round < 6; round++) {
      const given = await http.request({ method: 'GET', url: new URL(`${origin}/0`), content: true });
      for await (const piece of given.body as AsyncIterable<Uint8Array>) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      const { body } = await http.request({ method: 'GET', url: new URL(`${origin}/1`), content: true });
      const parts: Uint8Array[] = [];
      for await (const piece of body as AsyncIterable<Uint8Array>) parts.push(piece);
      expect(sha256(Buffer.concat(parts))).toBe(sha256(CONTENTS[1] as Buffer));
    }
  });
});
