import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { readHead } from '../io/fileHead.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { shown } from '../io/tarName.ts';
import { type MeshFile } from './entity.ts';

/** Files in which entities are looked for: a directory, what an archive holds, or the layer of an artifact. */
export interface Tree {
  /** As people know it. */
  readonly name: string;
  /** `/`-separated and relative; sorted. */
  readonly paths: readonly string[];
  /** Image layouts below it, by their paths on this disk. */
  readonly layouts: readonly string[];
  /** What was left out of `paths`, and why. */
  readonly notes: readonly string[];
  /** @throws OCL_LIMIT for a file larger than LIMITS.meshFile */
  read(path: string): Promise<Uint8Array>;
  /** The first bytes, up to HEAD_BYTES of `io/fileHead`. */
  head(path: string): Promise<Uint8Array>;
  /** Where a file lies on this disk, if it does. */
  locate(path: string): string | undefined;
  close(): Promise<void>;
}

/** Secrets: `mesheryctl model init` makes the directory, and nothing of it belongs into an artifact. */
const CREDENTIALS = 'credentials';
/** What version control and file managers keep. */
const NOT_CONTENT: ReadonlySet<string> = new Set(['.git', '.svn', '.hg', '.DS_Store', '__MACOSX']);

/** @throws OCL_NOT_FOUND, OCL_LIMIT, OCL_IO */
export async function directoryTree(root: string): Promise<Tree> {
  const paths: string[] = [];
  const layouts: string[] = [];
  let links = 0;
  const visit = async (directory: string, depth: number): Promise<void> => {
    if (depth > LIMITS.meshDepth)
      throw new OclError('OCL_LIMIT', `Cannot read ${root}: its directories go deeper than ${LIMITS.meshDepth}`);
    const entries = await readdir(join(root, directory), { withFileTypes: true });
    if (entries.some(({ name }) => name === 'oci-layout') && entries.some(({ name }) => name === 'index.json')) {
      layouts.push(join(root, directory));
      return;
    }
    for (const entry of entries) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isSymbolicLink()) links++;
      else if (entry.isDirectory() && entry.name !== CREDENTIALS && !NOT_CONTENT.has(entry.name))
        await visit(path, depth + 1);
      else if (entry.isFile() || entry.isDirectory()) {
        if (paths.length >= LIMITS.meshFiles)
          throw new OclError('OCL_LIMIT', `Cannot read ${root}: it has more than ${LIMITS.meshFiles} files`);
        paths.push(entry.isDirectory() ? `${path}/` : path);
      }
    }
  };
  await visit('', 0);
  const { kept, notes } = withoutSecrets(paths, links);
  return {
    name: root,
    paths: kept,
    layouts: layouts.toSorted(),
    notes,
    read: async (path) => await readSmallFile(join(root, path), LIMITS.meshFile, join(root, path)),
    head: async (path) => await readHead(join(root, path)),
    locate: (path) => join(root, path),
    close: () => Promise.resolve(),
  };
}

/** Files that are in memory, as a tree. */
export function memoryTree(name: string, given: readonly MeshFile[], passed: readonly string[] = []): Tree {
  const byPath = new Map(given.map((file) => [file.path, file]));
  const { kept, notes } = withoutSecrets([...byPath.keys()], passed.length);
  const read = (path: string): Promise<Uint8Array> => {
    const file = byPath.get(path);
    return file === undefined
      ? Promise.reject(new OclError('OCL_NOT_FOUND', `Cannot read ${shown(path)}: ${name} does not have it`))
      : Promise.resolve(file.bytes);
  };
  const nowhere = (): undefined => undefined;
  return { name, paths: kept, layouts: [], notes, read, head: read, locate: nowhere, close: () => Promise.resolve() };
}

/** Paths without credentials and without what is no content, sorted; and what to say of what was left out. */
export function withoutSecrets(
  paths: readonly string[],
  links: number,
): { readonly kept: readonly string[]; readonly notes: readonly string[] } {
  const kept: string[] = [];
  const secret = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/');
    const at = parts.indexOf(CREDENTIALS);
    // A file may be called so; it is a directory that is left out.
    if (at >= 0 && at < parts.length - 1) secret.add(parts.slice(0, at + 1).join('/'));
    else if (!parts.some((part) => NOT_CONTENT.has(part))) kept.push(path);
  }
  return {
    kept: kept.toSorted((a, b) => (a < b ? -1 : 1)),
    notes: [
      ...[...secret].map((path) => `${shown(path)} is left out: credentials are never packed`),
      ...(links === 0 ? [] : [`links are left out and never followed: ${links} of them`]),
    ],
  };
}
