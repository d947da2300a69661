import { LIMITS } from '../core/limits.ts';
import { OclError } from '../core/errors.ts';
import { printable } from '../core/redact.ts';

/** A name from an archive as it may stand in a message. */
export function shown(name: string): string {
  return printable(JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name));
}

/**
 * The name of an entry in its one form: no leading `./`, no slash at the end; '' is the root itself.
 * @throws OCL_UNSAFE for everything that could mean a place outside of the archive, or mean different things to different tools
 */
export function safeName(raw: string): string {
  if (raw.length > LIMITS.archiveName)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read the archive: the name ${shown(raw)} is longer than ${LIMITS.archiveName} bytes`,
    );
  let name = raw === '.' ? '' : raw;
  if (name.startsWith('./')) name = name.slice(2);
  if (name.endsWith('/') && name.length > 1) name = name.slice(0, -1);
  const why = fault(name);
  if (why !== undefined) throw new OclError('OCL_UNSAFE', `Cannot accept the archive entry ${shown(raw)}: ${why}`);
  return name;
}

function fault(name: string): string | undefined {
  if (name === '') return undefined;
  if (name.startsWith('/')) return 'its name is absolute';
  if (name.includes('\\')) return 'its name has a backslash';
  if (/^[A-Za-z]:/.test(name)) return 'its name starts with a drive';
  if (name.includes('\0')) return 'its name has a NUL character';
  for (const part of name.split('/')) {
    if (part === '..') return 'its name leads out of the archive';
    if (part === '' || part === '.') return 'its name has an empty component';
  }
  return undefined;
}

/**
 * Where a link of an archive points: symbolic links from their own directory, hard links from the root.
 * @throws OCL_UNSAFE when that is outside
 */
export function linkTarget(name: string, target: string, symbolic: boolean): string {
  const outside = new OclError(
    'OCL_UNSAFE',
    `Cannot accept the archive entry ${shown(name)}: it links to ${shown(target)}, which is outside of the archive`,
  );
  if (target.startsWith('/') || target.includes('\\') || target.includes('\0') || /^[A-Za-z]:/.test(target))
    throw outside;
  const parts = symbolic ? name.split('/').slice(0, -1) : [];
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw outside;
  }
  return parts.join('/');
}
