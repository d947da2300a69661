import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { safeName, shown } from '../../io/tarName.ts';

/**
 * Which names of a layer are taken. `portable`: those that mean one place on every system. `any`: also absolute ones, which container
 * runtimes take from the root, and those with backslashes, drives or dots at the end, which are plain names on Linux.
 */
export type NameRule = 'portable' | 'any';

/**
 * An entry's name below the root, in its one form: no slash at either end, no empty part; '' is the root itself.
 * @throws OCL_UNSAFE for what leads outside or, by the rule, means different places to different systems; OCL_LIMIT
 */
export function entryPath(raw: string, rule: NameRule): string {
  const name = rule === 'any' ? anyName(raw) : portableName(raw);
  if (name.length > LIMITS.pathComponent / 4) refuseLongParts(raw, name);
  return name;
}

function refuseLongParts(raw: string, name: string): void {
  if (name.split('/').every((part) => Buffer.byteLength(part) <= LIMITS.pathComponent)) return;
  throw new OclError(
    'OCL_LIMIT',
    `Cannot accept the entry ${shown(raw)}: a part of its name is longer than ${LIMITS.pathComponent} bytes`,
  );
}

function portableName(raw: string): string {
  const name = safeName(raw);
  // Windows drops them, so two names would be one.
  if (/[. ](?:\/|$)/.test(name)) throw unsafe(raw, 'a part of its name ends with a dot or a space');
  return name;
}

function anyName(raw: string): string {
  if (Buffer.byteLength(raw) > LIMITS.archiveName)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot accept the entry ${shown(raw)}: its name is longer than ${LIMITS.archiveName} bytes`,
    );
  if (raw.includes('\0')) throw unsafe(raw, 'its name has a NUL character');
  const parts = raw.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw unsafe(raw, 'its name leads out of the file system');
  return parts.join('/');
}

/** The text of a symbolic link, which may point anywhere: what it reaches is decided in the tree. @throws OCL_UNSAFE, OCL_ARCHIVE_INVALID, OCL_LIMIT */
export function linkText(name: string, target: string, rule: NameRule): string {
  if (target === '')
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot accept the entry ${shown(name)}: it links to nothing`);
  if (Buffer.byteLength(target) > LIMITS.archiveName)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot accept the entry ${shown(name)}: it links to a name that is longer than ${LIMITS.archiveName} bytes`,
    );
  if (target.includes('\0')) throw unsafe(name, 'it links to a name with a NUL character');
  if (rule === 'portable' && (target.includes('\\') || /^[A-Za-z]:/.test(target)))
    throw unsafe(name, `it links to ${shown(target)}, which some systems take for another place`);
  return target;
}

function unsafe(raw: string, why: string): OclError {
  return new OclError('OCL_UNSAFE', `Cannot accept the entry ${shown(raw)}: ${why}`, {
    hint: 'where the names are those of Linux alone and the image is trusted: --names any',
  });
}
