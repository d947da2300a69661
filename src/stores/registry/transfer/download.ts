import { Readable } from 'node:stream';
import { OclError } from '../../../core/errors.ts';
import { printable } from '../../../core/redact.ts';
import { type ByteRange } from '../../../core/store.ts';
import { header, type HttpHeaders } from '../../../io/httpMessages.ts';
import { isTemporary } from '../../../io/retry.ts';
import { type Answer } from '../answer.ts';
import { type RegistryClient } from '../client.ts';
import { hasStatus } from '../errors.ts';
import { type Turn } from '../turns.ts';

export interface Wanted {
  /** Bytes of the whole content. */
  readonly size: number;
  readonly range: ByteRange | undefined;
  /** Completes "Cannot …". */
  readonly action: string;
  /** Asks for the content, from an offset on if one is given. 200, 206 and 416 are handed back. */
  ask(headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer>;
  /** Told once, when the content has to be put together of several answers. */
  onPieced?(): void;
}

/** Bytes that count as progress: after so many a new break has all its tries again. */
const PROGRESS = 1 << 20;

/** What storages behind registries answer when the signed address that leads to them has expired: the registry gives a new one. */
const EXPIRED = [400, 401, 403] as const;

/**
 * A stream that survives broken connections: it asks for the rest from where it stands (spec regsync.md 6, "short read").
 * The first answer is awaited, so that what is missing fails here. Never hands out a byte of the wrong offset. Whether the parts belong
 * together is for the digest to say, which no ETag could do better: there is no If-Range.
 */
export async function download(client: RegistryClient, wanted: Wanted): Promise<Readable> {
  const { size, range } = wanted;
  const start = range?.start ?? 0;
  const end = Math.min(range?.end ?? size - 1, size - 1);
  if (start > end) {
    if (range !== undefined) return Readable.from([]);
    // An empty blob is asked for all the same, for it may not be there.
  }
  const abort = new AbortController();
  const follow = (): void => abort.abort(client.signal?.reason);
  client.signal?.throwIfAborted();
  client.signal?.addEventListener('abort', follow, { once: true });
  const release = (): void => client.signal?.removeEventListener('abort', follow);
  const whole = range === undefined || (start === 0 && end === size - 1);
  const transfer = new Transfer(client, wanted, { start, end, abort });
  try {
    transfer.take(await wanted.ask(whole ? {} : rangeHeader(start, end, size), abort.signal));
  } catch (error) {
    release();
    throw error;
  }
  return new DownloadStream(transfer, release);
}

function rangeHeader(start: number, end: number, size: number): Record<string, string> {
  return { range: end === size - 1 ? `bytes=${start}-` : `bytes=${start}-${end}` };
}

class Transfer {
  readonly #client: RegistryClient;
  readonly #wanted: Wanted;
  readonly #end: number;
  readonly #abort: AbortController;
  readonly #turn: Turn;
  #pieced = false;
  /** The offset of the next byte that is handed out. */
  #at: number;
  /** Bytes of the present answer that come before it. */
  #skip = 0;
  #answer: Answer | undefined;
  #breaks = 0;
  #lastBreak: number;

  constructor(client: RegistryClient, wanted: Wanted, span: { start: number; end: number; abort: AbortController }) {
    this.#client = client;
    this.#turn = client.turns.turn();
    this.#wanted = wanted;
    this.#at = span.start;
    this.#lastBreak = span.start;
    this.#end = span.end;
    this.#abort = span.abort;
  }

  /** Accepts an answer when it can go on from here. @throws OCL_REGISTRY, OCL_SIZE_MISMATCH */
  take(answer: Answer): void {
    try {
      this.#check(answer);
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
    this.#answer = answer;
  }

  #check(answer: Answer): void {
    if (answer.status === 416)
      throw this.#fault(
        `the registry has nothing at byte ${this.#at}, although the content has ${this.#wanted.size} bytes`,
        'OCL_SIZE_MISMATCH',
      );
    if (answer.status === 206) {
      checkContentRange(answer.headers, this.#at, this.#wanted.size, this.#wanted.action);
      this.#skip = 0;
    } else {
      const announced = lengthOf(answer.headers);
      if (announced !== undefined && announced !== this.#wanted.size) {
        throw this.#fault(`${announced} bytes are offered instead of ${this.#wanted.size}`, 'OCL_SIZE_MISMATCH');
      }
      this.#skip = this.#at;
    }
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      try {
        yield* this.#present();
        if (this.#isDone()) return;
        await this.#pause(this.#fault(`${this.#at} of ${this.#wanted.size} bytes came`, 'OCL_SIZE_MISMATCH'));
      } catch (error) {
        if (!isTemporary(error)) throw error;
        if (this.#at > this.#end) return;
        this.#turn.broke();
        await this.#pause(error);
      }
      this.#answer?.body.destroy();
      if (!this.#pieced) this.#wanted.onPieced?.();
      this.#pieced = true;
      this.take(await this.#askRest());
    }
  }

  async #askRest(): Promise<Answer> {
    for (;;) {
      try {
        return await this.#wanted.ask(rangeHeader(this.#at, this.#end, this.#wanted.size), this.#abort.signal);
      } catch (error) {
        const elsewhere = this.#answer?.url.origin !== this.#client.base.origin;
        if (!elsewhere || !hasStatus(error, ...EXPIRED)) throw error;
        await this.#pause(error);
      }
    }
  }

  /** What the present answer gives, from the present offset to the end of what is wanted. */
  async *#present(): AsyncGenerator<Uint8Array> {
    const body = this.#answer?.body as AsyncIterable<Uint8Array> | undefined;
    if (body === undefined) return;
    const ranged = this.#wanted.range !== undefined;
    for await (const piece of body) {
      const rest = this.#skip >= piece.length ? undefined : piece.subarray(this.#skip);
      this.#skip = Math.max(0, this.#skip - piece.length);
      if (rest === undefined) continue;
      const left = this.#end + 1 - this.#at;
      if (rest.length > left && !ranged)
        throw this.#fault(`more than ${this.#wanted.size} bytes came`, 'OCL_SIZE_MISMATCH');
      const chunk = rest.length > left ? rest.subarray(0, left) : rest;
      this.#at += chunk.length;
      if (chunk.length > 0) yield chunk;
      if (ranged && this.#at > this.#end) return;
    }
  }

  /** Whether a body that ended without an error was all. A whole answer in HTTP's chunks says where it ends; a part, or one without a length, may go on. */
  #isDone(): boolean {
    if (this.#at > this.#end) return true;
    return this.#answer?.status === 200 && this.#answer.headers.has('transfer-encoding');
  }

  async #pause(error: Error): Promise<void> {
    if (this.#at - this.#lastBreak >= PROGRESS) this.#breaks = 0;
    this.#lastBreak = this.#at;
    this.#breaks++;
    const pause = this.#breaks < this.#client.retry.tries ? this.#turn.pause(this.#breaks, undefined) : undefined;
    if (pause === undefined) throw error;
    await this.#turn.wait(pause, this.#abort.signal);
  }

  #fault(why: string, code: 'OCL_SIZE_MISMATCH' | 'OCL_REGISTRY'): OclError {
    return new OclError(code, `Cannot ${this.#wanted.action}: ${why}`);
  }

  stop(): void {
    this.#abort.abort(new OclError('OCL_CANCELLED', `Cannot ${this.#wanted.action}: the rest is not wanted`));
    this.#answer?.body.destroy();
  }
}

/** Unlike Readable.from, this lets go of the connection at once when it is destroyed while it waits for bytes. */
class DownloadStream extends Readable {
  readonly #transfer: Transfer;
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #release: () => void;

  constructor(transfer: Transfer, release: () => void) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#transfer = transfer;
    this.#chunks = transfer.chunks();
    this.#release = release;
  }

  override _read(): void {
    this.#chunks.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#release();
    this.#transfer.stop();
    done(error);
  }
}

function lengthOf(headers: HttpHeaders): number | undefined {
  const value = header(headers, 'content-length');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function checkContentRange(headers: HttpHeaders, start: number, size: number, action: string): void {
  const value = header(headers, 'content-range') ?? '';
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value.trim());
  const fits =
    match !== null &&
    Number(match[1]) === start &&
    Number(match[2]) >= start &&
    (match[3] === '*' || Number(match[3]) === size);
  if (!fits)
    throw new OclError(
      'OCL_REGISTRY',
      `Cannot ${action}: bytes from ${start} on were asked for, and "${printable(value.slice(0, 100))}" came`,
    );
}
