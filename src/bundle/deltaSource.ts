import { type Readable } from 'node:stream';
import { type BundleRecord } from '../core/bundleRecord.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode } from '../core/errors.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { LocalSourceView } from '../core/sourceView.ts';
import { type ByteRange, type LocalSource, type Place, type Source } from '../core/store.ts';
import { type Elsewhere } from './deltaElsewhere.ts';

export interface DeltaSourceOptions {
  /** Bundles that are imported together with it. */
  readonly pool: readonly LocalSource[];
  readonly elsewhere: Elsewhere;
  /** The repository that is written to; undefined: nothing can be read of it. */
  readonly own: Source | undefined;
  /** Manifests and indexes come from the target too. Otherwise those that the bundles lack were left out on purpose, with platforms that nobody wanted. */
  readonly documentsOfTarget: boolean;
}

/** A delta as a whole bundle: what it does not bring comes from the bundles beside it, and from the target itself. */
export class DeltaSource extends LocalSourceView {
  readonly record: BundleRecord | undefined;
  readonly #options: DeltaSourceOptions;

  constructor(bundle: LocalSource, options: DeltaSourceOptions) {
    super(bundle);
    this.record = bundle.record;
    this.#options = options;
  }

  override async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const carrier = await this.#carrier(descriptor.digest);
    if (carrier !== undefined) return await carrier.open(descriptor, range);
    const { own, elsewhere, documentsOfTarget } = this.#options;
    const isDocument = isDocumentType(descriptor.mediaType);
    if (isDocument && !documentsOfTarget) return await super.open(descriptor, range);
    if (isDocument && own !== undefined) {
      try {
        return await own.open(descriptor, range);
      } catch (error) {
        if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
      }
    }
    await elsewhere.find([descriptor]);
    return await (elsewhere.at(descriptor) ?? this.inner).open(descriptor, range);
  }

  /** A link or a mount within the target is the shorter way, also for what the bundle brings. */
  override place(descriptor: Descriptor): Place {
    return (this.#options.elsewhere.at(descriptor) ?? this.inner).place(descriptor);
  }

  override async size(digest: Digest): Promise<number | undefined> {
    return await (await this.#carrier(digest))?.size(digest);
  }

  async #carrier(digest: Digest): Promise<LocalSource | undefined> {
    for (const source of [this.inner, ...this.#options.pool])
      if ((await source.size(digest)) !== undefined) return source;
    return undefined;
  }
}
