import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { openFile, openIndex, openThick, type OpenBundle, type Strangers } from '../../artifact/cnab/open.ts';
import { unpackThick } from '../../artifact/cnab/thick.ts';
import { isCode } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { wantedName } from '../../core/reference.ts';
import { strangersHttp } from '../../io/strangers.ts';
import { readBounded } from '../../io/verify.ts';
import { anonymous } from '../../stores/registry/auth/credentials.ts';
import { createRegistries } from '../../stores/registry/registries.ts';
import { type Env } from '../env.ts';
import { parsePlace } from '../place.ts';

/**
 * Runs with a bundle: an image of a registry or layout, an archive with or without a layout of ours, or a bundle file alone.
 * What has to be unpacked for it is gone afterwards.
 */
export async function withBundle<T>(
  text: string,
  env: Env,
  use: (open: OpenBundle, name: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(env.tmpDir, 'ocl-cnab-'));
  try {
    return await use(await openBundle(text, env, directory), text);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function openBundle(text: string, env: Env, directory: string): Promise<OpenBundle> {
  const { stores } = env;
  const reference = parsePlace(text);
  const mayBeFile = reference.kind === 'path' && reference.tag === undefined && reference.digest === undefined;
  if (mayBeFile && (await isFile(reference.path))) {
    const { path } = reference;
    if (await startsWithBrace(path)) {
      const bytes = await readBounded(createReadStream(path), LIMITS.configBytes, path);
      return openFile(bytes, path);
    }
    const unpacked = await unpackThick(path, directory);
    if (unpacked?.layout !== undefined) {
      const layout = await stores.source({ kind: 'layout', path: unpacked.layout });
      return await openThick(unpacked.bundle, `bundle.json of ${path}`, layout);
    }
    if (unpacked !== undefined) return openFile(unpacked.bundle, `bundle.json of ${path}`);
  }
  const source = await stores.source(reference);
  const root = await onlyRoot(source, wantedName(reference));
  return await openIndex(source, root);
}

/**
 * The layout in a thick bundle, unpacked below a directory; undefined for another kind of archive.
 * @throws what is wrong with a thick bundle
 */
export async function layoutWithin(path: string, directory: string): Promise<string | undefined> {
  const own = await mkdtemp(join(directory, 'bundle-'));
  try {
    return (await unpackThick(path, own))?.layout;
  } catch (error) {
    if (isCode(error, 'OCL_ARCHIVE_INVALID') || isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function startsWithBrace(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return /^\s*\{/.test(buffer.subarray(0, bytesRead).toString('latin1'));
  } finally {
    await file.close();
  }
}

/** Registries and addresses that the bundle names: without any login, over https, never inside a private network. */
export function strangersOf({ http, reach, clock, emit, signal }: Env): Strangers {
  const guarded = strangersHttp(http);
  const registries = createRegistries({
    http: guarded,
    clock,
    emit,
    signal,
    hosts: reach.hosts,
    credentials: anonymous,
  });
  return { http: guarded, source: (reference) => Promise.resolve(registries.repository(reference)) };
}
