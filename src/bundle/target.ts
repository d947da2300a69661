import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { type LocalSource, type Sink, type Source } from '../core/store.ts';
import { collectionOf, type Collection } from './collection.ts';

/** Where a bundle's repositories go. */
export type ImportTarget =
  /** One layout takes all; names stay as they are. */
  | {
      readonly kind: 'layout';
      readonly sink: Sink;
      readonly directory?: string | undefined;
      /** Where imports of volumes keep what belongs to no image yet. */
      readonly state?: string | undefined;
    }
  /** Each repository becomes one of the target's: a library's directory, a registry's path. `directory`: where it lies on this machine's disks. */
  | {
      readonly kind: 'repositories';
      readonly name: string;
      readonly open: (repository: string) => Promise<Sink>;
      /** To read what is there already. */
      readonly holds: Collection;
      readonly directory?: string | undefined;
      readonly state?: string | undefined;
    };

export function nameOf(target: ImportTarget): string {
  return target.kind === 'layout' ? target.sink.name : target.name;
}

/** How an image is called where it has arrived: `REPOSITORY:TAG`, in one layout or archive by its full name or tag alone; without a name by its digest. */
export function nameThere(image: {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly imageName: string | undefined;
  readonly root: Descriptor;
}): string {
  const { repository, tag, imageName, root } = image;
  if (repository === '') return tag === undefined ? root.digest : (imageName ?? tag);
  return tag === undefined ? `${repository}@${root.digest}` : `${repository}:${tag}`;
}

/** A repository of a target to read from, where it is there already. */
export async function sourceOf(target: ImportTarget, repository: string): Promise<Source | undefined> {
  if (target.kind === 'repositories') return await target.holds.source(repository);
  const { sink } = target;
  return 'resolve' in sink ? (sink as Sink & Source) : undefined;
}

/** What is in a target: all that lies on this machine's disks; of a registry, which may have thousands of others, these repositories. */
export function heldBy(target: ImportTarget, repositories: readonly string[]): Collection {
  if (target.kind === 'repositories') {
    const { name, holds, directory } = target;
    if (directory !== undefined) return holds;
    return {
      name,
      repositories: () => Promise.resolve(repositories),
      source: (repository) => holds.source(repository),
    };
  }
  const { sink } = target;
  if (!('roots' in sink)) throw new OclError('OCL_INTERNAL', `Cannot read ${sink.name}: it is only written`);
  return collectionOf(sink as unknown as LocalSource);
}

/** The target's repositories that an import writes to, each opened once. */
export class TargetSinks {
  readonly target: ImportTarget;
  readonly #sinks = new Map<string, Promise<Sink>>();

  constructor(target: ImportTarget) {
    this.target = target;
  }

  get name(): string {
    return nameOf(this.target);
  }

  /** One layout takes all repositories. */
  keyOf(repository: string): string {
    return this.target.kind === 'layout' ? '' : repository;
  }

  /** Those that are open. */
  get keys(): readonly string[] {
    return [...this.#sinks.keys()];
  }

  at(key: string): Promise<Sink> | undefined {
    return this.#sinks.get(key);
  }

  async open(repository: string): Promise<Sink> {
    const key = this.keyOf(repository);
    let sink = this.#sinks.get(key);
    if (sink === undefined) {
      sink = this.target.kind === 'layout' ? Promise.resolve(this.target.sink) : this.target.open(repository);
      this.#sinks.set(key, sink);
      sink.catch(() => this.#sinks.delete(key));
    }
    return await sink;
  }

  /** The same repository to read from, where it is there already. */
  async source(repository: string): Promise<Source | undefined> {
    return await sourceOf(this.target, repository);
  }

  /** Closes all, also when one cannot be. @throws the first failure */
  async close(): Promise<void> {
    const sinks = [...this.#sinks.values()];
    this.#sinks.clear();
    const closed = await Promise.allSettled(sinks.map(async (sink) => await (await sink).close()));
    for (const each of closed) if (each.status === 'rejected') throw each.reason;
  }
}
