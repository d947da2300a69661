import { join } from 'node:path';
import { OclError } from '../../../core/errors.ts';
import { isRegistryHost } from '../../../core/reference.ts';
import { type ConfigText, type ExplicitCredential } from './credentials.ts';
import { canonicalHost, normalKey } from './dockerConfig.ts';

export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Of the user, where there is such a number. */
  readonly uid?: number | undefined;
}

/** Where the environment says that credentials are. */
export interface CredentialSources {
  readonly explicit: readonly ExplicitCredential[];
  readonly files: readonly (string | ConfigText)[];
  /** The file that a login is written to. */
  readonly loginFile: string;
  /** Whether that file was named as containers' `auth.json`, whose keys may have a path. */
  readonly takesPaths: boolean;
}

/**
 * The sources of credentials, in the order in which they are asked; the first that knows the registry wins:
 *
 * 1. `OCL_USERNAME` and `OCL_PASSWORD`, for the one host in `OCL_REGISTRY`
 * 2. `creds` of a sync file (added by the command)
 * 3. `DOCKER_AUTH_CONFIG`: docker's `config.json` itself, as GitLab hands it to its jobs
 * 4. `REGISTRY_AUTH_FILE`
 * 5. `$DOCKER_CONFIG/config.json`
 * 6. `$XDG_RUNTIME_DIR/containers/auth.json`; without that variable `/run/containers/UID/auth.json`
 * 7. `$XDG_CONFIG_HOME/containers/auth.json`, by default below `~/.config`
 * 8. `~/.docker/config.json`, unless `DOCKER_CONFIG` names another
 *
 * @throws OCL_CONFIG_INVALID when only a part of the three variables of 1 is set
 */
export function credentialSources({ env, home, uid }: SourceOptions): CredentialSources {
  const { REGISTRY_AUTH_FILE: authFile, DOCKER_AUTH_CONFIG: text, DOCKER_CONFIG: docker } = env;
  const runtime = env['XDG_RUNTIME_DIR'] || (uid === undefined ? undefined : `/run/containers/${uid}`);
  const dockerFile = join(docker || join(home, '.docker'), 'config.json');
  const files: (string | ConfigText)[] = [];
  if (text) files.push({ name: 'DOCKER_AUTH_CONFIG', text });
  if (authFile) files.push(authFile);
  if (docker) files.push(dockerFile);
  if (runtime !== undefined) files.push(join(runtime, env['XDG_RUNTIME_DIR'] ? 'containers/auth.json' : 'auth.json'));
  files.push(join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers/auth.json'));
  if (!docker) files.push(dockerFile);
  return { explicit: ownVariables(env), files, loginFile: authFile || dockerFile, takesPaths: Boolean(authFile) };
}

const VARIABLES = ['OCL_REGISTRY', 'OCL_USERNAME', 'OCL_PASSWORD'] as const;

/** A password without the name of its host would go to whoever is asked (spec oci.md C10): all three are set, or none. */
function ownVariables(env: SourceOptions['env']): readonly ExplicitCredential[] {
  const [registry, username, password] = VARIABLES.map((name) => env[name] || undefined);
  if (registry === undefined && username === undefined && password === undefined) return [];
  if (registry === undefined || username === undefined || password === undefined) {
    const absent = VARIABLES.filter((name) => !env[name]);
    throw invalid(
      `Cannot use the login in the environment: ${absent.join(' and ')} ${absent.length > 1 ? 'are' : 'is'} not set`,
    );
  }
  const host = canonicalHost(normalKey(registry) ?? '');
  if (!isRegistryHost(host)) throw invalid('Cannot use the login in the environment: OCL_REGISTRY is no host[:port]');
  const source = { kind: 'environment', where: 'OCL_USERNAME' } as const;
  return [{ registry: host, credential: { kind: 'password', username, password }, source }];
}

function invalid(message: string): OclError {
  return new OclError('OCL_CONFIG_INVALID', message, {
    hint: 'set OCL_REGISTRY, OCL_USERNAME and OCL_PASSWORD together, or unset them all',
  });
}
