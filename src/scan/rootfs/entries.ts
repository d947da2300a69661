import { OclError } from '../../core/errors.ts';
import { tarFault, tarKind } from '../../io/tarHeader.ts';
import { shown } from '../../io/tarName.ts';
import { type TarMember } from '../../io/tarStream.ts';
import { entryPath, linkText, type NameRule } from './names.ts';
import { type Attributes, type FileNode, type SpecialNode, type SymlinkNode } from './nodes.ts';

/** What an entry of a layer does to the file system below it (image-spec layer.md). Paths have no slash at either end; '' is the root. */
export type Change =
  | { readonly kind: 'directory'; readonly path: string; readonly attributes: Attributes }
  | { readonly kind: 'node'; readonly path: string; readonly node: FileNode | SymlinkNode | SpecialNode }
  | { readonly kind: 'hardlink'; readonly path: string; readonly target: string }
  /** The name is not in lower layers any more. */
  | { readonly kind: 'whiteout'; readonly path: string }
  /** Lower layers have nothing in this directory. */
  | { readonly kind: 'opaque'; readonly path: string };

const WHITEOUT = '.wh.';
const RESERVED = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';
/** The last but one of 32 bits: the last one means "nobody" to system calls. */
const MAX_ID = 0xfffffffe;
/** The end of the year 9999 in seconds: what all readers can write as a date. */
const MAX_TIME = 253_402_300_799;

/**
 * Reads one entry. Names that aufs reserves are no change.
 * @param layer of the image, from 0; `member` of the layer, from 0
 * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT, OCL_UNSUPPORTED (Windows)
 */
export function readChange(
  member: TarMember,
  at: { readonly layer: number; readonly member: number },
  rule: NameRule,
): Change | undefined {
  if (member.records.some((key) => key.startsWith('MSWINDOWS.')))
    throw new OclError('OCL_UNSUPPORTED', `Cannot flatten ${shown(member.name)}: it is a file of Windows`);
  const path = entryPath(member.name, rule);
  if (path.includes(WHITEOUT)) {
    const parts = path.split('/');
    const marker = parts.findIndex((part) => part.startsWith(WHITEOUT));
    if (marker >= 0) return readMarker(parts, marker);
  }
  if (member.uid > MAX_ID || member.gid > MAX_ID)
    throw tarFault(`the entry ${shown(member.name)} has an owner that no system has`);
  const { mode, uid, gid } = member;
  const attributes = { mode, uid, gid, mtime: Math.min(member.mtime, MAX_TIME) };
  if (member.type !== '5' && path === '') throw tarFault('the root is no directory');
  switch (member.type) {
    case '0': {
      const capabilities = member.records.some((key) => key.endsWith('.security.capability'));
      return { kind: 'node', path, node: { kind: 'file', ...at, size: member.size, capabilities, ...attributes } };
    }
    case '1':
      return { kind: 'hardlink', path, target: entryPath(member.link, rule) };
    case '2':
      return {
        kind: 'node',
        path,
        node: { kind: 'symlink', target: linkText(member.name, member.link, rule), ...attributes },
      };
    case '3':
    case '4':
      return { kind: 'node', path, node: { kind: 'special', what: 'device', ...attributes } };
    case '5':
      return { kind: 'directory', path, attributes };
    case '6':
      return { kind: 'node', path, node: { kind: 'special', what: 'pipe', ...attributes } };
    default:
      throw tarFault(`the entry ${shown(member.name)} is ${tarKind(member.type)}, which no layer may hold`);
  }
}

function readMarker(path: readonly string[], at: number): Change | undefined {
  const marker = path[at] ?? '';
  if (marker.startsWith(RESERVED) && marker !== OPAQUE) return undefined;
  const name = shown(path.join('/'));
  if (at < path.length - 1) throw tarFault(`the entry ${name} lies in a whiteout, which is no directory`);
  const parent = path.slice(0, at).join('/');
  if (marker === OPAQUE) return { kind: 'opaque', path: parent };
  const hidden = marker.slice(WHITEOUT.length);
  if (hidden === '') throw tarFault(`the whiteout ${name} names nothing`);
  if (hidden === '.' || hidden === '..')
    throw new OclError('OCL_UNSAFE', `Cannot accept the whiteout ${name}: it leads out of its directory`);
  return { kind: 'whiteout', path: parent === '' ? hidden : `${parent}/${hidden}` };
}
