import { type Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, OclError } from '../core/errors.ts';
import { type ByteRange, type Gate, type Place, type Source } from '../core/store.ts';

/** Several places that may have a content: the first that has it gives it. Names are not asked for: everything is known by its digest. */
export class AnyOf implements Source {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #sources: readonly Source[];
  /** Which place gave a content, for who has to doubt it. */
  readonly #givers = new Map<Digest, number>();

  /** @param sources not empty, and closed by who opened them */
  constructor(sources: readonly Source[]) {
    this.name = sources.map(({ name }) => name).join(' or ');
    this.gates = sources.flatMap(({ gates }) => gates);
    this.#sources = sources;
  }

  async resolve(digest: string): Promise<Descriptor> {
    return await this.#first(digest, (source) => source.resolve(digest)).then(({ value }) => value);
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const { digest } = descriptor;
    const after = this.#givers.get(digest) ?? 0;
    const { value, index } = await this.#first(digest, (source) => source.open(descriptor, range), after);
    this.#givers.set(digest, index);
    return value;
  }

  /** True: the next place is asked when it is opened once more. */
  doubt(descriptor: Descriptor): boolean {
    const giver = this.#givers.get(descriptor.digest);
    if (giver === undefined) return false;
    if (this.#sources[giver]?.doubt?.(descriptor) === true) return true;
    this.#givers.set(descriptor.digest, giver + 1);
    return giver + 1 < this.#sources.length;
  }

  place(): Place {
    return { kind: 'elsewhere' };
  }

  async *tags(): AsyncGenerator<string> {}

  async *referrers(): AsyncGenerator<Descriptor> {}

  async close(): Promise<void> {}

  async #first<T>(
    digest: string,
    ask: (source: Source) => Promise<T>,
    from = 0,
  ): Promise<{ readonly value: T; readonly index: number }> {
    let missing: unknown;
    for (const [index, source] of this.#sources.entries()) {
      if (index < from) continue;
      try {
        return { value: await ask(source), index };
      } catch (error) {
        if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
        missing = error;
      }
    }
    throw missing ?? new OclError('OCL_NOT_FOUND', `Cannot read ${digest}: ${this.name} does not have it`);
  }
}
