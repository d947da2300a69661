import { type Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { type ByteRange, type Gate, type Place, type Source } from '../core/store.ts';

/**
 * A source whose contents are taken from a target that has just received them: several targets read their source once.
 * Names, tags and referrers are those of the source itself.
 */
export class NearSource implements Source {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #source: Source;
  readonly #near: Source;
  /** What is damaged at the near one. */
  readonly #doubted = new Set<Digest>();

  constructor(source: Source, near: Source) {
    this.name = source.name;
    this.gates = [...source.gates, ...near.gates];
    this.#source = source;
    this.#near = near;
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#source.resolve(tagOrDigest);
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    if (this.#doubted.has(descriptor.digest)) return await this.#source.open(descriptor, range);
    try {
      return await this.#near.open(descriptor, range);
    } catch (error) {
      // What the near one was not given, has lost or does not hand out, the source still has.
      if (isCode(error, 'OCL_CANCELLED')) throw error;
      return await this.#source.open(descriptor, range);
    }
  }

  doubt(descriptor: Descriptor): boolean {
    if (this.#doubted.has(descriptor.digest)) return this.#source.doubt?.(descriptor) ?? false;
    this.#doubted.add(descriptor.digest);
    return true;
  }

  place(descriptor: Descriptor): Place {
    return this.#near.place(descriptor);
  }

  tags(): AsyncIterable<string> {
    return this.#source.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#source.referrers(subject);
  }

  /** Both belong to whoever opened them. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
