import { Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { type ByteRange, type Gate, type Place, type Source } from '../core/store.ts';

/** One content of a stream that flows by: it can be opened once, or as often as one likes where it was taken whole. */
export class OneShot implements Source {
  readonly name = 'standard input';
  readonly gates: readonly Gate[] = [];
  readonly #content: Uint8Array | AsyncGenerator<Buffer>;
  #opened = false;

  constructor(content: Uint8Array | AsyncGenerator<Buffer>) {
    this.#content = content;
  }

  open(descriptor: Descriptor, range: ByteRange = { start: 0 }): Promise<Readable> {
    const content = this.#content;
    if (content instanceof Uint8Array)
      return Promise.resolve(Readable.from([content.subarray(range.start)], { objectMode: false }));
    if (this.#opened)
      return Promise.reject(
        new OclError('OCL_INCOMPLETE', `Cannot send ${descriptor.digest} once more: ${this.name} has flowed by`, {
          hint: 'run it again: what has arrived is not sent twice; or save the bundle to a file first',
        }),
      );
    this.#opened = true;
    return Promise.resolve(Readable.from(from(content, range.start), { objectMode: false, highWaterMark: 1 }));
  }

  place(): Place {
    return { kind: 'elsewhere' };
  }

  resolve(): Promise<Descriptor> {
    return Promise.reject(new OclError('OCL_NOT_FOUND', `Cannot look for names in ${this.name}`));
  }

  async *tags(): AsyncGenerator<string> {}

  async *referrers(): AsyncGenerator<Descriptor> {}

  async close(): Promise<void> {}
}

/** A sink that has the beginning from an earlier run is given the rest. */
async function* from(content: AsyncGenerator<Buffer>, start: number): AsyncGenerator<Buffer> {
  let position = 0;
  for await (const piece of content) {
    const end = position + piece.length;
    if (end > start) yield start > position ? piece.subarray(start - position) : piece;
    position = end;
  }
}
