import { extname } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { parsePathReference, parseReference, type Reference } from '../../core/reference.ts';
import { type Copier } from '../../copy/copier.ts';
import { openShelves, singleShelf, type Shelves, type ShelvesPlace } from '../../mesh/shelves.ts';
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
  if (reference?.digest !== undefined)
    throw new OclError('OCL_USAGE', `Cannot pack into ${text}: the digest is what comes out of it`, {
      hint: 'name a tag, or nothing behind the target',
    });
  if (legacy && (reference === undefined ? !isArchive(parseShelvesPlace(text)) : !isFile(reference)))
    throw new OclError('OCL_USAGE', `Cannot pack into ${text}: the legacy form is that of an archive`, {
      hint: 'name a file: ocl mesh pack INPUT design.tar --format meshery-legacy',
    });
  if (reference !== undefined) return ({ stores }) => singleShelf(reference, { stores });
  const place = parseShelvesPlace(text);
  if (legacy && place.kind === 'disk') return ({ stores }) => singleShelf(place.reference, { stores });
  return ({ stores }, copier) => openShelves(place, { stores, copier });
}

function isArchive(place: ShelvesPlace): boolean {
  return place.kind === 'disk' && place.form === 'archive';
}

function isFile(reference: Reference): boolean {
  return reference.kind === 'archive' || (reference.kind === 'path' && ENDINGS.has(extname(reference.path)));
}

const ENDINGS: ReadonlySet<string> = new Set(['.tar', '.oci']);

/** A bare name with the ending of an archive is a file, not an image of Docker Hub. */
function taggedReference(text: string): Reference | undefined {
  if (ENDINGS.has(extname(text)) && !text.includes('/') && !text.includes(':')) return undefined;
  try {
    const path = parsePathReference(text);
    const reference = path.kind === 'path' && !/^(?:[./~]|[A-Za-z]:[\\/])/.test(text) ? parseReference(text) : path;
    return reference.tag === undefined && reference.digest === undefined ? undefined : reference;
  } catch {
    // Said by who reads it as a prefix.
    return undefined;
  }
}
