import { statSync } from 'node:fs';
import { type Collection } from '../../bundle/collection.ts';
import { OclError } from '../../core/errors.ts';
import { isRegistryHost, isRepository, parsePathReference, type FileReference } from '../../core/reference.ts';
import { type Env } from '../env.ts';
import { isArchiveName, looksLikeRegistry } from '../place.ts';
import { joinVolumes } from './groups.ts';

export interface CollectionOptions {
  /** Repositories of a registry, below the prefix; all that it lists when it is empty. */
  readonly repositories?: readonly string[];
}

/**
 * Layouts, libraries, bundles (volumes of one set are one place), or registries `HOST[:PORT][/PREFIX]`, whose repositories are called as they are below
 * the prefix.
 * @throws OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID; OCL_USAGE for an image
 */
export async function openCollections(
  texts: readonly string[],
  env: Env,
  options: CollectionOptions = {},
): Promise<readonly Collection[]> {
  const { repositories = [] } = options;
  const opened: Collection[] = [];
  const places: FileReference[] = [];
  for (const text of texts) {
    if (isRegistry(text))
      opened.push(registryCollection(parseRegistry(text.replace(/^docker:\/\//, ''), repositories), repositories, env));
    else if (repositories.length > 0)
      throw new OclError('OCL_USAGE', `Cannot choose repositories of ${text}: it is no registry`);
    else places.push(parsePlace(text));
  }
  for (const reference of await joinVolumes(places, env.stores)) opened.push(await env.stores.library(reference));
  return opened;
}

/** One of them. @throws as `openCollections` */
export async function openCollection(text: string, env: Env, options: CollectionOptions = {}): Promise<Collection> {
  const [opened] = await openCollections([text], env, options);
  return opened as Collection;
}

function isRegistry(text: string): boolean {
  if (text.startsWith('docker://')) return true;
  const place = statSync(text, { throwIfNoEntry: false });
  if (!looksLikeRegistry(text) || place?.isFile() === true) return false;
  // A bundle that is not there is not asked for in the network.
  if (place === undefined) return !isArchiveName(text);
  throw new OclError(
    'OCL_AMBIGUOUS',
    `Cannot read ${text}: it may be a registry, and is a place on this disk as well`,
    {
      hint: `write ./${text} for the place, docker://${text} for the registry`,
    },
  );
}

function parsePlace(text: string): FileReference {
  const reference = parsePathReference(text) as FileReference;
  if (reference.tag === undefined && reference.digest === undefined) return reference;
  throw new OclError('OCL_USAGE', `Cannot take ${text}: name the whole place, without an image`);
}

function parseRegistry(text: string, named: readonly string[]): RegistryBelow {
  const [registry = '', ...rest] = text.replace(/\/+$/, '').split('/');
  const prefix = rest.join('/');
  if (!isRegistryHost(registry) || (prefix !== '' && !isRepository(prefix)))
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot read ${text}: it is no HOST[:PORT][/PREFIX]`);
  const wrong = named.find((name) => !isRepository(name));
  if (wrong !== undefined)
    throw new OclError(
      'OCL_REFERENCE_INVALID',
      `Cannot read the repository ${JSON.stringify(wrong)}: the name is not valid`,
    );
  return { registry, prefix };
}

interface RegistryBelow {
  readonly registry: string;
  /** Without slashes around it; empty for all of the registry. */
  readonly prefix: string;
}

/** The repositories of a registry, called as they are below a prefix; all that it lists when none is named. */
export function registryCollection(
  { registry, prefix }: RegistryBelow,
  named: readonly string[],
  env: Pick<Env, 'stores' | 'registries'>,
): Collection {
  return {
    name: prefix === '' ? registry : `${registry}/${prefix}`,
    async repositories() {
      return named.length > 0 ? named : await listed(registry, prefix, env);
    },
    async source(repository) {
      const whole = [prefix, repository].filter((part) => part !== '').join('/');
      return await env.stores.source({ kind: 'registry', registry, repository: whole });
    },
  };
}

/** Below the prefix and without it; the prefix itself is a repository without a name. */
async function listed(registry: string, prefix: string, env: Pick<Env, 'registries'>): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const name of env.registries.catalog(registry)) {
      if (prefix === '' || name.startsWith(`${prefix}/`))
        names.push(prefix === '' ? name : name.slice(prefix.length + 1));
      else if (name === prefix) names.push('');
    }
  } catch (error) {
    if (!(error instanceof OclError)) throw error;
    const hint = [error.hint, 'or name what is there: --repository NAME (repeatable)'].filter(Boolean).join('; ');
    throw new OclError(error.code, error.message, { hint, cause: error });
  }
  return names.toSorted();
}
