import { type Sink, type Source } from '../core/store.ts';
import { type Collection } from './collection.ts';

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

/** The target's repositories that an import writes to, each opened once. */
export class TargetSinks {
  readonly target: ImportTarget;
  readonly #sinks = new Map<string, Promise<Sink>>();

  constructor(target: ImportTarget) {
    this.target = target;
  }

  get name(): string {
    return this.target.kind === 'layout' ? this.target.sink.name : this.target.name;
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
    if (this.target.kind === 'repositories') return await this.target.holds.source(repository);
    const { sink } = this.target;
    return 'resolve' in sink ? (sink as Sink & Source) : undefined;
  }

  async close(): Promise<void> {
    for (const sink of this.#sinks.values()) await (await sink).close();
    this.#sinks.clear();
  }
}
