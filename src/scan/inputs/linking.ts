import { join } from 'node:path';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type ByteRange, type Gate, type Place, type Source } from '../../core/store.ts';
import { blobPath } from '../../io/verify.ts';

/** Where contents lie that this run has written already, so that the next image with the same layer links them. */
export class Written {
  readonly #paths = new Map<Digest, string>();

  /** @param layout the directory in which the content is now */
  add(digest: Digest, layout: string): void {
    if (!this.#paths.has(digest)) this.#paths.set(digest, join(layout, blobPath(digest)));
  }

  find(digest: Digest): string | undefined {
    return this.#paths.get(digest);
  }
}

/** A source that names the file of a content where this run has written one: it says the same, from nearer by. */
export class LinkingSource implements Source {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #source: Source;
  readonly #written: Written;

  constructor(source: Source, written: Written) {
    this.name = source.name;
    this.gates = source.gates;
    this.#source = source;
    this.#written = written;
  }

  place(descriptor: Descriptor): Place {
    const path = this.#written.find(descriptor.digest);
    return path === undefined ? this.#source.place(descriptor) : { kind: 'file', path };
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#source.resolve(tagOrDigest);
  }

  open(descriptor: Descriptor, range?: ByteRange): ReturnType<Source['open']> {
    return this.#source.open(descriptor, range);
  }

  doubt(descriptor: Descriptor): boolean {
    return this.#source.doubt?.(descriptor) ?? false;
  }

  tags(): AsyncIterable<string> {
    return this.#source.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#source.referrers(subject);
  }

  /** The source is not ours. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
