import { type Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { isAbsent } from '../core/errors.ts';

/** Facts of the name itself, wherever a link under it may point; undefined when there is none. @throws what else the system says */
export async function factsOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
