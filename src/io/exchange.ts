import { Readable } from 'node:stream';
import { OclError } from '../core/errors.ts';
import { ConnectionError, connectionError } from './connectionError.ts';
import { header, NoBody, type HttpHeaders, type HttpRequest, type HttpResponse } from './httpMessages.ts';
import { PaceGuard, type Pace } from './pace.ts';
import { SlabBody, type Flow } from './slabs.ts';
import { type Throttle } from './throttle.ts';

export interface ExchangeOptions {
  readonly spec: HttpRequest;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
  /** Called when the request has its connection. */
  readonly connected: () => void;
  /** That is asked in the target's place. */
  readonly proxy: URL | undefined;
  readonly pace: Pace;
  readonly throttle: Throttle | undefined;
}

/** One request under way: turns the calls of undici into a promise and a stream. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #spec: HttpRequest;
  #controller: Flow | undefined;
  #body: SlabBody | undefined;
  /** The answer, where nothing comes after its header: it is told when it has ended, and its connection can be used again. */
  #bare: HttpResponse | undefined;
  #sent: Readable | undefined;
  #senderError: Error | undefined;
  /** For small answers: until all of it has to be there. */
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#stop(this.#spec.signal?.reason as Error);

  constructor(options: ExchangeOptions) {
    const { spec } = options;
    this.#options = options;
    this.#spec = spec;
    const { total } = options.pace;
    if (spec.content !== true)
      this.#timer = setTimeout(() => this.#expire(`the answer was not complete within ${total / 1000} s`), total);
    spec.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Remembers why the stream that is sent failed, for undici tells it as a failure of the connection. */
  watch(body: Uint8Array | Readable | null): void {
    if (!(body instanceof Readable)) return;
    this.#sent = body;
    body.on('error', (error: Error) => (this.#senderError ??= error));
  }

  onRequestStart(controller: Flow): void {
    this.#controller = controller;
    this.#options.connected();
    if (this.#spec.signal?.aborted === true) this.#abort();
  }

  onResponseStart(controller: Flow, status: number, raw: Record<string, string | string[] | undefined>): void {
    if (status < 200) return;
    const headers = readHeaders(raw);
    const announced = Number(header(headers, 'content-length') ?? Number.NaN);
    if (this.#spec.method === 'HEAD' || status === 204 || status === 304 || announced === 0) {
      this.#bare = { status, headers, body: new NoBody() };
      return;
    }
    const { pace, throttle } = this.#options;
    const slow = (why: string): void => this.#expire(why);
    this.#body = new SlabBody(controller, {
      expected: Number.isSafeInteger(announced) ? announced : undefined,
      pace: new PaceGuard(pace.window, slow),
      throttle,
    });
    this.#options.resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Flow, chunk: Buffer): void {
    this.#body?.receive(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    if (this.#bare !== undefined) this.#options.resolve(this.#bare);
    this.#body?.finish();
  }

  onResponseError(_controller: Flow | undefined, error: Error): void {
    this.#settle();
    const reason = this.#explain(error);
    if (this.#body === undefined) this.#options.reject(reason);
    else this.#body.destroy(reason);
  }

  #expire(why: string): void {
    const error = new ConnectionError(`Cannot reach ${this.#spec.url.origin}: ${why}`, {
      cause: undefined,
      temporary: true,
      unanswered: false,
    });
    if (this.#body === undefined) this.#stop(error);
    else this.#body.destroy(error);
  }

  /** A request that still waits for its connection cannot be told to stop; who waits for it need not wait on. */
  #stop(reason: Error): void {
    if (this.#controller !== undefined) return this.#controller.abort(reason);
    this.#settle();
    this.#options.reject(reason);
  }

  #explain(error: Error): Error {
    const { signal, url } = this.#spec;
    if (signal?.aborted === true) return signal.reason as Error;
    if (this.#senderError instanceof OclError) return this.#senderError;
    if (error instanceof OclError) return error;
    return connectionError(error, url, {
      answered: (this.#body ?? this.#bare) !== undefined,
      proxy: this.#options.proxy,
    });
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#spec.signal?.removeEventListener('abort', this.#abort);
    // An answer may come before all was sent, and no connection may have been made at all.
    this.#sent?.destroy();
  }
}

function readHeaders(raw: Record<string, string | string[] | undefined>): HttpHeaders {
  const headers = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined) headers.set(name.toLowerCase(), Array.isArray(value) ? value : [value]);
  }
  return headers;
}
