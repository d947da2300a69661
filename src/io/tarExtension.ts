import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { readLongText, readPaxRecords, tarFault, type PaxRecords, type TarHeader } from './tarHeader.ts';

/** Headers that speak about the entry after them. */
export interface Pending {
  pax?: PaxRecords;
  name?: string;
  link?: string;
}

export function hasPending(pending: Pending): boolean {
  return pending.pax !== undefined || pending.name !== undefined || pending.link !== undefined;
}

export function isExtension(type: string): boolean {
  return type === 'x' || type === 'g' || type === 'L' || type === 'K';
}

/** Before its body is read. @throws OCL_LIMIT */
export function checkExtension(header: TarHeader): void {
  if (header.size <= LIMITS.tarExtension) return;
  throw new OclError(
    'OCL_LIMIT',
    `Cannot read the archive: an extended header of ${header.size} bytes is larger than the ${LIMITS.tarExtension} that are accepted`,
  );
}

/** @throws OCL_ARCHIVE_INVALID, OCL_LIMIT */
export function takeExtension(header: TarHeader, pending: Pending, body: Buffer): void {
  if (header.type === 'g') {
    readPaxRecords(body, true);
    return;
  }
  const field = header.type === 'x' ? 'pax' : header.type === 'L' ? 'name' : 'link';
  if (pending[field] !== undefined) throw tarFault('an entry has two extended headers of one kind');
  if (field === 'pax') pending.pax = readPaxRecords(body, false);
  else pending[field] = readLongText(body);
}

/** The entry with what its extended headers said; where they contradict each other, readers differ. @throws OCL_ARCHIVE_INVALID */
export function complete(header: TarHeader, { pax, name, link }: Pending): TarHeader {
  if (pax?.path !== undefined && name !== undefined && pax.path !== name)
    throw tarFault('an entry has two different long names');
  if (pax?.linkpath !== undefined && link !== undefined && pax.linkpath !== link)
    throw tarFault('an entry has two different long links');
  return {
    type: header.type,
    name: pax?.path ?? name ?? header.name,
    link: pax?.linkpath ?? link ?? header.link,
    size: pax?.size ?? header.size,
  };
}
