import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

export { layoutOptions, newLayout } from './layoutTools.ts';

/** Directories that are gone after each test. */
export function temporaryDirectories(): (parent?: string) => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map(async (path) => await rm(path, { recursive: true, force: true })));
  });
  return async (parent = tmpdir()) => {
    const path = await mkdtemp(join(parent, 'ocl-test-'));
    made.push(path);
    return path;
  };
}

/** What a directory holds, by path: kind, mode and content of each entry. Links are not followed. */
export async function treeOf(root: string): Promise<Readonly<Record<string, string>>> {
  const tree: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    const path = join(root, name);
    const stats = await lstat(path);
    const mode = (stats.mode & 0o777).toString(8);
    if (stats.isFile())
      tree[name] = `file ${mode} ${createHash('sha256')
        .update(await readFile(path))
        .digest('hex')}`;
    else if (stats.isSymbolicLink()) tree[name] = `link ${await readlink(path)}`;
    else tree[name] = stats.isDirectory() ? 'directory' : 'other';
  }
  return tree;
}
