import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, toOclError, type OclError } from '../core/errors.ts';
import { makeDirectory } from '../io/atomicFile.ts';
import { isRunning } from '../io/lock.ts';

const STALE = 24 * 3_600_000;
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EROFS', 'EACCES', 'EPERM']);

export interface Uploads {
  readonly directory: string;
  /** Why nothing can be written beside the library. */
  readonly refused?: OclError | undefined;
}

/**
 * Where a server keeps uploads under way. They grow beside the library, so that a finished one becomes a blob by a link;
 * a library that cannot be written, such as one on a CD, can still be served.
 */
export async function makeUploads(
  beside: string | undefined,
  tmpDir: string,
  make: (place: string) => Promise<string> = makeTemporary,
): Promise<Uploads> {
  if (beside === undefined) return { directory: await make(tmpDir) };
  try {
    return { directory: await make(beside) };
  } catch (error) {
    if (!REFUSALS.has(systemCode(error))) throw error;
    return { directory: await make(tmpDir), refused: toOclError(error) };
  }
}

/** What killed servers left there is removed. */
async function makeTemporary(place: string): Promise<string> {
  await makeDirectory(place);
  for (const name of await readdir(place)) {
    const pid = /^\.ocl-serve-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    // A server of another host may use the same disk: what it works on is young.
    const { mtimeMs } = await stat(join(place, name));
    if (Date.now() - mtimeMs > STALE) await rm(join(place, name), { recursive: true, force: true });
  }
  return await mkdtemp(join(place, `.ocl-serve-${process.pid}-`));
}
