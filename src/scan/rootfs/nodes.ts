/** What a file system keeps beside the content. */
export interface Attributes {
  /** Permissions with setuid, setgid and sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

/** A regular file: where its content lies. Several names of one file share it. */
export interface FileNode extends Attributes {
  readonly kind: 'file';
  /** Of the image, from 0. */
  readonly layer: number;
  /** Of the layer, from 0, in the order of its entries. */
  readonly member: number;
  /** Bytes. */
  readonly size: number;
  /** Whether the layer gave it capabilities (`security.capability`). */
  readonly capabilities: boolean;
}

export interface SymlinkNode extends Attributes {
  readonly kind: 'symlink';
  readonly target: string;
}

/** A device or pipe: it hides what was below it, and is never made. */
export interface SpecialNode extends Attributes {
  readonly kind: 'special';
  readonly what: 'device' | 'pipe';
}

export interface DirectoryNode extends Attributes {
  readonly kind: 'directory';
  readonly children: ReadonlyMap<string, Node>;
}

export type Node = FileNode | SymlinkNode | SpecialNode | DirectoryNode;
