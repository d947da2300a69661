import { createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer as createWebServer } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { TemporaryFile } from '../../src/io/atomicFile.ts';
import { FileRange } from '../../src/io/fileRange.ts';
import { createHttp } from '../../src/io/http.ts';
import { header, type Http } from '../../src/io/httpMessages.ts';
import { givePiece, isPiece, lendPiece, retireSlab, takeSlab } from '../../src/io/slabPool.ts';
import { TAR_END, tarFile } from '../../src/io/tarball.ts';
import { tarMembers } from '../../src/io/tarStream.ts';
import { describe as describing, verifying, verifyInto } from '../../src/io/verify.ts';
import { noise } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** More than the pool has in all. */
const MANY = 60;

/** Whether the pool still gives memory that threads share; what was taken to find out goes back. */
function hasSlabs(): boolean {
  const slab = takeSlab();
  const shared = isPiece(slab);
  retireSlab(slab);
  return shared;
}

async function serverThat(answers: (socket: Socket) => void): Promise<{ readonly http: Http; readonly url: URL }> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('data', () => answers(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttp({ userAgent: 'test' });
  closing.push(() => server.close());
  closing.push(() => http.close());
  return { http, url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`) };
}

it('the pool has its slabs again after many connections that nobody took', async () => {
  const { http, url } = await serverThat(() => {});
  // Nothing listens there.
  url.port = '1';
  for (let i = 0; i < MANY; i++) await expect(http.request({ method: 'HEAD', url })).rejects.toThrow('refused');
  expect(hasSlabs()).toBe(true);
});

it('a header that comes in two is whole, also when the pool has no more to give', async () => {
  const taken = Array.from({ length: MANY }, () => takeSlab());
  closing.push(() => taken.forEach(retireSlab));
  expect(taken.some((slab) => !isPiece(slab))).toBe(true);
  const { http, url } = await serverThat((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ndocker-content-digest: sha256:abc', () => void sendRest(socket));
  });
  // The first half is read before the second is sent.
  const sendRest = async (socket: Socket): Promise<void> => {
    for (let i = 0; i < 20; i++) await turn();
    socket.write('def\r\nx-other: here\r\ncontent-length: 0\r\n\r\n');
  };
  const { headers } = await http.request({ method: 'GET', url });
  expect(header(headers, 'docker-content-digest')).toBe('sha256:abcdef');
  expect(header(headers, 'x-other')).toBe('here');
});

it('files of a tar that are cut out of one slab are what was verified', async () => {
  const directory = await temporary();
  const contents = [10_000, 300_000, 2_000_000, 4, 700_000, 900_000, 50_000].map((size, i) => noise(size, i));
  const path = join(directory, 'x.tar');
  await writeFile(path, Buffer.concat([...contents.map((bytes, i) => tarFile(`f${i}`, bytes)), TAR_END]));
  for (let round = 0; round < 5; round++) {
    const handle = await open(path);
    const { size } = await handle.stat();
    const stream = new FileRange(handle, { start: 0, length: size, owned: true }) as AsyncIterable<Buffer>;
    let at = 0;
    for await (const member of tarMembers(stream)) {
      const file = await TemporaryFile.create(directory, 0o644);
      const descriptor = describing(contents[at] as Buffer, 'application/octet-stream');
      await verifyInto(Readable.from(member.body(), { objectMode: false }), descriptor, (chunk) => file.write(chunk));
      await file.moveTo(join(directory, `f${at}`));
      at++;
    }
    for (const [i, bytes] of contents.entries())
      expect(hash(await readFile(join(directory, `f${i}`)))).toBe(hash(bytes));
  }
});

it('a slab is used again when its last piece is back, and not before', () => {
  const slab = takeSlab();
  const pieces = [lendPiece(slab, 0, 10), lendPiece(slab, 10, 20)];
  retireSlab(slab);
  for (const piece of pieces) {
    expect(isPiece(piece)).toBe(true);
    givePiece(piece);
  }
  expect(isPiece(slab)).toBe(false);
});

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('contents that are sent lie in memory of the pool all the way, and come as they were to who reads slowly', async () => {
  const sizes = [40 << 20, (33 << 20) + 77, 9 << 20];
  const contents = sizes.map((size, i) => noise(size, i));
  const path = join(await temporary(), 'contents');
  await writeFile(path, Buffer.concat(contents));
  const arrived: string[] = [];
  const server = createWebServer((req, res) => {
    const read = async (): Promise<void> => {
      const hash = createHash('sha256');
      for await (const chunk of req as AsyncIterable<Buffer>) {
        hash.update(chunk);
        await turn();
      }
      arrived.push(`sha256:${hash.digest('hex')}`);
      res.end();
    };
    void read();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttp({ userAgent: 'test' });
  closing.push(() => server.close());
  closing.push(() => http.close());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  let others = 0;
  const send = async (i: number): Promise<void> => {
    const content = contents[i] as Buffer;
    const start = sizes.slice(0, i).reduce((sum, size) => sum + size, 0);
    const opened = async (): Promise<Readable> => {
      const range = new FileRange(await open(path), { start, length: content.length, owned: true });
      range.on('data', (piece: Buffer) => {
        if (piece.length === 1 << 20 && !isPiece(piece)) others++;
      });
      range.pause();
      return verifying(range, describing(content, 'application/octet-stream'), true);
    };
    const { status } = await http.request({ method: 'PUT', url, body: { size: content.length, open: opened } });
    expect(status).toBe(200);
  };
  for (let round = 0; round < 3; round++) {
    await Promise.all(sizes.map((_, i) => send(i)));
    const wanted = contents.map((content) => describing(content, '').digest);
    expect(arrived.splice(0).toSorted()).toEqual(wanted.toSorted());
  }
  expect(others).toBe(0);
  expect(hasSlabs()).toBe(true);
});
