import { type Descriptor } from '../core/descriptor.ts';
import { isCode } from '../core/errors.ts';
import { answersTo } from '../core/names.ts';
import {
  formatReference,
  parseImageName,
  wantedName,
  type FileReference,
  type RegistryReference,
} from '../core/reference.ts';
import { type Library, type Source, type Stores } from '../core/store.ts';
import { type ShelvesPlace } from './shelves.ts';

export interface FoundImage {
  readonly from: Source;
  readonly root: Descriptor;
}

/** Somewhere images may be. */
export interface ImagePlace {
  /** What is asked for an image there, for messages. */
  nameFor(image: string): string;
  /** @param image a full name; undefined where it is not there. @throws what the store throws otherwise */
  find(image: string): Promise<FoundImage | undefined>;
}

/** A library, layout or archive, or a registry that mirrors others below a path, as `ocl import` fills it. */
export function openImagePlace(place: ShelvesPlace, stores: Stores): ImagePlace {
  if (place.kind === 'disk') return diskPlace(place.reference, stores);
  const { registry, prefix } = place;
  return {
    nameFor: () => (prefix === '' ? registry : `${registry}/${prefix}`),
    find: async (image) => {
      const reference = parseImageName(image);
      if (reference === undefined) return undefined;
      const repository = prefix === '' ? reference.repository : `${prefix}/${reference.repository}`;
      return await resolved({ ...reference, registry, repository }, stores);
    },
  };
}

/** The registry that an image's name says. */
export function ownRegistries(stores: Stores): ImagePlace {
  return {
    nameFor: (image) => parseImageName(image)?.registry ?? image,
    find: async (image) => {
      const reference = parseImageName(image);
      return reference === undefined ? undefined : await resolved(reference, stores);
    },
  };
}

async function resolved(reference: RegistryReference, stores: Stores): Promise<FoundImage | undefined> {
  const from = await stores.source(reference);
  try {
    return { from, root: await from.resolve(wantedName(reference) ?? 'latest') };
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}

function diskPlace(reference: FileReference, stores: Stores): ImagePlace {
  let opened: Promise<Library> | undefined;
  return {
    nameFor: () => formatReference(reference),
    async find(image) {
      opened ??= stores.library(reference);
      const library = await opened;
      const wanted = parseImageName(image);
      for (const repository of await library.repositories()) {
        const source = await library.source(repository);
        if (source === undefined) continue;
        // What is wanted by digest is that, whatever it is called there.
        const root = (await source.roots()).find((entry) =>
          wanted?.digest === undefined ? answersTo(entry, image, repository) : entry.digest === wanted.digest,
        );
        if (root !== undefined) return { from: source, root };
      }
      return undefined;
    },
  };
}
