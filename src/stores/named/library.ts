import { type Readable } from 'node:stream';
import { ANNOTATION, type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { entryName, findEntry, repositoryOf } from '../../core/names.ts';
import {
  type ByteRange,
  type Editor,
  type Gate,
  type Library,
  type LocalSource,
  type Place,
  type Sink,
} from '../../core/store.ts';

/**
 * One layout or archive as a library: the full names of its entries say which repository they belong to.
 * Repositories are named without their host (`library/alpine`), as clients of a mirror ask for them; with the host they are found as well.
 * Entries without a full name belong to the repository that is given for them.
 */
export class NamedEntries implements Library {
  readonly name: string;
  readonly writable: boolean;
  readonly whole: LocalSource;
  readonly #own: string;
  readonly #sink: (Sink & Editor) | undefined;

  /**
   * @param own the repository of entries without a full name
   * @param sink takes what is pushed to that repository; without it the library is read-only
   */
  constructor(store: LocalSource, own: string, sink?: Sink & Editor) {
    this.name = store.name;
    this.whole = store;
    this.#own = own;
    this.#sink = sink;
    this.writable = sink !== undefined;
  }

  async repositories(): Promise<readonly string[]> {
    const roots = await this.whole.roots();
    // Signatures and the like have no names. They belong to what they refer to, and make no repository beside others.
    const named = roots.filter(hasName);
    const byPath = this.#byPath(named.length > 0 ? named : roots);
    // Two hosts may have the same path: then only the whole name says which is meant.
    return [...byPath].flatMap(([path, wholes]) => (wholes.size > 1 ? [...wholes] : [path])).toSorted();
  }

  async source(repository: string): Promise<LocalSource | undefined> {
    const byPath = this.#byPath(await this.whole.roots());
    const wholes = byPath.get(repository);
    if (wholes !== undefined && wholes.size === 1) return this.#view([...wholes][0] as string);
    const known = [...byPath.values()].some((names) => names.has(repository));
    return known ? this.#view(repository) : undefined;
  }

  async sink(repository: string): Promise<Sink & Editor> {
    if (this.#sink !== undefined && repository === this.#own) return this.#sink;
    const hint =
      this.#sink === undefined
        ? 'import it into a library, and serve that: ocl import FILE DIR'
        : `push to the repository ${this.#own}, or serve a library`;
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot write the repository ${repository} into ${this.name}: it takes no further repositories`,
      { hint },
    );
  }

  async close(): Promise<void> {
    await this.whole.close();
  }

  #view(whole: string): LocalSource {
    return new RepositoryView(this.whole, whole, (root) => this.#wholeName(root) === whole);
  }

  #byPath(roots: readonly Descriptor[]): ReadonlyMap<string, ReadonlySet<string>> {
    const byPath = new Map<string, Set<string>>();
    for (const root of roots) {
      const whole = this.#wholeName(root);
      const path = whole === this.#own ? whole : pathOf(whole);
      byPath.set(path, (byPath.get(path) ?? new Set()).add(whole));
    }
    return byPath;
  }

  #wholeName(root: Descriptor): string {
    return repositoryOf(root) ?? this.#own;
  }
}

/** `library/alpine` of `docker.io/library/alpine`. */
function pathOf(whole: string): string {
  return whole.slice(whole.indexOf('/') + 1);
}

/** One repository of a store that holds several. Contents are shared; names are its own. */
class RepositoryView implements LocalSource {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #store: LocalSource;
  readonly #belongs: (root: Descriptor) => boolean;

  constructor(store: LocalSource, repository: string, belongs: (root: Descriptor) => boolean) {
    this.name = `${store.name} (${repository})`;
    this.gates = store.gates;
    this.#store = store;
    this.#belongs = belongs;
  }

  async resolve(wanted: string): Promise<Descriptor> {
    try {
      return findEntry(await this.roots(), wanted);
    } catch (error) {
      if (!wanted.includes(':') || !isCode(error, 'OCL_NOT_FOUND')) throw error;
      return await this.#store.resolve(wanted);
    }
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    return await this.#store.open(descriptor, range);
  }

  place(descriptor: Descriptor): Place {
    return this.#store.place(descriptor);
  }

  async *tags(): AsyncGenerator<string> {
    const tags = (await this.roots()).map((root) => entryName(root).tag).filter((tag) => tag !== undefined);
    yield* new Set(tags);
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#store.referrers(subject);
  }

  /** Its entries, each under its bare tag. */
  async roots(): Promise<readonly Descriptor[]> {
    return (await this.#store.roots()).filter(this.#belongs).map(withBareTag);
  }

  size(digest: Digest): Promise<number | undefined> {
    return this.#store.size(digest);
  }

  blobs(): AsyncIterable<StoredBlob> {
    return this.#store.blobs();
  }

  async close(): Promise<void> {}
}

function withBareTag(root: Descriptor): Descriptor {
  const { tag } = entryName(root);
  return tag === undefined ? root : { ...root, annotations: { ...root.annotations, [ANNOTATION.refName]: tag } };
}

function hasName(root: Descriptor): boolean {
  const { tag, imageName } = entryName(root);
  return tag !== undefined || imageName !== undefined;
}
