import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { shown } from '../../io/tarName.ts';
import { type DirectoryNode, type Node } from './nodes.ts';

export interface Located<T extends Node = Node> {
  /** Below the root, without a slash at either end. */
  readonly path: string;
  readonly node: T;
}

/**
 * Everything below a directory, parents before children, each directory in the order of its names: the same for the same content.
 * @throws OCL_LIMIT for paths that grew too long through links
 */
export function* walk(root: DirectoryNode): Generator<Located> {
  const ahead: Located[] = [];
  addChildren(ahead, root, '');
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    if (Buffer.byteLength(next.path) > LIMITS.archiveName)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot flatten the image: the path ${shown(next.path)} is longer than ${LIMITS.archiveName} bytes`,
      );
    yield next;
    if (next.node.kind === 'directory') addChildren(ahead, next.node, `${next.path}/`);
  }
}

/** The last name first, for they are taken from the end. */
function addChildren(ahead: Located[], directory: DirectoryNode, prefix: string): void {
  for (const [name, node] of [...directory.children].toSorted(([a], [b]) => (a < b ? 1 : -1)))
    ahead.push({ path: prefix + name, node });
}
