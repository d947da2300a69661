import { type Digest } from '../core/digest.ts';
import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { requireSpace } from '../io/space.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { chooseRoots, type NamingOptions, type Planned } from './naming.ts';

/** Where a bundle's repositories go. */
export type ImportTarget =
  /** One layout takes all; names stay as they are. */
  | { readonly kind: 'layout'; readonly sink: Sink; readonly directory?: string | undefined }
  /** Each repository becomes one of the target's: a library's directory, a registry's path. `directory`: where it lies on this machine's disks. */
  | {
      readonly kind: 'repositories';
      readonly name: string;
      readonly open: (repository: string) => Promise<Sink>;
      readonly directory?: string | undefined;
    };

export interface ImportOptions {
  readonly copier: Copier;
  readonly select: Select;
  readonly naming: Omit<NamingOptions, 'into'>;
  /** Looks beforehand, without a word, how much the target lacks, and whether its disk has room for that. Without it nobody asks. */
  readonly measure?: Copier | undefined;
}

export interface ImportReport {
  readonly results: readonly CopyResult[];
  readonly failed: readonly { readonly image: string; readonly error: OclError }[];
}

/**
 * Takes what is in a bundle into a layout, a library or a registry. No host but the target is ever asked for anything.
 * One image that cannot be taken does not stop the others; it is in the report.
 *
 * @throws OCL_NO_SPACE before anything is written; OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID for the names
 */
export async function importBundle(
  source: LocalSource,
  target: ImportTarget,
  options: ImportOptions,
): Promise<ImportReport> {
  const plan = chooseRoots(await source.roots(), { ...options.naming, into: target.kind });
  return await new Importer(source, target, options).run(plan);
}

/** Bytes that a file takes on a disk beyond its own, at most as a rule. */
const FILE_SLACK = 4096;

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
      await this.#requireSpace(planned);
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

  async #requireSpace(planned: readonly Planned[]): Promise<void> {
    const { directory } = this.#target;
    const { measure, select } = this.#options;
    if (directory === undefined || measure === undefined) return;
    const missing = new Map<string, number>();
    for (const { root, repository, name, image } of planned) {
      // What lies in files of its own is linked.
      if (this.#source.place(root).kind === 'file') return;
      try {
        const to = await this.#sink(repository);
        const { nodes } = await measure.plan({ from: this.#source, to, root, name, image, select });
        for (const { descriptor, present } of nodes)
          if (!present) missing.set(`${this.#keyOf(repository)} ${descriptor.digest}`, descriptor.size + FILE_SLACK);
      } catch (error) {
        // What is wrong with an image is told when it is copied.
        if (isCode(error, 'OCL_CANCELLED')) throw error;
      }
    }
    await requireSpace([{ path: directory, bytes: [...missing.values()].reduce((sum, size) => sum + size, 0) }]);
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
