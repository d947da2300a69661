import { ANNOTATION, type Descriptor } from '../../core/descriptor.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { entryName, findEntry, repositoryOf } from '../../core/names.ts';
import { LocalSourceView } from '../../core/sourceView.ts';
import { type Editor, type Library, type LocalSource, type Sink } from '../../core/store.ts';

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
  #grouped: Grouped | undefined;

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
    const { entries } = await this.#groups();
    // Signatures and the like have no names. They belong to what they refer to, and make no repository beside others.
    const named = [...entries].filter(([, roots]) => roots.some(hasName)).map(([whole]) => whole);
    const byPath = this.#byPath(named.length > 0 ? named : entries.keys());
    // Two hosts may have the same path: then only the whole name says which is meant.
    return [...byPath].flatMap(([path, wholes]) => (wholes.length > 1 ? wholes : [path])).toSorted();
  }

  async source(repository: string): Promise<LocalSource | undefined> {
    const { entries, byPath } = await this.#groups();
    const [whole, ...others] = byPath.get(repository) ?? [];
    if (whole !== undefined && others.length === 0) return this.#view(whole);
    return entries.has(repository) ? this.#view(repository) : undefined;
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
    return new RepositoryView(this.whole, whole, async () => (await this.#groups()).entries.get(whole) ?? []);
  }

  /** Taken apart once for as long as the store has the same entries: there may be as many repositories as entries. */
  async #groups(): Promise<Grouped> {
    const roots = await this.whole.roots();
    if (this.#grouped?.roots === roots) return this.#grouped;
    const entries = new Map<string, Descriptor[]>();
    for (const root of roots) {
      const whole = repositoryOf(root) ?? this.#own;
      const known = entries.get(whole);
      if (known === undefined) entries.set(whole, [root]);
      else known.push(root);
    }
    this.#grouped = { roots, entries, byPath: this.#byPath(entries.keys()) };
    return this.#grouped;
  }

  #byPath(wholes: Iterable<string>): ReadonlyMap<string, readonly string[]> {
    const byPath = new Map<string, string[]>();
    for (const whole of wholes) {
      const path = whole === this.#own ? whole : pathOf(whole);
      byPath.set(path, [...(byPath.get(path) ?? []), whole]);
    }
    return byPath;
  }
}

/** The entries of a store by their repositories. */
interface Grouped {
  readonly roots: readonly Descriptor[];
  /** By whole names, which have the host. */
  readonly entries: ReadonlyMap<string, readonly Descriptor[]>;
  /** Whole names by what clients of a mirror ask for. */
  readonly byPath: ReadonlyMap<string, readonly string[]>;
}

/** `library/alpine` of `docker.io/library/alpine`. */
function pathOf(whole: string): string {
  return whole.slice(whole.indexOf('/') + 1);
}

/** One repository of a store that holds several. Contents are shared; names are its own. */
class RepositoryView extends LocalSourceView {
  readonly #entries: () => Promise<readonly Descriptor[]>;

  constructor(store: LocalSource, repository: string, entries: () => Promise<readonly Descriptor[]>) {
    super(store, { name: `${store.name} (${repository})` });
    this.#entries = entries;
  }

  override async resolve(wanted: string): Promise<Descriptor> {
    try {
      return findEntry(await this.roots(), wanted);
    } catch (error) {
      if (!wanted.includes(':') || !isCode(error, 'OCL_NOT_FOUND')) throw error;
      return await super.resolve(wanted);
    }
  }

  override async *tags(): AsyncGenerator<string> {
    const tags = (await this.roots()).map((root) => entryName(root).tag).filter((tag) => tag !== undefined);
    yield* new Set(tags);
  }

  /** Its entries, each under its bare tag. */
  override async roots(): Promise<readonly Descriptor[]> {
    return (await this.#entries()).map(withBareTag);
  }
}

function withBareTag(root: Descriptor): Descriptor {
  const { tag } = entryName(root);
  return tag === undefined ? root : { ...root, annotations: { ...root.annotations, [ANNOTATION.refName]: tag } };
}

function hasName(root: Descriptor): boolean {
  const { tag, imageName } = entryName(root);
  return tag !== undefined || imageName !== undefined;
}
