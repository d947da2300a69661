import { type Digest } from '../core/digest.ts';
import { children } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { type Planned } from './naming.ts';

/** Which repository a content is for, as far as the documents tell that have come by now. */
export class Owners {
  readonly #repositories = new Map<Digest, string>();
  readonly #parts = new Map<Digest, readonly Digest[]>();

  constructor(images: readonly Planned[]) {
    for (const { root, repository } of images)
      if (!this.#repositories.has(root.digest)) this.#repositories.set(root.digest, repository);
  }

  of(digest: Digest): string | undefined {
    return this.#repositories.get(digest);
  }

  /** A document has come: what it is made of goes where it goes. */
  learn(digest: Digest, document: ManifestDocument): void {
    this.#parts.set(
      digest,
      children(document).map((child) => child.descriptor.digest),
    );
    const own = this.#repositories.get(digest);
    if (own !== undefined) this.#passOn(digest, own);
    else if (document.subject !== undefined) this.#follow(digest, document.subject.digest);
  }

  /** A referrer goes with its subject. */
  #follow(digest: Digest, subject: Digest): void {
    const repository = this.#repositories.get(subject);
    if (repository !== undefined) this.#passOn(digest, repository);
  }

  #passOn(from: Digest, repository: string): void {
    const waiting = [from];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (!this.#repositories.has(next)) this.#repositories.set(next, repository);
      for (const part of this.#parts.get(next) ?? []) if (!this.#repositories.has(part)) waiting.push(part);
    }
  }
}
