import { createScratch } from '../artifact/scratch.ts';
import { isCode } from '../core/errors.ts';
import { entryName } from '../core/names.ts';
import { formatReference, type FileReference, type Reference } from '../core/reference.ts';
import { type Library, type RootName, type Sink, type Source, type Stores } from '../core/store.ts';
import { type Copier, type CopyRequest } from '../copy/copier.ts';

/** Where entities are published: below a registry's path, or in a place on disk. */
export type ShelvesPlace =
  | { readonly kind: 'registry'; readonly registry: string; readonly prefix: string }
  | { readonly kind: 'disk'; readonly reference: FileReference; readonly form: 'library' | 'layout' | 'archive' };

/** One repository with the versions of one entity. */
export interface Shelf {
  /** As people name it; a tag is put behind it with a colon. */
  readonly name: string;
  /** As it is now; undefined while nothing is there. */
  source(): Promise<Source | undefined>;
  readonly sink: Sink;
  /** The root's name there for a tag. */
  nameOf(tag: string): RootName;
  /** As people name what a tag stands for, where that is not the shelf and the tag. */
  labelOf?(tag: string): string;
}

export interface Shelves {
  readonly name: string;
  /** All shelves stand on one sink. */
  readonly together: boolean;
  /** What is put there goes to its place at the end alone. */
  readonly staged?: boolean;
  /** There is room for one entity. */
  readonly single?: boolean;
  /** @param repository `designs/shop` */
  open(repository: string): Promise<Shelf>;
  /** Writes what could not be written piece by piece: an archive. */
  finish(): Promise<void>;
}

/** Shelves of any place. Nothing is made before something is published. */
export function openShelves(
  place: ShelvesPlace,
  { stores, copier }: { readonly stores: Stores; readonly copier: Copier },
): Shelves {
  if (place.kind === 'registry') return registryShelves(place, stores);
  if (place.form === 'library') return treeShelves(place.reference, stores);
  return place.form === 'layout'
    ? layoutShelves(place.reference, stores)
    : archiveShelves(place.reference, stores, copier);
}

function registryShelves({ registry, prefix }: Extract<ShelvesPlace, { kind: 'registry' }>, stores: Stores): Shelves {
  const name = prefix === '' ? registry : `${registry}/${prefix}`;
  return {
    name,
    together: false,
    async open(whole) {
      const repository = registry === 'docker.io' ? flatRepository(whole) : whole;
      const reference: Reference = {
        kind: 'registry',
        registry,
        repository: prefix === '' ? repository : `${prefix}/${repository}`,
      };
      const source = await stores.source(reference);
      return {
        name: `${name}/${repository}`,
        source: () => Promise.resolve(source),
        sink: await stores.sink(reference),
        nameOf: (tag) => ({ tag }),
      };
    },
    finish: () => Promise.resolve(),
  };
}

function treeShelves(reference: FileReference, stores: Stores): Shelves {
  let library: Promise<Library> | undefined;
  return {
    name: reference.path,
    together: false,
    async open(repository) {
      library ??= stores.library(reference, { create: true });
      const opened = await library;
      return {
        name: `${reference.path.replace(/\/+$/, '')}/${repository}`,
        source: async () => await opened.source(repository),
        sink: await opened.sink(repository),
        nameOf: (tag) => ({ tag }),
      };
    },
    finish: () => Promise.resolve(),
  };
}

/** One flat layout: its entries carry full names, below `localhost` as for all that has no registry. */
function layoutShelves(reference: FileReference, stores: Stores): Shelves {
  let sink: Promise<Sink> | undefined;
  return {
    name: reference.path,
    together: true,
    async open(repository) {
      sink ??= stores.sink(reference);
      const writable = await sink;
      return {
        name: `${reference.path} (${repository})`,
        source: async () => await existing(async () => await (await stores.library(reference)).source(repository)),
        sink: writable,
        nameOf: (tag) => {
          const full = localName(repository, tag);
          return { tag: full, imageName: full };
        },
      };
    },
    finish: () => Promise.resolve(),
  };
}

/** An archive is written at once, and anew each time: until then everything is in memory. */
function archiveShelves(reference: FileReference, stores: Stores, copier: Copier): Shelves {
  const made = new Map<string, ReturnType<typeof createScratch>>();
  return {
    name: reference.path,
    together: false,
    staged: true,
    open(repository) {
      const store = made.get(repository) ?? createScratch(repository);
      made.set(repository, store);
      return Promise.resolve({
        name: `${reference.path} (${repository})`,
        source: () => Promise.resolve(store),
        sink: store,
        nameOf: (tag: string) => ({ tag }),
      });
    },
    async finish() {
      const to = await stores.sink(reference);
      const requests: CopyRequest[] = [];
      for (const [repository, from] of made)
        for (const root of await from.roots()) {
          const { tag } = entryName(root);
          if (tag === undefined) continue;
          const image = localName(repository, tag);
          requests.push({ from, to, root, name: { tag, imageName: image }, image, select: { referrers: true } });
        }
      await copier.copyReserved(requests, to);
      await to.commit();
    },
  };
}

/** Docker Hub has no repositories within a namespace's own: `ns/design-shop` for `ns/designs/shop`. */
export function flatRepository(repository: string): string {
  const [kinds = '', name = ''] = repository.split('/');
  return `${kinds === 'policies' ? 'policy' : kinds.slice(0, -1)}-${name}`;
}

/** The one place that a reference names, for one entity under one tag. */
export function singleShelf(reference: Reference, { stores }: { readonly stores: Stores }): Shelves {
  const name = formatReference(reference);
  return {
    name,
    together: false,
    single: true,
    async open() {
      return {
        name,
        source: async () => await existing(async () => await stores.source(reference)),
        sink: await stores.sink(reference),
        nameOf: (tag) => ({ tag: reference.tag ?? tag }),
        labelOf: (tag) => (reference.tag === undefined ? `${name}:${tag}` : name),
      };
    },
    finish: () => Promise.resolve(),
  };
}

/** The name of what has no registry, as other tools give it. */
export function localName(repository: string, tag: string): string {
  return `localhost/${repository}:${tag}`;
}

async function existing<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}
