import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { shown } from '../io/tarName.ts';
import { type MeshFile } from './entity.ts';

export interface TreeFile {
  /** `/`-separated, relative to the tree. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Files in which entities are looked for: a directory, what an archive holds, or the layer of an artifact. */
export interface Tree {
  /** As people know it. */
  readonly name: string;
  /** Sorted by path. */
  readonly files: readonly TreeFile[];
  /** Image layouts below it, by their paths on this disk. */
  readonly layouts: readonly string[];
  /** What was left out of `files`, and why. */
  readonly notes: readonly string[];
  /** @throws OCL_LIMIT for a file larger than LIMITS.meshFile */
  read(path: string): Promise<Uint8Array>;
}

/** Secrets: `mesheryctl model init` makes the directory, and nothing of it belongs into an artifact. */
const CREDENTIALS = 'credentials';
const NOT_CONTENT: ReadonlySet<string> = new Set(['.git', '.svn', '.hg']);

/** @throws OCL_NOT_FOUND, OCL_LIMIT, OCL_IO */
export async function openDirectory(root: string): Promise<Tree> {
  const files: TreeFile[] = [];
  const layouts: string[] = [];
  const notes: string[] = [];
  let links = 0;
  const visit = async (directory: string, depth: number): Promise<void> => {
    if (depth > LIMITS.meshDepth)
      throw new OclError('OCL_LIMIT', `Cannot read ${root}: its directories go deeper than ${LIMITS.meshDepth}`);
    const entries = await readdir(join(root, directory), { withFileTypes: true });
    if (entries.some(({ name }) => name === 'oci-layout') && entries.some(({ name }) => name === 'index.json')) {
      layouts.push(join(root, directory));
      return;
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isSymbolicLink()) links++;
      else if (entry.isDirectory()) {
        if (entry.name === CREDENTIALS) notes.push(credentialsNote(path));
        else if (!NOT_CONTENT.has(entry.name)) await visit(path, depth + 1);
      } else if (entry.isFile()) {
        if (files.length >= LIMITS.meshFiles)
          throw new OclError('OCL_LIMIT', `Cannot read ${root}: it has more than ${LIMITS.meshFiles} files`);
        // A file's size is known when it is read; until then it counts for nothing.
        files.push({ path, size: 0 });
      }
    }
  };
  await visit('', 0);
  if (links > 0) notes.push(linksNote(links));
  return { name: root, files, layouts, notes, read: async (path) => await readBoundedFile(join(root, path)) };
}

/** The bytes of a regular file. @throws OCL_LIMIT, OCL_NOT_FOUND, OCL_UNSAFE when it became a link meanwhile */
export async function readBoundedFile(path: string): Promise<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new OclError('OCL_UNSUPPORTED', `Cannot read ${path}: it is no regular file`);
    if (stats.size > LIMITS.meshFile) throw tooLarge(path, stats.size);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function tooLarge(path: string, size: number): OclError {
  return new OclError(
    'OCL_LIMIT',
    `Cannot read ${shown(path)}: its ${size} bytes are more than the ${LIMITS.meshFile} that a file of an entity may have`,
  );
}

/** Files that are in memory already, as a tree. */
export function memoryTree(name: string, given: readonly MeshFile[], notes: readonly string[] = []): Tree {
  const byPath = new Map(given.map((file) => [file.path, file]));
  return {
    name,
    files: given
      .map(({ path, bytes }) => ({ path, size: bytes.length }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    layouts: [],
    notes,
    read(path) {
      const file = byPath.get(path);
      return file === undefined
        ? Promise.reject(new OclError('OCL_NOT_FOUND', `Cannot read ${shown(path)}: ${name} does not have it`))
        : Promise.resolve(file.bytes);
    },
  };
}

function credentialsNote(path: string): string {
  return `${path} is left out: credentials are never packed`;
}

function linksNote(count: number): string {
  return `${count === 1 ? '1 symbolic link is' : `${count} symbolic links are`} left out: links are never followed`;
}
