import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatBytes } from '../core/bytes.ts';
import { isAbsent, OclError } from '../core/errors.ts';

/** Something that is going to be written. */
export interface SpaceNeed {
  /** Where it goes; what of the path is not there yet will be made. */
  readonly path: string;
  /** Bytes. */
  readonly bytes: number;
}

/** What is needed on one file system, and what it has. */
export interface FileSystemSpace {
  /** The first of the places on it. */
  readonly path: string;
  readonly needed: number;
  /** Bytes that may be written now; undefined where the system does not tell. */
  readonly free: number | undefined;
}

/** Adds up what is needed, file system by file system. */
export async function measureSpace(needs: readonly SpaceNeed[]): Promise<readonly FileSystemSpace[]> {
  const found = new Map<number, FileSystemSpace>();
  for (const { path, bytes } of needs) {
    const place = await nearestExisting(path);
    const { dev } = await stat(place);
    const known = found.get(dev);
    if (known !== undefined) found.set(dev, { ...known, needed: known.needed + bytes });
    else found.set(dev, { path, needed: bytes, free: await freeAt(place) });
  }
  return [...found.values()];
}

/** Whether each file system has room for what is written to it, or does not tell. */
export async function hasSpace(needs: readonly SpaceNeed[]): Promise<boolean> {
  return (await measureSpace(needs)).every(fits);
}

function fits({ needed, free }: FileSystemSpace): boolean {
  return free === undefined || needed <= free;
}

/** Refuses what cannot fit before a byte of it is written. @throws OCL_NO_SPACE with the numbers */
export async function requireSpace(needs: readonly SpaceNeed[]): Promise<void> {
  for (const space of await measureSpace(needs)) {
    const { path, needed, free = 0 } = space;
    if (fits(space)) continue;
    throw new OclError(
      'OCL_NO_SPACE',
      `Cannot write to ${path}: ${formatBytes(needed)} (${needed} bytes) are needed, and ${formatBytes(free)} (${free}) are free`,
      { hint: `make room for ${formatBytes(needed - free)} more, or go on with --no-space-check` },
    );
  }
}

/** The path itself, or the nearest directory above it that is there. */
export async function nearestExisting(path: string): Promise<string> {
  return await existing(resolve(path));
}

async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (!isAbsent(error) || dirname(path) === path) throw error;
    return await existing(dirname(path));
  }
}

async function freeAt(path: string): Promise<number | undefined> {
  const { bsize, blocks, bavail } = await statfs(path);
  // File systems without a size of their own tell zero.
  if (blocks === 0) return undefined;
  return bsize * bavail;
}
