import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImportTarget } from '../../bundle/import.ts';
import { OclError } from '../../core/errors.ts';
import { isRegistryHost, isRepository, parsePathReference } from '../../core/reference.ts';
import { type Sink } from '../../core/store.ts';
import { type Env } from '../env.ts';
import { looksLikeRegistry } from '../place.ts';
import { registryCollection } from './collection.ts';

/** An archive of images alone, which is written anew. */
export interface ArchiveTarget {
  readonly kind: 'archive';
  readonly sink: Sink;
}

/**
 * Where a bundle goes: a directory, `ocidir://LAYOUT`, `HOST[:PORT][/PREFIX]` or `docker-archive:FILE`.
 * @param state where parts wait for further volumes; beside the images where it is not said, and for registries in the user's state directory
 * @throws OCL_USAGE, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID
 */
export async function openTarget(text: string, env: Env, state?: string): Promise<ImportTarget | ArchiveTarget> {
  const { stores } = env;
  if (text === '-')
    throw new OclError('OCL_USAGE', 'Cannot import into standard output', {
      hint: 'ocl import - DIRECTORY reads standard input; ocl export -o - writes standard output',
    });
  const reference = parsePathReference(text);
  if (reference.kind === 'registry') return registryTarget(`${reference.registry}/${reference.repository}`, env, state);
  if (reference.kind === 'layout')
    return {
      kind: 'layout',
      sink: await stores.sink(reference),
      directory: reference.path,
      state: state === undefined ? importsIn(reference.path) : importsOf(state, text),
    };
  if (reference.kind === 'docker-archive') {
    if (reference.tag !== undefined)
      throw new OclError('OCL_USAGE', `Cannot import into ${text}: a bundle gives its images their names`, {
        hint: `ocl import FILE docker-archive:${reference.path}, with --rewrite for other names`,
      });
    return { kind: 'archive', sink: await stores.sink(reference) };
  }
  if (reference.kind !== 'path')
    throw new OclError('OCL_USAGE', `Cannot import into ${text}: it is an archive`, {
      hint: 'name a directory, HOST:PORT[/PREFIX] or docker-archive:FILE; ocl export writes bundles',
    });
  const directory = await isDirectory(text);
  if (looksLikeRegistry(text)) {
    if (!directory) return registryTarget(text, env, state);
    throw new OclError(
      'OCL_AMBIGUOUS',
      `Cannot import into ${text}: it may be a registry, and is a directory as well`,
      { hint: `write ./${text} for the directory, docker://${text} for the registry` },
    );
  }
  const library = await stores.library(reference, { create: true });
  return {
    kind: 'repositories',
    name: text,
    directory: text,
    state: state === undefined ? importsIn(text) : importsOf(state, text),
    open: async (repository) => await library.sink(repository),
    holds: library,
  };
}

/** Where the images are, a content that becomes whole is linked, not copied. */
function importsIn(directory: string): string {
  return join(directory, '.ocl', 'imports');
}

/** Imports of one set into several targets do not meet there. */
function importsOf(state: string, target: string): string {
  return join(state, 'imports', createHash('sha256').update(target).digest('hex').slice(0, 16));
}

function registryTarget(text: string, env: Env, state = env.stateDir): ImportTarget {
  const [registry = '', ...rest] = text.replace(/\/+$/, '').split('/');
  const prefix = rest.join('/');
  if (!isRegistryHost(registry) || (prefix !== '' && !isRepository(prefix)))
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot import into ${text}: it is no HOST[:PORT][/PREFIX]`);
  return {
    kind: 'repositories',
    name: text,
    state: importsOf(state, text.replace(/\/+$/, '')),
    open: async (repository) =>
      await env.stores.sink({
        kind: 'registry',
        registry,
        repository: prefix === '' ? repository : `${prefix}/${repository}`,
      }),
    holds: registryCollection({ registry, prefix }, [], env),
  };
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
