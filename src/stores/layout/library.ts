import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError, systemCode } from '../../core/errors.ts';
import { isRepository } from '../../core/reference.ts';
import { type Editor, type Library, type LocalSource, type Sink } from '../../core/store.ts';
import { isLayout, openLayout, openOrCreateLayout, type LayoutOptions } from './layout.ts';

const MAX_DEPTH = 16;

/**
 * A tree of layouts: the repository `library/alpine` is the layout `<root>/library/alpine`.
 * Content that two of them share is one file with two names, where the copies were made by links.
 */
export class LayoutTree implements Library {
  readonly name: string;
  readonly writable = true;
  readonly root: string;
  readonly #options: LayoutOptions;

  constructor(root: string, options: LayoutOptions) {
    this.root = root;
    this.name = root;
    this.#options = options;
  }

  async repositories(): Promise<readonly string[]> {
    const found: string[] = [];
    await this.#collect('', found, 0);
    return found.toSorted();
  }

  async source(repository: string): Promise<LocalSource | undefined> {
    const path = this.#path(repository);
    return (await isLayout(path)) ? await openLayout(path, this.#options) : undefined;
  }

  async sink(repository: string): Promise<Sink & Editor> {
    return await openOrCreateLayout(this.#path(repository), this.#options);
  }

  async close(): Promise<void> {}

  #path(repository: string): string {
    if (!isRepository(repository))
      throw new OclError(
        'OCL_REFERENCE_INVALID',
        `Cannot use ${JSON.stringify(repository)} as a repository: the name is not valid`,
      );
    // Below a layout `blobs` is its content, and could not be told from a repository of that name.
    if (repository.split('/').includes('blobs'))
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot keep the repository ${repository} in a library: "blobs" is the name of a layout's own directory`,
      );
    return join(this.root, repository);
  }

  async #collect(prefix: string, found: string[], depth: number): Promise<void> {
    if (depth > MAX_DEPTH) return;
    const directory = join(this.root, prefix);
    if (prefix !== '' && (await isLayout(directory))) found.push(prefix);
    try {
      for await (const entry of await opendir(directory)) {
        if (!entry.isDirectory() || entry.name === 'blobs') continue;
        const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
        if (isRepository(name)) await this.#collect(name, found, depth + 1);
      }
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
}
