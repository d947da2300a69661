import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** An entry of a directory tree in all that counts: kind, mode, time, content or target, and the first name of the same file. */
export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Of a link, 0. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly owner: string;
  /** Digest of a file's content, or what a link points to. */
  readonly content: string;
  /** The first name of the file by order, where it has several. */
  readonly same: string | undefined;
}

/** Everything below a directory by its path, in the order of paths; links are not followed. */
export async function fileTree(root: string): Promise<ReadonlyMap<string, FileFacts>> {
  const tree = new Map<string, FileFacts>();
  const seen = new Map<bigint, string>();
  for (const path of (await pathsBelow(root, '')).toSorted()) {
    const at = join(root, path);
    const stats = await lstat(at, { bigint: true });
    const same = seen.get(stats.ino);
    if (!stats.isDirectory() && stats.nlink > 1n && same === undefined) seen.set(stats.ino, path);
    const kind = stats.isFile()
      ? 'file'
      : stats.isDirectory()
        ? 'directory'
        : stats.isSymbolicLink()
          ? 'link'
          : 'other';
    tree.set(path, {
      kind,
      mode: kind === 'link' ? 0 : Number(stats.mode & 0o7777n),
      mtime: Number(stats.mtimeMs) / 1000,
      owner: `${stats.uid}:${stats.gid}`,
      content:
        kind === 'file'
          ? createHash('sha256')
              .update(await readFile(at))
              .digest('hex')
          : kind === 'link'
            ? await readlink(at)
            : '',
      same,
    });
  }
  return tree;
}

/** Node's own recursive way goes through symbolic links. */
async function pathsBelow(root: string, below: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    paths.push(path, ...(entry.isDirectory() ? await pathsBelow(root, path) : []));
  }
  return paths;
}

/** The same in a short form that can be read in a test: `a/`, `a/b=text`, `l->a/b`, `h==a/b`. */
export async function shortTree(root: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const [path, { kind, content, same }] of await fileTree(root)) {
    if (same !== undefined) lines.push(`${path}==${same}`);
    else if (kind === 'file') lines.push(`${path}=${await readFile(join(root, path), 'utf8')}`);
    else lines.push(kind === 'link' ? `${path}->${content}` : kind === 'directory' ? `${path}/` : `${path}?`);
  }
  return lines;
}
