import { constants } from 'node:fs';
import { copyFile, link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { systemCode } from '../core/errors.ts';

type Way = 'linked' | 'cloned';

const NOT_HERE: ReadonlySet<string> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'EACCES',
  'ENOTTY',
]);

/**
 * Gives a file a second name, by hard link or, where the file system can, by reflink.
 * What failed between two devices is not tried there again.
 */
export class Linker {
  readonly #failed = new Set<string>();

  /**
   * @param from a regular, read-only file whose content was verified
   * @param to the new name; a file that is there is replaced
   * @param temporaryDirectory where a file is made that replaces another, on the file system of `to`
   * @returns how it was done; undefined where neither way exists
   */
  async link(from: string, to: string, temporaryDirectory = dirname(to)): Promise<Way | undefined> {
    const pair = `${(await lstat(from)).dev}:${(await lstat(dirname(to))).dev}`;
    if (await this.#attempt(`link ${pair}`, () => hardLink(from, to, temporaryDirectory))) return 'linked';
    if (await this.#attempt(`clone ${pair}`, () => clone(from, to, temporaryDirectory))) return 'cloned';
    return undefined;
  }

  async #attempt(way: string, action: () => Promise<void>): Promise<boolean> {
    if (this.#failed.has(way)) return false;
    try {
      await action();
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined || !NOT_HERE.has(code)) throw error;
      // A file with too many links says nothing about its neighbours.
      if (code !== 'EMLINK' && code !== 'EACCES') this.#failed.add(way);
      return false;
    }
  }
}

/**
 * Whether files that one directory gets can have second names in another. Tried with an empty file, of which nothing is left: neither the device nor its type
 * tells, where a place is mounted twice or a server shows all files as writable.
 */
export async function canLink(from: string, to: string): Promise<boolean> {
  const own = `.${process.pid}-${randomBytes(6).toString('hex')}`;
  const [first, second] = [join(from, `${own}.a.tmp`), join(to, `${own}.b.tmp`)];
  try {
    await (await open(first, 'wx', 0o444)).close();
    // A file that anybody may write is never linked.
    if (((await lstat(first)).mode & 0o222) !== 0) return false;
    return (await new Linker().link(first, second)) !== undefined;
  } catch (error) {
    // Whoever writes there next is told why that does not go.
    if (systemCode(error) === undefined) throw error;
    return false;
  } finally {
    await Promise.allSettled([rm(first, { force: true }), rm(second, { force: true })]);
  }
}

async function hardLink(from: string, to: string, directory: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    await replace(to, directory, (temporary) => link(from, temporary));
  }
}

async function clone(from: string, to: string, directory: string): Promise<void> {
  await replace(to, directory, async (temporary) => {
    await copyFile(from, temporary, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    const handle = await open(temporary, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

async function replace(to: string, directory: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(
    directory,
    `.${basename(to).slice(0, 16)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`,
  );
  try {
    await make(temporary);
    await rename(temporary, to);
  } finally {
    await rm(temporary, { force: true });
  }
}
