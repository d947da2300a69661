import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { LIMITS } from '../core/limits.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { type Source } from '../core/store.ts';
import { Documents } from '../copy/documents.ts';
import { embeddedData, readVerified } from '../io/verify.ts';

const KEPT_BYTES = 64 << 20;

/** The small things that are read to say what something is: each is asked for once, as long as it fits into 64 MiB. */
export class Reads {
  readonly source: Source;
  readonly #documents = new Documents();
  readonly #configs = new Map<Digest, Uint8Array>();
  #bytes = 0;

  constructor(source: Source) {
    this.source = source;
  }

  /** @throws as the source, OCL_DIGEST_MISMATCH, OCL_DOCUMENT_INVALID */
  async document(descriptor: Descriptor): Promise<ManifestDocument> {
    return (await this.#documents.load(descriptor, this.source)).document;
  }

  /** @throws as the source, OCL_DIGEST_MISMATCH, OCL_LIMIT */
  async config(descriptor: Descriptor): Promise<Uint8Array> {
    const kept = this.#configs.get(descriptor.digest);
    if (kept !== undefined) return kept;
    const bytes =
      embeddedData(descriptor) ??
      (await readVerified(await this.source.open(descriptor), descriptor, LIMITS.configBytes));
    this.#bytes += bytes.length;
    if (this.#bytes <= KEPT_BYTES) this.#configs.set(descriptor.digest, bytes);
    return bytes;
  }
}
