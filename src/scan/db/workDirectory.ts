import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from '../../core/errors.ts';
import { makeDirectory, syncDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';
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
      let done: T;
      try {
        done = await action(work);
      } catch (error) {
        // What cannot be put back now stays for the next run, and why the action failed tells more.
        await settle(directory, work).catch(() => {});
        throw error;
      }
      await settle(directory, work);
      return done;
    });
  } catch (error) {
    // One that somebody else uses meanwhile is not empty, and stays with those above it.
    for (const each of made) await rmdir(each).catch(() => {});
    throw error;
  }
}

/** The only directory that is replaced as a whole. */
const REPLACED = 'content';
const BEFORE = 'before';
/** Lies in the work directory until it has its name: so long, what was replaced comes back. */
const RECORD = 'record.json';

/**
 * Puts what was made as `content` in the work directory in the place of the directory's own, and its record beside it. When one of the two
 * fails, or the run is killed in between, `withWorkDirectory` brings back what was there: now or with the next run.
 */
export async function replaceContent(
  { directory, work }: { readonly directory: string; readonly work: string },
  record: { readonly name: string; readonly bytes: Uint8Array },
): Promise<void> {
  await writeFileAtomic(join(work, RECORD), record.bytes);
  const to = join(directory, REPLACED);
  await moved(to, join(work, BEFORE));
  await rename(join(work, REPLACED), to);
  await rename(join(work, RECORD), join(directory, record.name));
}

async function clearLeft(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names.filter((each) => NAME.test(each))) await settle(directory, join(directory, name));
}

/** Removes a work directory, when what it holds of a replacement that was not finished is back where it was. */
async function settle(directory: string, work: string): Promise<void> {
  if ((await factsOf(join(work, RECORD))) !== undefined) {
    const [made, to] = [join(work, REPLACED), join(directory, REPLACED)];
    if ((await factsOf(made)) === undefined) await moved(to, made);
    // A scanner may have put its own there meanwhile.
    if ((await factsOf(to)) === undefined) await moved(join(work, BEFORE), to);
    // First, so that a run that is killed in the removal does not look as if it had replaced something.
    await rm(join(work, RECORD));
    await syncDirectory(work);
  }
  await rm(work, { recursive: true, force: true });
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
