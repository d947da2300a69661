import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { factsOf } from '../../io/factsOf.ts';
import { shown } from '../../io/tarName.ts';
import { type DirectoryNode } from './nodes.ts';
import { type Located } from './walk.ts';

/** Which names a file system takes for one. */
export interface NameFolding {
  /** `README` and `readme`. */
  readonly cases: boolean;
  /** `é` as one character, and as `e` with an accent. */
  readonly forms: boolean;
}

/** Finds out by trying, in a directory that nobody else uses. */
export async function probeFolding(directory: string): Promise<NameFolding> {
  return {
    cases: await areOne(directory, 'ocl-case', 'OCL-CASE'),
    forms: await areOne(directory, 'ocl-\u00e9', 'ocl-e\u0301'),
  };
}

async function areOne(directory: string, a: string, b: string): Promise<boolean> {
  const made = join(directory, a);
  await mkdir(made);
  try {
    return (await factsOf(join(directory, b))) !== undefined;
  } finally {
    await rmdir(made);
  }
}

/** Before anything is written. @throws OCL_UNSAFE when two names of one directory would be one file */
export function refuseCollisions(
  root: DirectoryNode,
  directories: readonly Located<DirectoryNode>[],
  folding: NameFolding,
): void {
  if (!folding.cases && !folding.forms) return;
  for (const { path, node } of [{ path: '', node: root }, ...directories]) {
    const seen = new Map<string, string>();
    for (const name of node.children.keys()) {
      const folded = fold(name, folding);
      const other = seen.get(folded);
      if (other !== undefined)
        throw new OclError(
          'OCL_UNSAFE',
          `Cannot write ${shown(join(path, name))}: on this file system it would be the same as ${shown(join(path, other))}`,
          { hint: 'write to a file system that tells case and forms of letters apart, or a tar stream: -o -' },
        );
      seen.set(folded, name);
    }
  }
}

function fold(name: string, { cases, forms }: NameFolding): string {
  const one = forms ? name.normalize('NFC') : name;
  return cases ? one.toUpperCase().toLowerCase() : one;
}
