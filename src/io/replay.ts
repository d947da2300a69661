import { type Readable } from 'node:stream';

/** A stream that is read once, and whose beginning is kept until it is clear that nobody has to begin again. */
export class Replay {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #stream: Readable;
  #kept: Buffer[] | undefined = [];

  constructor(stream: Readable) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** What comes, from where it stands. Who stops reading leaves the rest for others. */
  forward(): AsyncIterable<Buffer> {
    const next = async (): Promise<IteratorResult<Buffer>> => {
      const result = await this.#chunks.next();
      if (result.done !== true) this.#kept?.push(result.value);
      return result;
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: async () => ({ done: true, value: undefined }) }) };
  }

  /** From here on nothing is kept. */
  settle(): void {
    this.#kept = undefined;
  }

  /** All of it, from the very beginning. Not after `settle`. */
  async *again(): AsyncGenerator<Buffer> {
    yield* this.#kept ?? [];
    this.#kept = undefined;
    yield* this.forward();
  }

  /** Reads no more. */
  close(): void {
    this.#stream.destroy();
  }
}
