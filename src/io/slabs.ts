import { Readable } from 'node:stream';
import { type PaceGuard } from './pace.ts';
import { givePiece, holdPiece, isPiece, lendPiece, retireSlab, SLAB_BYTES, takeSlab } from './slabPool.ts';
import { type Throttle } from './throttle.ts';

/** What a body needs of its connection. */
export interface Flow {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

export interface SlabBodyOptions {
  /** Bytes that the answer announces, if it does. */
  readonly expected: number | undefined;
  readonly pace: PaceGuard | undefined;
  readonly throttle: Throttle | undefined;
}

const FIRST_SLAB = 64 << 10;
/** Bytes: less than that is copied, so that small answers keep no slab. */
const WORTH_HOLDING = 64 << 10;
/** Bytes of neighbours that are handed on together. */
const ENOUGH = SLAB_BYTES / 2;
/** Milliseconds that bytes may lie in a slab that does not fill. */
const LONGEST_REST = 20;

/**
 * The body of an answer in pieces of up to 1 MiB: sockets give 64 KiB at a time, and each piece that wanders through
 * hashing and writing has its price (docs/design: "Where the time goes"). What came into a slab is handed on where it lies.
 */
export class SlabBody extends Readable {
  readonly #flow: Flow;
  readonly #pace: PaceGuard | undefined;
  readonly #throttle: Throttle | undefined;
  readonly #gone: AbortController | undefined;
  /** For what is copied; of the size of a small answer at first. */
  #slab: Buffer | undefined;
  readonly #expected: number;
  #start = 0;
  #end = 0;
  /** What came into the slab of a connection and waits for its neighbour; held. */
  #held: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #complete = false;
  /** The reader has enough for now. */
  #paused = false;
  /** Pieces that flowed ahead of their time. */
  #unpaid = 0;

  constructor(flow: Flow, { expected, pace, throttle }: SlabBodyOptions) {
    // Pieces stay what they are: a stream of bytes would join those that wait, in fresh memory.
    super({ objectMode: true, highWaterMark: 2 });
    this.#flow = flow;
    this.#pace = pace;
    this.#throttle = throttle;
    this.#gone = throttle === undefined ? undefined : new AbortController();
    this.#expected = expected ?? FIRST_SLAB;
    // An answer that nobody reads to its end must not end the process when its connection breaks; readers still see the error.
    this.on('error', () => {});
  }

  /** Takes what the socket gave; the chunk may be reused afterwards, unless it lies in a slab. */
  receive(chunk: Buffer): void {
    if (this.destroyed) return;
    if (chunk.length >= WORTH_HOLDING && isPiece(chunk)) this.#hold(chunk);
    else this.#copy(chunk);
    if (this.#timer === undefined && (this.#end > this.#start || this.#held !== undefined))
      this.#timer = setTimeout(() => this.#flush(), LONGEST_REST);
    this.#pace?.received(chunk.length);
    // A parser that goes on after a pause begins with no bytes; a pause for those would have no end.
    if (this.#throttle !== undefined && chunk.length > 0) void this.#pay(this.#throttle, chunk.length);
  }

  finish(): void {
    this.#complete = true;
    this.#pace?.stop();
    this.#flush();
    this.#retire();
    this.push(null);
  }

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#pace?.stop();
    this.#gone?.abort();
    if (this.#held !== undefined) givePiece(this.#held);
    this.#held = undefined;
    this.#retire();
    if (!this.#complete) this.#flow.abort(error ?? new Error('the rest of the answer is not wanted'));
    this.#complete = true;
    done(error);
  }

  #hold(chunk: Buffer): void {
    const before = this.#held;
    const follows =
      before !== undefined && before.buffer === chunk.buffer && before.byteOffset + before.length === chunk.byteOffset;
    if (follows) this.#held = Buffer.from(chunk.buffer, before.byteOffset, before.length + chunk.length);
    else {
      this.#flush();
      holdPiece(chunk);
      this.#held = chunk;
    }
    if ((this.#held?.length ?? 0) >= ENOUGH) this.#flush();
  }

  #copy(chunk: Buffer): void {
    if (this.#held !== undefined) this.#flush();
    let slab = (this.#slab ??= firstSlab(this.#expected));
    for (let at = 0; at < chunk.length;) {
      if (this.#end === slab.length) slab = this.#renew(slab);
      const count = Math.min(chunk.length - at, slab.length - this.#end);
      slab.set(count === chunk.length ? chunk : chunk.subarray(at, at + count), this.#end);
      this.#end += count;
      at += count;
    }
    if (this.#end === slab.length) this.#flush();
  }

  #renew(slab: Buffer): Buffer {
    this.#flush();
    retireSlab(slab);
    this.#start = 0;
    this.#end = 0;
    return (this.#slab = takeSlab());
  }

  /** Once: afterwards it may be somebody else's. */
  #retire(): void {
    if (this.#slab !== undefined) retireSlab(this.#slab);
    this.#slab = undefined;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const piece = this.#gathered();
    if (piece === undefined) return;
    if (this.destroyed) return givePiece(piece);
    const wanted = this.push(piece);
    if (wanted || this.#complete || this.#paused) return;
    this.#paused = true;
    this.#pause();
  }

  /** What came and was not handed on; of the two ways at most one has something. */
  #gathered(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined || this.#slab === undefined || this.#end === this.#start) return held;
    const piece = lendPiece(this.#slab, this.#start, this.#end);
    this.#start = this.#end;
    return piece;
  }

  async #pay(throttle: Throttle, bytes: number): Promise<void> {
    this.#unpaid++;
    this.#pause();
    try {
      await throttle.take(bytes, this.#gone?.signal);
    } catch {
      // Given up in the meantime.
    }
    this.#unpaid--;
    this.#resume();
  }

  #pause(): void {
    if (this.#complete || this.destroyed) return;
    this.#pace?.pause();
    this.#flow.pause();
  }

  #resume(): void {
    if (this.#paused || this.#unpaid > 0 || this.#complete || this.destroyed) return;
    this.#pace?.resume();
    this.#flow.resume();
  }
}

/** Small answers get memory of their own size. */
function firstSlab(bytes: number): Buffer {
  return bytes >= SLAB_BYTES ? takeSlab() : Buffer.allocUnsafeSlow(Math.max(bytes, 1));
}
