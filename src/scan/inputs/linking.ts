import { join } from 'node:path';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { SourceView } from '../../core/sourceView.ts';
import { type Place, type Source } from '../../core/store.ts';
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
export class LinkingSource extends SourceView {
  readonly #written: Written;

  constructor(source: Source, written: Written) {
    super(source);
    this.#written = written;
  }

  override place(descriptor: Descriptor): Place {
    const path = this.#written.find(descriptor.digest);
    return path === undefined ? super.place(descriptor) : { kind: 'file', path };
  }
}
