import { existsSync, statSync } from 'node:fs';
import { OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { isRegistryHost, parsePathReference, parseReference, type Reference } from '../core/reference.ts';

const FILE = /\.(?:tar|tgz|tar\.gz|tar\.zst|oci)$/i;

/**
 * A reference where a place on disk is as likely as an image: a bare name that is there on disk, also with a tag or digest,
 * is that place and not an image of Docker Hub. `docker://name` says the other.
 * @throws OCL_NOT_FOUND for the name of an archive that is not there, which would otherwise be asked of Docker Hub
 */
export function parsePlace(text: string): Reference {
  if (placeOnDisk(text) !== undefined) return parsePathReference(text);
  const [path = ''] = text.split(':');
  if (FILE.test(path) && isBare(text))
    throw new OclError('OCL_NOT_FOUND', `Cannot read ${path}: there is no such file`, {
      hint: `ls ${path.replace(/[^/]*$/, '') || '.'}; write docker.io/${text} for an image of that name`,
    });
  return parseReference(text);
}

/** Where a bare name must be an image, it may still have been meant as a file: says how that is written. */
export function warnOfBareName(text: string, emit: Emit): void {
  const path = placeOnDisk(text) ?? (isBare(text) && FILE.test(text) ? text : undefined);
  if (path === undefined) return;
  const message = `${text} is taken as an image of Docker Hub; write ./${text} for the ${FILE.test(path) ? 'file' : 'place on this disk'}`;
  emit({ type: 'notice', level: 'warning', message });
}

/** Whether a text where a directory or a registry may stand has the form of a registry: `HOST.example`, `HOST:PORT/PREFIX`, `localhost`. */
export function looksLikeRegistry(text: string): boolean {
  if (/^[./~]/.test(text)) return false;
  const [host = ''] = text.split('/');
  return isRegistryHost(host) && (/[.:]/.test(host) || host === 'localhost');
}

/** Whether a name says that it is that of an archive, and not of a directory or a host. */
export function isArchiveName(text: string): boolean {
  return FILE.test(text);
}

/** Whether a text names a regular file, or what leads to one. */
export function isFile(text: string): boolean {
  return statSync(text, { throwIfNoEntry: false })?.isFile() === true;
}

/** An archive is never compressed, and its name may promise it. */
export function warnOfCompressedName(path: string, emit: Emit): void {
  if (!/\.(?:tgz|gz|zst)$/i.test(path)) return;
  const message = `${path} is written uncompressed, whatever its name says: layers are compressed already`;
  emit({ type: 'notice', level: 'warning', message });
}

/** The path that a bare name means, when there is such a one. */
function placeOnDisk(text: string): string | undefined {
  if (text === '' || !isBare(text)) return undefined;
  const path = text.replace(/@[a-z0-9]+:.*$/, '');
  return [text, path, path.replace(/:.*$/, '')].find((each) => each !== '' && existsSync(each));
}

/** Whether nothing says which kind of place it is. What cannot be an image at all may be a path nevertheless. */
function isBare(text: string): boolean {
  if (text.includes('://') || text.startsWith('docker.io/')) return false;
  try {
    const reference = parseReference(text);
    return reference.kind === 'registry' && reference.registry === 'docker.io';
  } catch {
    return true;
  }
}
