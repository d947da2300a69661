import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../core/errors.ts';
import { makeDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { isAlive, readOwner, thisOwner, withLock, type LockOptions, type Owner } from '../../io/lock.ts';

/**
 * `.ocl/` in a layout: the lock, one marker for each process that writes, and unfinished files.
 * It is gone when nobody works on the layout; readers of layouts do not look at it.
 */
const WORK = '.ocl';

export function lockPath(root: string): string {
  return join(root, WORK, 'lock');
}

export function temporaryPath(root: string): string {
  return join(root, WORK, 'tmp');
}

function writersPath(root: string): string {
  return join(root, WORK, 'writers');
}

/** Runs an action while nobody else changes `index.json` or collects garbage. */
export async function withLayoutLock<T>(root: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  await makeDirectory(join(root, WORK));
  return await withLock(lockPath(root), options, action);
}

/** Tells the garbage collector that blobs here may be on their way into a graph. Answers how to take it back. */
export async function registerWriter(root: string, options: LockOptions): Promise<() => Promise<void>> {
  const owner = thisOwner();
  const marker = join(writersPath(root), `${owner.pid}-${owner.nonce}`);
  await withLayoutLock(root, options, async () => {
    await makeDirectory(writersPath(root));
    await makeDirectory(temporaryPath(root));
    await writeFileAtomic(marker, new TextEncoder().encode(JSON.stringify(owner)));
  });
  return async () => {
    await rm(marker, { force: true });
    await removeWorkDirectory(root);
  };
}

/** The writers that live, or may live: one on another host is believed for a day. Markers of the dead are removed. */
export async function liveWriters(root: string, now: number): Promise<readonly Owner[]> {
  const live: Owner[] = [];
  for (const name of await namesIn(writersPath(root))) {
    const path = join(writersPath(root), name);
    const owner = await readOwner(path);
    const alive = owner === undefined ? false : (isAlive(owner) ?? now - (await lstat(path)).mtimeMs < 24 * 3_600_000);
    if (alive && owner !== undefined) live.push(owner);
    else await rm(path, { force: true });
  }
  return live;
}

/** What processes that died have left in `.ocl/tmp`. Only called while no writer lives. */
export async function unfinishedFiles(root: string): Promise<readonly string[]> {
  return (await namesIn(temporaryPath(root))).map((name) => join(temporaryPath(root), name));
}

/** Removes `.ocl` when nothing is in it any more. */
export async function removeWorkDirectory(root: string): Promise<void> {
  for (const path of [writersPath(root), temporaryPath(root), join(root, WORK)]) {
    try {
      await rmdir(path);
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
    }
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
