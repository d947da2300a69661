import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { isAbsent, isCode, OclError, toOclError } from '../core/errors.ts';
import { FileRange } from './fileRange.ts';
import { readBounded } from './verify.ts';

/**
 * The whole of a file that somebody brought.
 * @param limit bytes that are accepted
 * @param what names the file in errors: `the inventory have.ocli`
 * @throws OCL_NOT_FOUND, OCL_USAGE when it is no regular file, OCL_LIMIT
 */
export async function readSmallFile(path: string, limit: number, what: string): Promise<Uint8Array> {
  return await read(path, what, (size) => {
    if (size <= limit) return size;
    throw new OclError('OCL_LIMIT', `Cannot read ${what}: it is larger than ${limit} bytes`);
  });
}

/** Its first bytes, `count` at most; none of what is no regular file. @throws OCL_NOT_FOUND */
export async function readHead(path: string, count: number, what: string): Promise<Uint8Array> {
  try {
    return await read(path, what, (size) => Math.min(size, count));
  } catch (error) {
    if (isCode(error, 'OCL_USAGE')) return new Uint8Array();
    throw error;
  }
}

async function read(path: string, what: string, lengthOf: (size: number) => number): Promise<Uint8Array> {
  try {
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new OclError('OCL_USAGE', `Cannot read ${what}: it is no regular file`);
      const length = lengthOf(stats.size);
      return await readBounded(new FileRange(handle, { start: 0, length, owned: false }), length, what);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isAbsent(error)) throw toOclError(error);
    throw new OclError('OCL_NOT_FOUND', `Cannot read ${what}: there is no such file`, { cause: error });
  }
}
