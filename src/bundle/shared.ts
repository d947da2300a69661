import { type Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { LocalSourceView } from '../core/sourceView.ts';
import { type ByteRange, type LocalSource, type Place, type Sink, type Source } from '../core/store.ts';

/**
 * What one layout of a library has received from bundles is linked into the others, and not written once more. Images come one after the
 * other.
 */
export class SharedContents {
  readonly #arrived = new Map<Digest, Source>();

  /** A bundle some of whose contents lie in the library already. */
  view(bundle: LocalSource): SharedView {
    return new SharedView(bundle, this.#arrived);
  }
}

export class SharedView extends LocalSourceView {
  readonly #arrived: Map<Digest, Source>;
  /** Contents that flowed for the image that is under way. */
  readonly #opened = new Set<Digest>();

  constructor(bundle: LocalSource, arrived: Map<Digest, Source>) {
    super(bundle);
    this.#arrived = arrived;
  }

  /** The image is whole in its layout, and so is all that flowed for it. */
  settle(to: Sink): void {
    if ('place' in to) for (const digest of this.#opened) this.#arrived.set(digest, to as Sink & Source);
    this.#opened.clear();
  }

  /** The image failed: nobody knows what came of it. */
  giveUp(): void {
    this.#opened.clear();
  }

  override open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    if (!isDocumentType(descriptor.mediaType)) this.#opened.add(descriptor.digest);
    return super.open(descriptor, range);
  }

  override place(descriptor: Descriptor): Place {
    return (this.#arrived.get(descriptor.digest) ?? this.inner).place(descriptor);
  }
}
