import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { toOclError } from '../core/errors.ts';
import { type LocalSource, type Source } from '../core/store.ts';
import { Reach, type ReachOptions } from '../copy/reach.ts';
import { type Collection } from './collection.ts';

interface Held {
  readonly source: Source;
  /** Bytes. */
  readonly size: number;
}

/**
 * Which repositories of a target have what others of it need: what is there already is linked or mounted instead of carried. It is asked for one repository
 * after the other, and only until what was wanted is found. Of a registry the manifests are read.
 */
export class Elsewhere {
  readonly #target: Collection | undefined;
  readonly #first: readonly string[];
  readonly #options: ReachOptions;
  readonly #held = new Map<Digest, Held>();
  #unread: string[] | undefined;

  /**
   * @param target undefined: there is nothing beside what is written to
   * @param first repositories that are looked at before others, and alone where the target has no list of them
   */
  constructor(target: Collection | undefined, first: readonly string[], options: ReachOptions) {
    this.#target = target;
    this.#first = first;
    this.#options = options;
  }

  /** Where a content is, as far as it was looked for. */
  at({ digest, size }: Descriptor): Source | undefined {
    const held = this.#held.get(digest);
    return held?.size === size ? held.source : undefined;
  }

  /** Looks for contents until all are found, or nothing is left to look at. @throws the target's failures */
  async find(wanted: readonly Descriptor[]): Promise<void> {
    if (this.#target === undefined) return;
    const missing = (): boolean => wanted.some((descriptor) => this.at(descriptor) === undefined);
    if (!missing()) return;
    this.#unread ??= await this.#repositories(this.#target);
    for (let name = this.#unread[0]; name !== undefined && missing(); name = this.#unread[0]) {
      const source = await this.#target.source(name);
      if (source !== undefined) await this.#read(source);
      this.#unread.shift();
    }
  }

  async #repositories(target: Collection): Promise<string[]> {
    try {
      return [...new Set([...this.#first, ...(await target.repositories())])];
    } catch (error) {
      const { message } = toOclError(error);
      this.#options.emit({
        type: 'notice',
        level: 'info',
        message: `only the repositories of the bundle are looked through: ${message}`,
      });
      return [...new Set(this.#first)];
    }
  }

  async #read(source: Source): Promise<void> {
    if ('roots' in source) {
      for await (const { digest, size } of (source as LocalSource).blobs()) this.#held.set(digest, { source, size });
      return;
    }
    const found = ({ digest, size }: Descriptor): unknown => this.#held.set(digest, { source, size });
    const reach = new Reach({ ...this.#options, found });
    const named = await reach.named(source);
    await reach.visit(
      source,
      named.map(({ root }) => root),
    );
  }
}
