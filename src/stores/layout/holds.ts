import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest, type Digest } from '../../core/digest.ts';
import { isAbsent, isCode, OclError } from '../../core/errors.ts';
import { isObject, parseJson, toJsonBytes } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { makeDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { importsPath } from './session.ts';

/** `<key>.json`; beside it may lie what else an import keeps. */
const NOTE = /^([0-9a-f]{64})\.json$/;

/** Contents that imports of volumes have brought, and that no image names yet. */
export interface Hold {
  readonly key: string;
  readonly digests: readonly Digest[];
}

/** Adds contents to what is held under a key. Only called under the lock. */
export async function addHold(root: string, key: string, digests: ReadonlySet<Digest>): Promise<void> {
  const path = notePath(root, key);
  const all = new Set([...(await readNote(path)), ...digests]);
  await makeDirectory(importsPath(root));
  await writeFileAtomic(path, toJsonBytes({ digests: [...all].toSorted() }));
}

/** Only called under the lock. */
export async function removeHold(root: string, key: string): Promise<void> {
  await rm(notePath(root, key), { force: true });
}

/** What is held in a layout. */
export async function readHolds(root: string): Promise<readonly Hold[]> {
  const holds: Hold[] = [];
  for (const name of await namesIn(importsPath(root))) {
    const key = NOTE.exec(name)?.[1];
    if (key !== undefined) holds.push({ key, digests: await readNote(join(importsPath(root), name)) });
  }
  return holds;
}

/** Ends all imports that wait for volumes, with the slices that they kept. Only called under the lock. */
export async function forgetImports(root: string): Promise<void> {
  await rm(importsPath(root), { recursive: true, force: true });
}

function notePath(root: string, key: string): string {
  const name = `${key}.json`;
  if (NOTE.test(name)) return join(importsPath(root), name);
  throw new OclError('OCL_INTERNAL', `Cannot hold contents under ${JSON.stringify(key)}: it is no key`);
}

/** A note that cannot be read holds nothing: it is written whole or not at all. */
async function readNote(path: string): Promise<readonly Digest[]> {
  try {
    const value = parseJson(await readSmallFile(path, LIMITS.indexBytes, path), path);
    const digests = isObject(value) ? value['digests'] : undefined;
    return Array.isArray(digests) ? digests.filter((each) => typeof each === 'string').filter(isDigest) : [];
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND') || isCode(error, 'OCL_DOCUMENT_INVALID')) return [];
    throw error;
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
