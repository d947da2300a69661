import { insideText } from './links.ts';
import { type DirectoryNode, type FileNode, type SymlinkNode } from './nodes.ts';
import { walk, type Located } from './walk.ts';

/** What is kept as it is, although it is changed or left out by default. */
export type Keep = 'setuid' | 'links';

/** Why something of the image is not, or not as it was, in what comes out. */
export type Why = 'device' | 'pipe' | 'setuid' | 'capabilities' | 'link';

export interface LeftOut {
  readonly path: string;
  readonly why: Why;
}

export interface PlannedFile extends Located<FileNode> {
  /** Further names of the same file. */
  readonly names: readonly string[];
}

/** A file system that is to be made. Paths are below the root; all lists are in an order that depends on the image alone. */
export interface Plan {
  readonly root: DirectoryNode;
  /** Parents first. */
  readonly directories: readonly Located<DirectoryNode>[];
  /** By layer, then by the place of the content in it. */
  readonly files: ReadonlyMap<number, ReadonlyMap<number, PlannedFile>>;
  readonly symlinks: readonly Located<SymlinkNode>[];
  /** The first ones in the order of paths. */
  readonly leftOut: readonly LeftOut[];
  readonly counts: {
    readonly directories: number;
    readonly files: number;
    readonly symlinks: number;
    /** Names of files beyond the first of each. */
    readonly hardLinks: number;
    /** Of all files. */
    readonly bytes: number;
    readonly leftOut: Readonly<Record<Why, number>>;
  };
}

const NO_NAMES: readonly string[] = [];
const LISTED = 1000;
const SPECIAL_BITS = 0o6000;

/** Decides about every entry of a file system. @throws OCL_LIMIT */
export function planOf(root: DirectoryNode, keep: ReadonlySet<Keep>): Plan {
  const directories: Located<DirectoryNode>[] = [];
  const files = new Map<number, Map<number, PlannedFile>>();
  const symlinks: Located<SymlinkNode>[] = [];
  const leftOut: LeftOut[] = [];
  const left: Record<Why, number> = { device: 0, pipe: 0, setuid: 0, capabilities: 0, link: 0 };
  let bytes = 0;
  let count = 0;
  let hardLinks = 0;
  function leave(path: string, why: Why): void {
    left[why]++;
    if (leftOut.length < LISTED) leftOut.push({ path, why });
  }
  function addFile(path: string, node: FileNode): void {
    const members = files.get(node.layer) ?? new Map<number, PlannedFile>();
    files.set(node.layer, members);
    const known = members.get(node.member);
    if (known !== undefined) {
      members.set(node.member, { ...known, names: [...known.names, path] });
      hardLinks++;
      return;
    }
    members.set(node.member, { path, node, names: NO_NAMES });
    count++;
    bytes += node.size;
    if (node.capabilities) leave(path, 'capabilities');
  }
  for (const { path, node } of walk(root)) {
    if (node.kind === 'special') {
      leave(path, node.what);
      continue;
    }
    if (node.kind !== 'symlink' && (node.mode & SPECIAL_BITS) !== 0 && !keep.has('setuid')) leave(path, 'setuid');
    if (node.kind === 'directory') directories.push({ path, node });
    else if (node.kind === 'file') addFile(path, node);
    else {
      const target = keep.has('links') ? node.target : insideText(root, path, node.target);
      if (target !== node.target) leave(path, 'link');
      symlinks.push({ path, node: target === node.target ? node : { ...node, target } });
    }
  }
  return {
    root,
    directories,
    files,
    symlinks,
    leftOut,
    counts: {
      directories: directories.length,
      files: count,
      symlinks: symlinks.length,
      hardLinks,
      bytes,
      leftOut: left,
    },
  };
}

/** The mode that is given to what comes out. */
export function plannedMode(mode: number, keep: ReadonlySet<Keep>): number {
  return keep.has('setuid') ? mode : mode & ~SPECIAL_BITS;
}
