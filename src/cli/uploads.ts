import { systemCode, toOclError, type OclError } from '../core/errors.ts';
import { makeOwnedDirectory } from '../io/ownedDirectory.ts';

const REFUSALS: ReadonlySet<string | undefined> = new Set(['EROFS', 'EACCES', 'EPERM']);

export interface Uploads {
  readonly directory: string;
  /** Why nothing can be written beside the library. */
  readonly refused?: OclError | undefined;
}

/**
 * Where a server keeps uploads under way. They grow beside the library, so that a finished one becomes a blob by a link;
 * a library that cannot be written, such as one on a CD, can still be served.
 */
export async function makeUploads(
  beside: string | undefined,
  tmpDir: string,
  make: (place: string) => Promise<string> = (place) => makeOwnedDirectory(place, '.ocl-serve'),
): Promise<Uploads> {
  if (beside === undefined) return { directory: await make(tmpDir) };
  try {
    return { directory: await make(beside) };
  } catch (error) {
    if (!REFUSALS.has(systemCode(error))) throw error;
    return { directory: await make(tmpDir), refused: toOclError(error) };
  }
}
