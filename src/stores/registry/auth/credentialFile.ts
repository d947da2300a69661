import { chown, lstat, readdir, readlink, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isAbsent, OclError } from '../../../core/errors.ts';
import { makeDirectory, syncDirectory, writeFileAtomic } from '../../../io/atomicFile.ts';
import { withLock, type LockOptions } from '../../../io/lock.ts';
import { readCredentialFile } from './credentials.ts';
import { parseDockerConfig } from './dockerConfig.ts';

const MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const MAX_LINKS = 40;

/**
 * Changes a file of credentials as a whole: readers, and who comes after a crash, see the old or the new content. The file is for its
 * owner alone afterwards. A symbolic link stays, and its target is written.
 * @param change gets the JSON text, `{}` where there is no file, and gives the new one
 * @throws OCL_CONFIG_INVALID when the file is broken, which is then left alone
 */
export async function changeCredentialFile(
  file: string,
  options: LockOptions,
  change: (text: string) => string,
): Promise<void> {
  const target = await targetOf(file);
  const directory = dirname(target);
  await makeDirectory(directory, DIRECTORY_MODE);
  await withLock(`${target}.ocl-lock`, options, async () => {
    await removeUnfinished(target);
    const bytes = await readCredentialFile(target);
    if (bytes !== undefined) parseDockerConfig(bytes, file);
    const before = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes ?? new Uint8Array());
    const text = before.trim() === '' ? '{}\n' : before;
    const changed = change(text);
    if (changed === text) return;
    const owner = bytes === undefined ? undefined : await stat(target);
    await writeFileAtomic(target, Buffer.from(changed, 'utf8'), MODE);
    // What root changes in somebody's home stays that person's.
    if (owner !== undefined && process.getuid?.() === 0) await chown(target, owner.uid, owner.gid);
  });
}

/** What a killed process left holds secrets. Called under the lock, so nobody else is writing. */
async function removeUnfinished(target: string): Promise<void> {
  const directory = dirname(target);
  const start = `.${basename(target)}.`;
  const left = (await readdir(directory)).filter(
    (name) => name.startsWith(start) && /^\d+-[0-9a-f]{12}\.tmp$/.test(name.slice(start.length)),
  );
  for (const name of left) await rm(join(directory, name), { force: true });
  if (left.length > 0) await syncDirectory(directory);
}

/** Where symbolic links lead, also when nothing is there yet. @throws OCL_UNSAFE */
async function targetOf(file: string): Promise<string> {
  let path = resolve(file);
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      return await realpath(path);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    const entry = await lstat(path).catch(() => undefined);
    if (entry?.isSymbolicLink() !== true) return path;
    path = resolve(dirname(path), await readlink(path));
  }
  throw new OclError('OCL_UNSAFE', `Cannot write ${file}: it leads through more than ${MAX_LINKS} symbolic links`);
}
