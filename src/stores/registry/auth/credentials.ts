import { readFile } from 'node:fs/promises';
import { isAbsent, isCode, OclError } from '../../../core/errors.ts';
import { silent, type Emit } from '../../../core/events.ts';
import { LIMITS } from '../../../core/limits.ts';
import {
  HUB_SERVER,
  longestMatch,
  matchOf,
  normalKey,
  parseDockerConfig,
  type Credential,
  type DockerConfig,
} from './dockerConfig.ts';
import { type AskHelper } from './helperCache.ts';

export type { Credential } from './dockerConfig.ts';

/** A credential that was handed in: it wins over every file. */
export interface ExplicitCredential {
  /** `host[:port]`, or `host[:port]/path` for a part of a registry. */
  readonly registry: string;
  readonly credential: Credential | { readonly kind: 'helper'; readonly helper: string };
  /** Where it was said, for people; "the settings of this host" when it is not given. */
  readonly source?: CredentialSource | undefined;
}

/** Docker's `config.json` as a text, which came in an environment variable. */
export interface ConfigText {
  /** The variable. */
  readonly name: string;
  readonly text: string;
}

/** Where a credential was found. */
export interface CredentialSource {
  readonly kind: 'environment' | 'settings' | 'file' | 'helper';
  /** For people: a variable, a path, or the program and what names it. */
  readonly where: string;
}

export interface FoundCredential {
  readonly credential: Credential;
  readonly source: CredentialSource;
}

/** How the login of a registry is kept elsewhere. */
export interface KeptAs {
  /** The name that helpers are asked for and files are searched for (regsync's `credHost`). */
  readonly server?: string | undefined;
  /** Milliseconds that a helper's answer is used; an hour when it is not given (regsync's `credExpire`). */
  readonly keep?: number | undefined;
}

export interface CredentialOptions {
  /** Docker's `config.json` and containers' `auth.json`, the first that answers wins. Files that are not there are skipped. */
  readonly files: readonly (string | ConfigText)[];
  /** Asked before the files; of two for the same name the first wins. */
  readonly explicit?: readonly ExplicitCredential[] | undefined;
  /** By registry. */
  readonly keptAs?: ReadonlyMap<string, KeptAs> | undefined;
  /** Without it, entries that name a helper fail. */
  readonly askHelper?: AskHelper | undefined;
  /** Lets go of what a helper answered; see HelperAnswers. */
  readonly forgetAnswer?: ((answer: Credential) => void) | undefined;
  readonly emit?: Emit | undefined;
}

export interface Credentials {
  /**
   * What a registry gets to know the caller by; undefined: nobody. Files are read anew at each call, so that a login during a long run counts.
   * @param repository decides where keys have a path (spec oci.md 8.3, rule 9)
   * @throws OCL_CONFIG_INVALID for broken files, OCL_UNAUTHORIZED for failing helpers
   */
  find(registry: string, repository: string | undefined): Promise<Credential | undefined>;
  /** The same with its source, where that is known. */
  readonly locate?: (registry: string, repository: string | undefined) => Promise<FoundCredential | undefined>;
  /** A registry has refused this one, as it was found: what keeps it is asked anew the next time. */
  readonly forget?: (credential: Credential) => void;
}

export const anonymous: Credentials = { find: () => Promise.resolve(undefined) };

/** The files and programs that keep logins. In each file: an entry for a part of the registry, the helper of the host, the store, then the entry of the host. */
export function createCredentials(options: CredentialOptions): Required<Credentials> {
  const emit = options.emit ?? silent;
  const missing = new Set<string>();
  const explicit = new Map<string, ExplicitCredential>();
  for (const entry of options.explicit ?? []) {
    const key = entry.registry.toLowerCase();
    if (!explicit.has(key)) explicit.set(key, entry);
  }

  async function locate(registry: string, repository: string | undefined): Promise<FoundCredential | undefined> {
    const given = longestMatch(explicit, registry, repository);
    if (given !== undefined) {
      const { credential, source = { kind: 'settings', where: 'the settings of this host' } } = given;
      return credential.kind === 'helper'
        ? askHelper(credential.helper, registry, source.where)
        : { credential, source };
    }
    const { server } = options.keptAs?.get(registry) ?? {};
    const name = (server === undefined ? undefined : normalKey(server)) ?? registry;
    for (const file of options.files) {
      const config = await readConfig(file);
      const where = typeof file === 'string' ? file : file.name;
      const found = config && (await findIn(config, where, registry, name, repository));
      if (found === undefined) continue;
      if ('source' in found) return found;
      return { credential: found, source: { kind: typeof file === 'string' ? 'file' : 'environment', where } };
    }
    return undefined;
  }

  async function findIn(
    config: DockerConfig,
    file: string,
    registry: string,
    name: string,
    repository: string | undefined,
  ): Promise<FoundCredential | Credential | undefined> {
    const helper = matchOf(config.helpers, name, repository);
    const auth = matchOf(config.auths, name, repository);
    // A login for a part of the registry is meant for it, whatever keeps the login of the whole.
    if (auth !== undefined && auth.segments > (helper?.segments ?? 0)) return auth.value;
    if (helper !== undefined) return askHelper(helper.value, registry, file);
    const stored = config.store === undefined ? undefined : await askStore(config.store, registry, file);
    return stored ?? auth?.value;
  }

  /** A store is for all hosts, and often that of another machine whose configuration was copied: public images need none. */
  async function askStore(store: string, registry: string, file: string): Promise<FoundCredential | undefined> {
    try {
      return await askHelper(store, registry, file);
    } catch (error) {
      if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
      if (!missing.has(store))
        emit({
          type: 'notice',
          level: 'warning',
          message: `${file} names the credential store ${JSON.stringify(store)}, which is not installed`,
        });
      missing.add(store);
      return undefined;
    }
  }

  async function askHelper(helper: string, registry: string, where: string): Promise<FoundCredential | undefined> {
    if (options.askHelper === undefined) {
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot get the credentials of ${registry}: ${where} names the helper ${JSON.stringify(helper)}, and helpers are not run here`,
      );
    }
    const { server, keep } = options.keptAs?.get(registry) ?? {};
    const credential = await options.askHelper(helper, server ?? serverOf(registry), keep);
    if (credential === undefined) return undefined;
    return { credential, source: { kind: 'helper', where: `${helper} (named in ${where})` } };
  }

  return {
    locate,
    find: async (registry, repository) => (await locate(registry, repository))?.credential,
    forget: (credential) => options.forgetAnswer?.(credential),
  };
}

/** The name under which helpers keep the login of a registry. */
export function serverOf(registry: string): string {
  return registry === 'docker.io' ? HUB_SERVER : registry;
}

/** A file of credentials; undefined: it is not there. @throws OCL_CONFIG_INVALID, OCL_LIMIT */
export async function readConfig(file: string | ConfigText): Promise<DockerConfig | undefined> {
  if (typeof file !== 'string') return parseDockerConfig(checked(Buffer.from(file.text, 'utf8'), file.name), file.name);
  const bytes = await readCredentialFile(file);
  return bytes === undefined ? undefined : parseDockerConfig(bytes, file);
}

/** @throws OCL_CONFIG_INVALID when it cannot be read, OCL_LIMIT */
export async function readCredentialFile(file: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return checked(bytes, file);
}

function checked(bytes: Uint8Array, file: string): Uint8Array {
  if (bytes.length <= LIMITS.configFile) return bytes;
  throw new OclError(
    'OCL_LIMIT',
    `Cannot read the credentials in ${file}: it is larger than ${LIMITS.configFile} bytes`,
  );
}
