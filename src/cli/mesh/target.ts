import { extname } from 'node:path';
import { parsePathReference, parseReference, type Reference } from '../../core/reference.ts';
import { type Copier } from '../../copy/copier.ts';
import { openShelves, singleShelf, type Shelves } from '../../mesh/shelves.ts';
import { type Env } from '../env.ts';
import { parseShelvesPlace } from './shelvesPlace.ts';

/**
 * Where entities are packed to: with a tag one place; without one a registry's prefix, a library, a layout or an archive, in which each
 * gets a name by its kind, name and version.
 * @throws OCL_USAGE, OCL_REFERENCE_INVALID
 */
export function packTarget(
  text: string,
  { legacy }: { readonly legacy: boolean },
): (env: Pick<Env, 'stores'>, copier: Copier) => Shelves {
  const reference = taggedReference(text);
  if (reference !== undefined) return ({ stores }) => singleShelf(reference, { stores });
  const place = parseShelvesPlace(text);
  if (legacy && place.kind === 'disk') return ({ stores }) => singleShelf(place.reference, { stores });
  return ({ stores }, copier) => openShelves(place, { stores, copier });
}

/** A bare name with the ending of an archive is a file, not an image of Docker Hub. */
function taggedReference(text: string): Reference | undefined {
  const isFile = ['.tar', '.oci'].includes(extname(text)) && !text.includes('/') && !text.includes(':');
  if (isFile) return undefined;
  try {
    const path = parsePathReference(text);
    const reference = path.kind === 'path' && !/^(?:[./~]|[A-Za-z]:[\\/])/.test(text) ? parseReference(text) : path;
    return reference.tag === undefined && reference.digest === undefined ? undefined : reference;
  } catch {
    // Said by who reads it as a prefix.
    return undefined;
  }
}
