import { type Digest } from '../core/digest.ts';
import { toOclError, type OclError } from '../core/errors.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { chooseRoots, type NamingOptions, type Planned } from './naming.ts';

/** Where a bundle's repositories go. */
export type ImportTarget =
  /** One layout takes all; names stay as they are. */
  | { readonly kind: 'layout'; readonly sink: Sink }
  /** Each repository becomes one of the target's: a library's directory, a registry's path. */
  | { readonly kind: 'repositories'; readonly name: string; readonly open: (repository: string) => Promise<Sink> };

export interface ImportOptions {
  readonly copier: Copier;
  readonly select: Select;
  readonly naming: Omit<NamingOptions, 'into'>;
}

export interface ImportReport {
  readonly results: readonly CopyResult[];
  readonly failed: readonly { readonly image: string; readonly error: OclError }[];
}

/**
 * Takes what is in a bundle into a layout, a library or a registry. No host but the target is ever asked for anything.
 * One image that cannot be taken does not stop the others; it is in the report.
 */
export async function importBundle(
  source: LocalSource,
  target: ImportTarget,
  options: ImportOptions,
): Promise<ImportReport> {
  const plan = chooseRoots(await source.roots(), { ...options.naming, into: target.kind });
  return await new Importer(source, target, options).run(plan);
}

class Importer {
  readonly #source: LocalSource;
  readonly #target: ImportTarget;
  readonly #options: ImportOptions;
  readonly #sinks = new Map<string, Promise<Sink>>();
  /** Where an image has arrived: elsewhere there is nothing to commit, and what fails there has been told. */
  readonly #received = new Set<string>();
  readonly #results: CopyResult[] = [];
  readonly #failed: { image: string; error: OclError }[] = [];

  constructor(source: LocalSource, target: ImportTarget, options: ImportOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(planned: readonly Planned[]): Promise<ImportReport> {
    try {
      try {
        const named = planned.filter(({ name }) => name.tag !== undefined);
        for (const image of named.filter(({ follows }) => follows === undefined)) await this.#copy(image);
        for (const image of named) if (image.follows !== undefined) await this.#follow(image, image.follows);
        await this.#copyNameless(planned.filter(({ name }) => name.tag === undefined));
      } finally {
        // Also after Ctrl-C: what has arrived whole gets its name.
        for (const key of this.#received) await this.#commit(key);
      }
    } finally {
      for (const sink of this.#sinks.values()) await (await sink).close();
    }
    return { results: this.#results, failed: this.#failed };
  }

  /** Nameless roots are mostly referrers, which came with their subjects; what is left goes where its repository is clear. */
  async #copyNameless(nameless: readonly Planned[]): Promise<void> {
    for (const image of nameless) {
      const sinks = [...this.#received].map(async (key) => await this.#sinks.get(key));
      const there = await Promise.all(sinks.map(async (sink) => await (await sink)?.has(image.root)));
      if (there.includes(true)) continue;
      const [only] = this.#sinks.keys();
      await this.#copy(this.#sinks.size === 1 && only !== undefined ? { ...image, repository: only } : image);
    }
  }

  /** A signature of a part of an image goes wherever that part has arrived. */
  async #follow(signature: Planned, digest: Digest): Promise<void> {
    const size = await this.#source.size(digest);
    const homes: string[] = [];
    if (size !== undefined && this.#target.kind === 'repositories')
      for (const key of this.#received)
        if (await (await this.#sinks.get(key))?.has({ mediaType: MEDIA.ociManifest, digest, size })) homes.push(key);
    for (const repository of homes.length === 0 ? [signature.repository] : homes)
      await this.#copy({ ...signature, repository });
  }

  async #copy(image: Planned): Promise<void> {
    try {
      const to = await this.#sink(image.repository);
      const { copier, select } = this.#options;
      this.#results.push(
        await copier.copy({ from: this.#source, to, root: image.root, name: image.name, image: image.image, select }),
      );
      this.#received.add(this.#keyOf(image.repository));
    } catch (error) {
      const known = toOclError(error);
      if (known.code === 'OCL_CANCELLED') throw known;
      this.#failed.push({ image: image.image, error: known });
    }
  }

  async #commit(key: string): Promise<void> {
    try {
      await (await this.#sinks.get(key))?.commit();
    } catch (error) {
      this.#failed.push({ image: key === '' ? this.#source.name : key, error: toOclError(error) });
    }
  }

  /** One layout takes all repositories. */
  #keyOf(repository: string): string {
    return this.#target.kind === 'layout' ? '' : repository;
  }

  async #sink(repository: string): Promise<Sink> {
    const key = this.#keyOf(repository);
    let sink = this.#sinks.get(key);
    if (sink === undefined) {
      sink = this.#target.kind === 'layout' ? Promise.resolve(this.#target.sink) : this.#target.open(repository);
      this.#sinks.set(key, sink);
      sink.catch(() => this.#sinks.delete(key));
    }
    return await sink;
  }
}
