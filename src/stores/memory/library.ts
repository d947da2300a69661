import { OclError } from '../../core/errors.ts';
import { isRepository } from '../../core/reference.ts';
import { type Editor, type Library, type LocalSource, type Sink } from '../../core/store.ts';
import { Contents } from './contents.ts';
import { MemoryStore } from './store.ts';

/** Repositories in memory. One exists from the first content that was put into it. */
class MemoryLibrary implements Library {
  readonly name: string;
  readonly writable = true;
  readonly #repositories = new Map<string, Contents>();

  constructor(name: string) {
    this.name = name;
  }

  repositories(): Promise<readonly string[]> {
    const names = [...this.#repositories].filter(([, contents]) => !contents.isEmpty).map(([name]) => name);
    return Promise.resolve(names.toSorted());
  }

  source(repository: string): Promise<LocalSource | undefined> {
    const contents = this.#repositories.get(repository);
    return Promise.resolve(contents === undefined || contents.isEmpty ? undefined : this.#store(repository, contents));
  }

  async sink(repository: string): Promise<Sink & Editor> {
    if (!isRepository(repository))
      throw new OclError(
        'OCL_REFERENCE_INVALID',
        `Cannot make the repository ${JSON.stringify(repository)}: the name is not valid`,
      );
    const contents = this.#repositories.get(repository) ?? new Contents();
    this.#repositories.set(repository, contents);
    return this.#store(repository, contents);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #store(repository: string, contents: Contents): MemoryStore {
    return new MemoryStore(`${this.name}/${repository}`, contents);
  }
}

/** An empty library in memory. `name` is how messages call it. */
export function createMemoryLibrary(options: { readonly name?: string } = {}): Library {
  return new MemoryLibrary(options.name ?? 'memory');
}
