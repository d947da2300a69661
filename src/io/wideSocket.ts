import { connect, type LookupFunction, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { givePiece, holdPiece, retireSlab, takeSlab } from './slabPool.ts';

/** Bytes that a read of the system has to have room for. Node's own sockets ask for 64 KiB at a time, in fresh memory for each read. */
const ROOM = 128 << 10;
const NOTHING = Buffer.alloc(0);

/**
 * How a name with several addresses is connected to: one after the other, and both families in turn (RFC 8305). A quarter of a second for
 * each, as Node has it, is less than the way to the other side of the world and back takes on a busy line.
 */
export const ADDRESSING = { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 500 } as const;

export interface WideSocketOptions {
  readonly host: string;
  readonly port: number;
  /** Milliseconds. */
  readonly timeout: number;
  /** Finds the addresses of the host. */
  readonly lookup: LookupFunction;
}

/**
 * A TCP connection that reads into slabs of the pool, one read behind the other: who holds a piece of what was read (`slabPool`) may pass
 * it on as it is. What the reader has not taken by the end of a read waits, and reading stops until it is taken. For plain connections:
 * TLS hands out its own memory.
 */
export class WideSocket extends Duplex {
  readonly #socket: Socket;
  #slab: Buffer | undefined;
  /** Bytes of the slab that were read into. */
  #filled = 0;
  /** The slab before this one; held. */
  #before: Buffer | undefined;
  /** What the reader may be looking at; held, so that its slab is not used again meanwhile. */
  #inUse: Buffer | undefined;
  #pending: Buffer | undefined;
  #stopped = false;
  /** undici asks which protocol was agreed on; without TLS there is none. */
  readonly alpnProtocol: string | undefined = undefined;

  constructor(options: WideSocketOptions) {
    super({ allowHalfOpen: true });
    this.#socket = connect({
      host: options.host,
      port: options.port,
      ...ADDRESSING,
      lookup: options.lookup,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      onread: { buffer: () => this.#room(), callback: (count: number) => this.#take(count) },
    });
    const timer = setTimeout(() => this.destroy(timedOut(options)), options.timeout);
    this.#socket
      .once('connect', () => {
        clearTimeout(timer);
        this.emit('connect');
      })
      .on('error', (error) => this.destroy(error))
      .on('end', () => this.emit('end'))
      .on('close', () => {
        clearTimeout(timer);
        this.destroy();
      });
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** What came last and was not taken yet; good until the next call. Stands in for the queue of streams, which could not be told so. */
  override read(): Buffer | null {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) this.#release();
    if (this.#stopped) {
      this.#stopped = false;
      this.#socket.resume();
    }
    return pending ?? null;
  }

  /** What was taken and not wanted yet. Nothing more is read until it is: what comes next would take its place. */
  override unshift(chunk: Buffer): void {
    this.#pending = chunk;
    this.#stopped = true;
    this.#socket.pause();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const { chunk } of chunks.slice(0, -1)) this.#socket.write(chunk);
    this.#socket.write(chunks.at(-1)?.chunk ?? Buffer.alloc(0), done);
    this.#socket.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    this.#release();
    this.#letGo();
    if (this.#slab !== undefined) retireSlab(this.#slab);
    this.#slab = undefined;
    done(error);
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  /** Where the next read goes. */
  #room(): Buffer {
    // Node asks once more behind a read that was the last.
    if (this.destroyed) return NOTHING;
    let slab = this.#slab ?? takeSlab();
    if (slab.length - this.#filled < ROOM) {
      this.#letGo();
      // undici looks at the beginning of a header until its end is there, which may be in the next slab.
      holdPiece(slab);
      this.#before = slab;
      retireSlab(slab);
      slab = takeSlab();
      this.#filled = 0;
    }
    this.#slab = slab;
    return slab.subarray(this.#filled);
  }

  /** True: go on reading. */
  #take(count: number): boolean {
    const bytes = this.#slab?.subarray(this.#filled, this.#filled + count) ?? Buffer.alloc(0);
    this.#filled += count;
    this.#release();
    holdPiece(bytes);
    this.#inUse = bytes;
    this.#pending = bytes;
    // Who listens takes it now.
    this.emit('readable');
    if (this.#pending === undefined || this.destroyed) {
      this.#release();
      return true;
    }
    this.#stopped = true;
    return false;
  }

  #letGo(): void {
    if (this.#before !== undefined) givePiece(this.#before);
    this.#before = undefined;
  }

  #release(): void {
    if (this.#inUse !== undefined) givePiece(this.#inUse);
    this.#inUse = undefined;
  }
}

function timedOut({ host, port, timeout }: WideSocketOptions): Error {
  return Object.assign(new Error(`no connection to ${host}:${port} within ${timeout} ms`), {
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
}
