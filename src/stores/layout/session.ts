import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent, isCode, OclError, systemCode } from '../../core/errors.ts';
import { makeDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';
import { isAlive, readOwner, thisOwner, withLock, type LockOptions, type Owner } from '../../io/lock.ts';
import { blobPath } from '../../io/verify.ts';
import { isPartName, isUseful, Parts, partsAmong, release, removePart, type Part } from './parts.ts';

/**
 * `.ocl/` in a layout: the lock, one marker for each process that writes, and unfinished files.
 * When nobody works on the layout it is gone, or holds only what transfers that broke off have left for the next one, and what imports of
 * volumes need until the last volume has come.
 * Readers of layouts do not look at it.
 */
const WORK = '.ocl';
const LOCK = 'lock';
const UNFINISHED = 'tmp';
const WRITERS = 'writers';
const IMPORTS = 'imports';
const DAY = 24 * 3_600_000;
/** Milliseconds after the last byte: nobody comes back for it. */
const FORGOTTEN = 7 * DAY;
/** Milliseconds that tidying up waits for others: who holds the lock tidies up as well. */
const TIDY_TIMEOUT = 2000;

function workPath(root: string, ...names: readonly string[]): string {
  return join(root, WORK, ...names);
}

function lockPath(root: string): string {
  return workPath(root, LOCK);
}

function temporaryPath(root: string): string {
  return workPath(root, UNFINISHED);
}

/** What imports of volumes leave until the last one has come. */
export function importsPath(root: string): string {
  return workPath(root, IMPORTS);
}

/** Runs an action while nobody else changes `index.json` or collects garbage. @throws OCL_LOCKED, OCL_UNSAFE */
export async function withLayoutLock<T>(root: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  await refuseLinks(root);
  await makeDirectory(workPath(root));
  return await withLock(lockPath(root), options, action);
}

/** What is written or removed in `.ocl` must not land elsewhere because somebody planted a link there. */
async function refuseLinks(root: string): Promise<void> {
  for (const path of [workPath(root), temporaryPath(root), workPath(root, WRITERS), importsPath(root)]) {
    const stats = await factsOf(path);
    if (stats === undefined || stats.isDirectory()) continue;
    throw new OclError(
      'OCL_UNSAFE',
      `Cannot write to ${root}: ${path} is no directory, and could lead out of the layout`,
    );
  }
}

export interface Writer {
  readonly parts: Parts;
  /** Says that writing is over, and tidies up. */
  leave(): Promise<void>;
}

/**
 * Tells the garbage collector that blobs here may be on their way into a graph.
 * @param prepare runs under the lock, before anything is written
 */
export async function registerWriter(
  root: string,
  options: LockOptions,
  prepare: () => Promise<void>,
): Promise<Writer> {
  const owner = thisOwner();
  const marker = workPath(root, WRITERS, markerOf(owner));
  await withLayoutLock(root, options, async () => {
    await prepare();
    await makeDirectory(workPath(root, WRITERS));
    await makeDirectory(temporaryPath(root));
    await writeFileAtomic(marker, new TextEncoder().encode(JSON.stringify(owner)));
    await settleParts(root, options.clock.now());
  });
  return {
    parts: new Parts(temporaryPath(root), markerOf(owner)),
    async leave() {
      await rm(marker, { force: true });
      await tidyUp(root, options);
    },
  };
}

function markerOf(owner: Owner): string {
  return `${owner.pid}-${owner.nonce}`;
}

/** The writers that live, or may live: one on another host is believed for a day after its last sign. Markers of the dead are removed. */
export async function liveWriters(root: string, now: number): Promise<readonly Owner[]> {
  const { live, dead } = await writersOf(root, now);
  for (const path of dead) await rm(path, { force: true });
  return live;
}

async function writersOf(root: string, now: number): Promise<{ live: readonly Owner[]; dead: readonly string[] }> {
  const live: Owner[] = [];
  const dead: string[] = [];
  for (const name of await namesIn(workPath(root, WRITERS))) {
    const path = workPath(root, WRITERS, name);
    const owner = await readOwner(path);
    const alive = owner === undefined ? false : (isAlive(owner) ?? now - (await lastSignOf(root, name)) < DAY);
    if (alive && owner !== undefined) live.push(owner);
    else dead.push(path);
  }
  return { live, dead };
}

/** What came of contents whose transfer broke off, and that nobody is writing to. Changes nothing. */
export async function brokenOff(root: string, now: number): Promise<readonly Part[]> {
  const names = (await namesIn(temporaryPath(root))).filter(isPartName);
  if (names.length === 0) return [];
  const live = new Set((await writersOf(root, now)).live.map(markerOf));
  const parts = await partsAmong(temporaryPath(root), names);
  return parts.filter(({ writer }) => writer === undefined || !live.has(writer));
}

/**
 * Makes what dead writers left free for the next one, and removes what nobody will go on with: what is too little or too old, what is
 * no file, and what has come by another way. Only called under the lock.
 */
async function settleParts(root: string, now: number): Promise<void> {
  const useful: Part[] = [];
  for (const part of await brokenOff(root, now)) {
    const wanted = isUseful(part) && now - part.stats.mtimeMs < FORGOTTEN && !(await hasBlob(root, part));
    if (wanted) useful.push(part);
    else await removePart(part.path);
  }
  for (const part of useful) if (part.writer !== undefined) await release(part);
}

async function hasBlob(root: string, { digest, stats }: Part): Promise<boolean> {
  try {
    const blob = await lstat(join(root, blobPath(digest)));
    return blob.isFile() && blob.size >= stats.size;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** When a writer was last seen at work, in milliseconds since the epoch: it came, or wrote to something large. */
async function lastSignOf(root: string, marker: string): Promise<number> {
  const held = (await namesIn(temporaryPath(root))).filter((name) => isPartName(name) && name.includes(`.${marker}.`));
  const paths = [workPath(root, WRITERS, marker), ...held.map((name) => join(temporaryPath(root), name))];
  return Math.max(...(await Promise.all(paths.map(timeOf))));
}

/** Milliseconds since the epoch; 0 for what has just been taken away. */
async function timeOf(path: string): Promise<number> {
  return (await factsOf(path))?.mtimeMs ?? 0;
}

/** What processes that died have left, and nobody can go on with. Only called under the lock, while no writer lives. */
export async function unfinishedFiles(root: string): Promise<readonly string[]> {
  return [
    ...(await namesIn(temporaryPath(root)))
      .filter((name) => !isPartName(name))
      .map((name) => join(temporaryPath(root), name)),
    // `index.json` and `oci-layout` are only written under the lock.
    ...(await namesIn(root))
      .filter((name) => /^\.(?:index\.json|oci-layout)\..*\.tmp$/.test(name))
      .map((name) => join(root, name)),
  ];
}

/** Removes `.ocl` when nobody writes any more, with all that dead processes left in it but what can be gone on with. */
export async function tidyUp(root: string, options: LockOptions): Promise<void> {
  if ((await namesIn(workPath(root))).length > 0) {
    try {
      // Not stopped by the signal: it is short, and others would find the remains.
      await withLayoutLock(root, { ...options, signal: undefined, timeout: TIDY_TIMEOUT }, async () => {
        await emptyWorkDirectory(root, options.clock.now());
      });
    } catch (error) {
      if (!isCode(error, 'OCL_LOCKED')) throw error;
    }
  }
  await removeWorkDirectory(root);
}

/** Removes `.ocl` when nothing is in it. */
export async function removeWorkDirectory(root: string): Promise<void> {
  await removeIfEmpty(workPath(root));
}

async function emptyWorkDirectory(root: string, now: number): Promise<void> {
  if ((await liveWriters(root, now)).length > 0) return;
  for (const path of await unfinishedFiles(root)) await rm(path, { force: true });
  await settleParts(root, now);
  for (const name of await namesIn(workPath(root))) {
    // Also what a process left that died while it took the lock; one that waits for the lock tries again.
    if (name.startsWith(`${LOCK}.`)) await rm(workPath(root, name), { force: true });
  }
  await removeIfEmpty(workPath(root, WRITERS));
  await removeIfEmpty(temporaryPath(root));
  await removeIfEmpty(importsPath(root));
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
