import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from '../../core/errors.ts';
import { makeDirectory } from '../../io/atomicFile.ts';
import { withLock, type LockOptions } from '../../io/lock.ts';

const NAME = /^\.ocl-[0-9]+-[0-9a-f]+\.tmp$/;
const LOCK = '.ocl-lock';

/**
 * Works in a directory within the one that gets the result, so that all moves are within one file system. One run at a time; what a
 * killed run left is cleared away first. Directories that were made for it are gone again when it fails.
 * @throws OCL_LOCKED, and what the action throws
 */
export async function withWorkDirectory<T>(
  directory: string,
  options: LockOptions,
  action: (work: string) => Promise<T>,
): Promise<T> {
  const made = await makeDirectory(directory);
  try {
    return await withLock(join(directory, LOCK), options, async () => {
      await clearLeft(directory);
      const work = join(directory, `.ocl-${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
      await mkdir(work, 0o700);
      try {
        return await action(work);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    });
  } catch (error) {
    // One that somebody else uses meanwhile is not empty, and stays with those above it.
    for (const each of made) await rmdir(each).catch(() => {});
    throw error;
  }
}

const BEFORE = 'before';
/** The only directory that is replaced as a whole. */
const REPLACED = 'content';

/**
 * Puts a directory in the place of `content`, which comes back when what follows fails.
 * @param work of `withWorkDirectory`, so that a later run brings it back where this one is killed in between
 * @param follow what belongs to it, such as its record
 */
export async function replaceContent(
  { from, directory, work }: { readonly from: string; readonly directory: string; readonly work: string },
  follow: () => Promise<void>,
): Promise<void> {
  const to = join(directory, REPLACED);
  const before = join(work, BEFORE);
  const had = await moved(to, before);
  try {
    await rename(from, to);
    await follow();
  } catch (error) {
    if (had) {
      await rm(to, { recursive: true, force: true });
      await rename(before, to);
    }
    throw error;
  }
}

async function clearLeft(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names.filter((each) => NAME.test(each))) {
    const left = join(directory, name);
    if (!names.includes(REPLACED)) await moved(join(left, BEFORE), join(directory, REPLACED));
    await rm(left, { recursive: true, force: true });
  }
}

/** Whether there was anything to move. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
