import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { tarFault } from '../../io/tarHeader.ts';
import { shown } from '../../io/tarName.ts';
import { type Change } from './entries.ts';
import { type Attributes, type DirectoryNode, type Node } from './nodes.ts';

class Directory implements DirectoryNode {
  readonly kind = 'directory';
  readonly children = new Map<string, Node>();
  mode = 0o755;
  uid = 0;
  gid = 0;
  mtime = 0;

  update({ mode, uid, gid, mtime }: Attributes): void {
    this.mode = mode;
    this.uid = uid;
    this.gid = gid;
    this.mtime = mtime;
  }
}

/**
 * A file system in memory, made of layers: names and attributes, no contents. Nothing in it can lead outside, since there is no
 * outside: links are followed from its own root, and `..` ends there.
 */
export class Tree {
  readonly #root = new Directory();
  readonly #limit: number;
  #made = 0;

  /** @param limit entries that all layers may make together, removed ones included */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get root(): DirectoryNode {
    return this.#root;
  }

  /**
   * Lays a layer over what is there. Opaque directories and whiteouts come first, wherever they stand in the layer, so that they hide
   * lower layers and never what the layer itself brings.
   * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE (links in circles), OCL_LIMIT
   */
  apply(changes: readonly Change[]): void {
    for (const change of changes) if (change.kind === 'opaque') this.#find(change.path)?.children.clear();
    for (const change of changes) if (change.kind === 'whiteout') this.#hide(change.path);
    for (const change of changes) this.#lay(change);
  }

  #hide(path: string): void {
    this.#find(parentOf(path))?.children.delete(nameOf(path));
  }

  #lay(change: Change): void {
    if (change.kind === 'opaque' || change.kind === 'whiteout') return;
    const { path } = change;
    if (path === '') {
      if (change.kind === 'directory') this.#root.update(change.attributes);
      else throw tarFault('the root is no directory');
      return;
    }
    const parent = this.#make(parentOf(path));
    const name = nameOf(path);
    if (change.kind === 'directory') {
      const there = parent.children.get(name);
      const directory = there instanceof Directory ? there : this.#add(parent, name, new Directory());
      directory.update(change.attributes);
    } else this.#add(parent, name, change.kind === 'node' ? change.node : this.#linked(path, change.target));
  }

  #add<T extends Node>(parent: Directory, name: string, node: T): T {
    if (++this.#made > this.#limit)
      throw new OclError('OCL_LIMIT', `Cannot flatten the image: it has more than ${this.#limit} entries`);
    parent.children.set(name, node);
    return node;
  }

  /** The node of a hard link, which may be in a lower layer. The link itself is not followed, the way to it is. */
  #linked(path: string, target: string): Node {
    const node = this.#find(parentOf(target))?.children.get(nameOf(target));
    const words = `the entry ${shown(path)} is a hard link to ${shown(target)}`;
    if (node === undefined) throw tarFault(`${words}, which is not there`);
    if (node.kind === 'directory') throw tarFault(`${words}, which is a directory`);
    return node;
  }

  /** The directory at a path; undefined when there is none. */
  #find(path: string): Directory | undefined {
    return this.#walk(path, () => undefined);
  }

  /** The directory at a path, which is made where it is missing. @throws OCL_ARCHIVE_INVALID when something else is there */
  #make(path: string): Directory {
    const directory = this.#walk(path, (parent, name, there) =>
      there === undefined ? this.#add(parent, name, new Directory()) : undefined,
    );
    if (directory === undefined)
      throw tarFault(`an entry lies in ${shown(path)}, which is no directory in the layers below`);
    return directory;
  }

  #walk(
    path: string,
    otherwise: (parent: Directory, name: string, there: Node | undefined) => Directory | undefined,
  ): Directory | undefined {
    const way: Directory[] = [];
    let at = this.#root;
    let hops = 0;
    // Components that are still to be walked, the next one last.
    const ahead = path.split('/').toReversed();
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = way.pop() ?? this.#root;
        continue;
      }
      const there = at.children.get(name);
      if (there?.kind === 'symlink') {
        if (++hops > LIMITS.linkHops)
          throw new OclError('OCL_UNSAFE', `Cannot follow ${shown(path)}: its links go in circles`);
        if (there.target.startsWith('/')) {
          way.length = 0;
          at = this.#root;
        }
        ahead.push(...there.target.split('/').toReversed());
        continue;
      }
      const next = there instanceof Directory ? there : otherwise(at, name, there);
      if (next === undefined) return undefined;
      way.push(at);
      at = next;
    }
    return at;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
