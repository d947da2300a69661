import { type Descriptor } from '../core/descriptor.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { answersTo, entryName, listNames, repositoryOf, severalRepositories } from '../core/names.ts';
import { isTag, type Reference } from '../core/reference.ts';
import { type Emit } from '../core/events.ts';
import { type LocalSource, type RootName, type Sink, type Stores } from '../core/store.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';

/** Where a bundle's repositories go. */
export type ImportTarget =
  /** One layout takes all; names stay as they are. */
  | { readonly kind: 'layout'; readonly sink: Sink }
  /** Each repository becomes one of the target's: a library's directory, a registry's path. */
  | { readonly kind: 'repositories'; readonly name: string; readonly open: (repository: string) => Promise<Sink> };

export interface ImportOptions {
  readonly stores: Stores;
  readonly copier: Copier;
  readonly emit: Emit;
  readonly select: Select;
  /** The registry's name becomes a part of the path: `docker.io/library/alpine`. Needed where two registries have the same path. */
  readonly scoped: boolean;
  /** The repository of entries that carry no full name. */
  readonly repository: string;
  /** Names that are taken; all when empty. */
  readonly only: readonly string[];
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
  file: Reference,
  target: ImportTarget,
  options: ImportOptions,
): Promise<ImportReport> {
  const source = await openLocal(file, options.stores);
  try {
    const plan = chooseRoots(await source.roots(), target, options);
    return await new Importer(source, target, options).run(plan);
  } finally {
    await source.close();
  }
}

interface Planned {
  readonly root: Descriptor;
  readonly repository: string;
  readonly name: RootName;
  readonly image: string;
}

async function openLocal(file: Reference, stores: Stores): Promise<LocalSource> {
  const source = await stores.source(file);
  if (!('roots' in source))
    throw new OclError('OCL_USAGE', `Cannot import ${source.name}: it is no file or directory`, {
      hint: 'to copy between registries: ocl copy SOURCE TARGET',
    });
  return source as LocalSource;
}

function chooseRoots(roots: readonly Descriptor[], target: ImportTarget, options: ImportOptions): readonly Planned[] {
  const several = severalRepositories(roots.map(entryName));
  const planned = roots.map((root): Planned => {
    const { tag, imageName } = entryName(root);
    const whole = repositoryOf(root);
    const repository = whole !== undefined && options.scoped ? whole.replaceAll(/[:[\]]/g, '-') : pathOf(root, options);
    const image = imageName ?? tag ?? root.digest;
    return {
      root,
      repository,
      image,
      name:
        target.kind === 'layout'
          ? layoutName(root, several)
          : tag !== undefined && isTag(tag)
            ? { tag, imageName }
            : {},
    };
  });
  const { only } = options;
  const wanted =
    only.length === 0
      ? planned
      : planned.filter(({ root }) => only.some((name) => answersTo(root, name, pathOf(root, options))));
  if (roots.length === 0) throw new OclError('OCL_NOT_FOUND', 'Cannot import: the bundle holds nothing');
  if (wanted.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot import: the bundle has none of ${only.join(', ')}`, {
      hint: `it has ${namesToTake(roots).slice(0, 10).join(', ')}`,
    });
  if (!options.scoped && target.kind === 'repositories') refuseCollisions(wanted);
  return wanted;
}

/** The repository without its registry, as `ocl ls` calls it. */
function pathOf(root: Descriptor, { repository }: ImportOptions): string {
  const whole = repositoryOf(root);
  return whole === undefined ? repository : whole.slice(whole.indexOf('/') + 1);
}

/** What `only` takes: names, and digests where there are none. */
function namesToTake(roots: readonly Descriptor[]): readonly string[] {
  const names = listNames(roots);
  return names.length > 0 ? names : roots.map(({ digest }) => digest);
}

/** In one layout several repositories can only be told apart by full names. */
function layoutName(root: Descriptor, several: boolean): RootName {
  const { tag, imageName } = entryName(root);
  return {
    ...((several ? (imageName ?? tag) : tag) === undefined ? {} : { tag: several ? (imageName ?? tag) : tag }),
    ...(imageName === undefined ? {} : { imageName }),
  };
}

function refuseCollisions(planned: readonly Planned[]): void {
  const seen = new Map<string, string>();
  for (const { repository, root, image } of planned) {
    const whole = repositoryOf(root) ?? repository;
    const other = seen.get(repository);
    if (other !== undefined && other !== whole) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot import ${image}: ${other} and ${whole} would become one repository, ${repository}`,
        { hint: 'run it again with --scoped, which keeps the registries as a part of the names' },
      );
    }
    seen.set(repository, whole);
  }
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
        for (const image of planned.filter(({ name }) => name.tag !== undefined)) await this.#copy(image);
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
