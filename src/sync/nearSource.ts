import { type Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { SourceView } from '../core/sourceView.ts';
import { type ByteRange, type Place, type Source } from '../core/store.ts';

/**
 * A source whose contents are taken from a target that has just received them: several targets read their source once.
 * Names, tags and referrers are those of the source itself.
 */
export class NearSource extends SourceView {
  readonly #near: Source;
  /** What is damaged at the near one. */
  readonly #doubted = new Set<Digest>();

  constructor(source: Source, near: Source) {
    super(source, { gates: [...source.gates, ...near.gates] });
    this.#near = near;
  }

  override async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    if (this.#doubted.has(descriptor.digest)) return await super.open(descriptor, range);
    try {
      return await this.#near.open(descriptor, range);
    } catch (error) {
      // What the near one was not given, has lost or does not hand out, the source still has.
      if (isCode(error, 'OCL_CANCELLED')) throw error;
      return await super.open(descriptor, range);
    }
  }

  override doubt(descriptor: Descriptor): boolean {
    if (this.#doubted.has(descriptor.digest)) return super.doubt(descriptor);
    this.#doubted.add(descriptor.digest);
    return true;
  }

  override place(descriptor: Descriptor): Place {
    return this.#near.place(descriptor);
  }
}
