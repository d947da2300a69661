import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { OclError, systemCode } from '../../core/errors.ts';
import { checkLayoutFile, LAYOUT_FILE } from '../../core/layoutFile.ts';
import { LIMITS } from '../../core/limits.ts';
import { makeDirectory, syncDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';
import { EMPTY_INDEX, encodeIndexFile, parseIndexFile, type IndexFile } from './indexFile.ts';

const LAYOUT_FILE_BYTES = 1 << 16;

/** Whether a directory says that it is a layout. */
export async function isLayout(root: string): Promise<boolean> {
  return (await factsOf(join(root, 'oci-layout'))) !== undefined;
}

/** @throws OCL_NOT_FOUND, OCL_LAYOUT_INVALID, OCL_UNSAFE */
export async function checkLayout(root: string): Promise<void> {
  if ((await factsOf(root)) === undefined)
    throw new OclError('OCL_NOT_FOUND', `Cannot open ${root}: there is no such directory`);
  if (!(await isLayout(root))) {
    // A writer's directory comes first and the oci-layout file last: between them there is nothing yet for others to read.
    if ((await factsOf(join(root, '.ocl'))) !== undefined)
      throw new OclError('OCL_NOT_FOUND', `Cannot open ${root}: somebody is making it a layout at this moment`);
    throw new OclError(
      'OCL_LAYOUT_INVALID',
      `Cannot open ${root}: it has no oci-layout file, so it is no OCI image layout`,
    );
  }
  const file = join(root, 'oci-layout');
  checkLayoutFile(await readRegularFile(file, LAYOUT_FILE_BYTES), file, 'OCL_LAYOUT_INVALID');
}

/** @throws OCL_LAYOUT_INVALID when there is something that is no layout and may not become one */
export async function checkLayoutOrNew(root: string): Promise<void> {
  if (await isLayout(root)) return await checkLayout(root);
  if ((await factsOf(root)) === undefined) return;
  try {
    await refuseForeignDirectory(root);
  } catch (error) {
    // Another process may have made it a layout since the first look.
    if (!(await isLayout(root))) throw error;
  }
}

/** `blobs/`, then `index.json`, then `oci-layout`: a directory with the last one is a whole layout. Runs under the lock. */
export async function createLayout(root: string): Promise<void> {
  const hasIndex = (await factsOf(join(root, 'index.json'))) !== undefined;
  if (await isLayout(root)) {
    if (hasIndex) return;
    throw new OclError('OCL_LAYOUT_INVALID', `Cannot write to ${root}: its index.json is missing`, {
      hint: 'restore index.json from a backup, or write into a new directory',
    });
  }
  if ((await factsOf(join(root, 'blobs'))) === undefined) await makeDirectory(join(root, 'blobs'));
  if (!hasIndex) await writeFileAtomic(join(root, 'index.json'), encodeIndexFile(EMPTY_INDEX));
  await writeFileAtomic(join(root, 'oci-layout'), LAYOUT_FILE);
  await syncDirectory(dirname(resolve(root)));
}

/** `index.json` as it was last read: a file of the same number, size and times is not parsed again. */
export class IndexReader {
  readonly #root: string;
  #known: { readonly facts: string; readonly file: IndexFile } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** @throws OCL_LAYOUT_INVALID, OCL_LIMIT, OCL_UNSAFE */
  async read(): Promise<IndexFile> {
    // Before the content: a file that is replaced meanwhile is read again at the next call.
    const facts = await changesOf(join(this.#root, 'index.json'));
    if (facts !== undefined && this.#known?.facts === facts) return this.#known.file;
    const file = await readIndexFile(this.#root);
    this.#known = facts === undefined ? undefined : { facts, file };
    return file;
  }
}

/** Milliseconds for which a file may change again without another time: clocks of file systems are coarse. */
const SETTLED = 100;

/**
 * What changes with a file or the list of a directory; undefined when there is none, or when it was changed so lately that the next
 * change could look the same.
 */
export async function changesOf(path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeNs, ctimeNs, ctimeMs } = await lstat(path, { bigint: true });
    return Date.now() - Number(ctimeMs) < SETTLED ? undefined : `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return undefined;
  }
}

/** `index.json` as it is on disk; empty where no layout was made yet. @throws OCL_LAYOUT_INVALID, OCL_LIMIT, OCL_UNSAFE */
async function readIndexFile(root: string): Promise<IndexFile> {
  const path = join(root, 'index.json');
  if ((await factsOf(path)) === undefined && !(await isLayout(root))) return EMPTY_INDEX;
  return parseIndexFile(await readRegularFile(path, LIMITS.indexBytes), path);
}

async function refuseForeignDirectory(root: string): Promise<void> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOTDIR') throw error;
    throw new OclError('OCL_LAYOUT_INVALID', `Cannot make a layout of ${root}: it is no directory`, { cause: error });
  });
  const foreign = entries.find(
    (entry) => !entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'index.json',
  );
  if (foreign === undefined) return;
  throw new OclError(
    'OCL_LAYOUT_INVALID',
    `Cannot make a layout of ${root}: it holds other things, such as ${JSON.stringify(foreign.name)}`,
    { hint: 'name a new or empty directory' },
  );
}

async function readRegularFile(path: string, limit: number): Promise<Uint8Array> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new OclError('OCL_LAYOUT_INVALID', `Cannot read ${path}: it is missing`, { cause: error });
    if (code === 'ELOOP') throw new OclError('OCL_UNSAFE', `Cannot read ${path}: it is a link`, { cause: error });
    // A socket, or a device that is not there.
    if (code === 'ENXIO')
      throw new OclError('OCL_UNSAFE', `Cannot read ${path}: it is no regular file`, { cause: error });
    throw error;
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new OclError('OCL_UNSAFE', `Cannot read ${path}: it is no regular file`);
    if (stats.size > limit)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot read ${path}: its ${stats.size} bytes are more than the ${limit} that are accepted`,
      );
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
