import { connect, type LookupFunction, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Bytes that one read of the system may bring. Node's own sockets ask for 64 KiB at a time, in fresh memory for each read. */
const WIDTH = 512 << 10;

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
  /** Finds the addresses of the host; absent: as the system does. */
  readonly lookup?: LookupFunction | undefined;
}

/**
 * A TCP connection that reads into one large buffer of its own, again and again. What the reader has not taken by the end of a read is
 * copied, and reading stops until it is; so the buffer may be reused. For plain connections: TLS hands out its own memory.
 */
export class WideSocket extends Duplex {
  readonly #socket: Socket;
  #pending: Buffer | undefined;
  #stopped = false;
  /** undici asks which protocol was agreed on; without TLS there is none. */
  readonly alpnProtocol: string | undefined = undefined;

  constructor(options: WideSocketOptions) {
    super({ allowHalfOpen: true });
    const memory = Buffer.allocUnsafeSlow(WIDTH);
    this.#socket = connect({
      host: options.host,
      port: options.port,
      ...ADDRESSING,
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      onread: { buffer: memory, callback: (count: number) => this.#take(memory.subarray(0, count)) },
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

  /** What came last and was not taken yet. Stands in for the queue of streams, which could not be told that its memory is reused. */
  override read(): Buffer | null {
    const pending = this.#pending;
    this.#pending = undefined;
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

  /** True: the memory is free again, go on reading. */
  #take(bytes: Buffer): boolean {
    this.#pending = bytes;
    // Who listens takes it now, while the bytes are what they are.
    this.emit('readable');
    if (this.#pending === undefined || this.destroyed) return true;
    this.#pending = Buffer.from(this.#pending);
    this.#stopped = true;
    return false;
  }
}

function timedOut({ host, port, timeout }: WideSocketOptions): Error {
  return Object.assign(new Error(`no connection to ${host}:${port} within ${timeout} ms`), {
    code: 'UND_ERR_CONNECT_TIMEOUT',
  });
}
