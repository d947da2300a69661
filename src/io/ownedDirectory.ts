import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from './atomicFile.ts';
import { isAbandoned, ownerMark } from './ownerMark.ts';

/** Milliseconds without a change after which nobody of another machine is believed to be at work. */
const STALE = 24 * 3_600_000;

/**
 * Makes a directory for the time that this process runs, and removes those of its kind that killed processes left there. Of one whose
 * process cannot be asked, because it runs elsewhere, the last change counts.
 * @param place is made when it is not there
 * @param kind begins the name
 * @param within directories below the new one in which its process writes
 */
export async function makeOwnedDirectory(place: string, kind: string, within: readonly string[] = []): Promise<string> {
  await makeDirectory(place);
  for (const name of await readdir(place)) {
    const mark = name.startsWith(`${kind}-`) ? MARKED.exec(name.slice(kind.length + 1))?.[1] : undefined;
    if (mark === undefined) continue;
    const path = join(place, name);
    // What another user left cannot be removed, and is no reason to stop.
    if (await isAbandoned(mark, STALE, () => lastChange(path, within)))
      await rm(path, { recursive: true, force: true }).catch(() => {});
  }
  return await mkdtemp(join(place, `${kind}-${ownerMark()}-`));
}

const MARKED = /^(\d+-[0-9a-f]{8}-\d+)-/;

/** When something was last added, or written of what is there. Milliseconds since the epoch. */
async function lastChange(directory: string, within: readonly string[]): Promise<number> {
  const paths: string[] = [];
  for (const each of [directory, ...within.map((below) => join(directory, below))])
    paths.push(each, ...(await readdir(each).catch(() => [])).map((name) => join(each, name)));
  const times = paths.map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
  return Math.max(...(await Promise.all(times)));
}
