import { readFile } from 'node:fs/promises';
import { isCode, OclError, systemCode } from '../../core/errors.ts';
import { silent, type Emit } from '../../core/events.ts';
import { LIMITS } from '../../core/limits.ts';
import { longestMatch, parseDockerConfig, type Credential, type DockerConfig } from './dockerConfig.ts';
import { type RunHelper } from './credentialHelper.ts';

export type { Credential } from './dockerConfig.ts';

/** A credential that was handed in: it wins over every file. */
export interface ExplicitCredential {
  /** `host[:port]`, or `host[:port]/path` for a part of a registry. */
  readonly registry: string;
  readonly credential: Credential | { readonly kind: 'helper'; readonly helper: string };
}

export interface CredentialOptions {
  /** Docker's `config.json` and containers' `auth.json`, the first that answers wins. Files that are not there are skipped. */
  readonly files: readonly string[];
  readonly explicit?: readonly ExplicitCredential[] | undefined;
  /** Without it, entries that name a helper fail. */
  readonly runHelper?: RunHelper | undefined;
  readonly emit?: Emit | undefined;
}

export interface Credentials {
  /**
   * What a registry gets to know the caller by; undefined: nobody. Files are read anew at each call, so that a login during a long run counts.
   * @param repository decides where keys have a path (spec oci.md 8.3, rule 9)
   * @throws OCL_CONFIG_INVALID for broken files, OCL_UNAUTHORIZED for failing helpers
   */
  find(registry: string, repository: string | undefined): Promise<Credential | undefined>;
}

export const anonymous: Credentials = { find: () => Promise.resolve(undefined) };

/** The address under which Docker keeps the login of Docker Hub. */
const HUB_SERVER = 'https://index.docker.io/v1/';

export function createCredentials(options: CredentialOptions): Credentials {
  const emit = options.emit ?? silent;
  const missing = new Set<string>();
  const explicit = new Map((options.explicit ?? []).map((entry) => [entry.registry.toLowerCase(), entry.credential]));

  async function find(registry: string, repository: string | undefined): Promise<Credential | undefined> {
    const given = longestMatch(explicit, registry, repository);
    if (given !== undefined)
      return given.kind === 'helper' ? askHelper(given.helper, registry, 'the settings of this host') : given;
    for (const file of options.files) {
      const config = await readConfig(file);
      const found = config && (await findIn(config, file, registry, repository));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async function findIn(
    config: DockerConfig,
    file: string,
    registry: string,
    repository: string | undefined,
  ): Promise<Credential | undefined> {
    const own = longestMatch(config.helpers, registry, repository);
    if (own !== undefined) return askHelper(own, registry, file);
    const stored = config.store === undefined ? undefined : await askStore(config.store, registry, file);
    return stored ?? longestMatch(config.auths, registry, repository);
  }

  /** A store is for all hosts, and often that of another machine whose configuration was copied: public images need none. */
  async function askStore(store: string, registry: string, file: string): Promise<Credential | undefined> {
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

  async function askHelper(helper: string, registry: string, where: string): Promise<Credential | undefined> {
    if (options.runHelper === undefined) {
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot get the credentials of ${registry}: ${where} names the helper ${JSON.stringify(helper)}, and helpers are not run here`,
      );
    }
    return options.runHelper(helper, registry === 'docker.io' ? HUB_SERVER : registry);
  }

  return { find };
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (bytes.length > LIMITS.configFile)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read the credentials in ${file}: the file is larger than ${LIMITS.configFile} bytes`,
    );
  return parseDockerConfig(bytes, file);
}
