import { isCode, OclError, toOclError } from '../../../core/errors.ts';
import { type Emit } from '../../../core/events.ts';
import { isRegistryHost, isRepository } from '../../../core/reference.ts';
import { type LockOptions } from '../../../io/lock.ts';
import { changeCredentialFile } from './credentialFile.ts';
import { type Helpers, type StorableCredential } from './credentialHelper.ts';
import { type CredentialSources } from './credentialSources.ts';
import { readConfig, readCredentialFile, serverOf } from './credentials.ts';
import { authKeys, canonicalHost, longestMatch, normalKey, type DockerConfig } from './dockerConfig.ts';
import { removeMember, setMember } from './jsonEdit.ts';

/** What a login is for. */
export interface LoginScope {
  /** `host[:port]`; Docker Hub is `docker.io`. */
  readonly registry: string;
  /** A namespace or repository, when the login is for a part of the registry. */
  readonly path: string | undefined;
}

/** Where a login is kept. */
export interface KeptLogin {
  readonly kind: 'file' | 'helper';
  /** The path of the file, or the name of the helper. */
  readonly where: string;
}

export interface LoginOptions extends LockOptions {
  readonly helpers: Helpers;
}

/** `HOST[:PORT][/PATH]` as people type it or files write it. @throws OCL_USAGE */
export function parseLoginScope(text: string): LoginScope {
  const [host = '', ...segments] = (normalKey(text) ?? '').split('/');
  const path = segments.length === 0 ? undefined : segments.join('/');
  if (isRegistryHost(host) && (path === undefined || isRepository(path)))
    return { registry: canonicalHost(host), path };
  throw new OclError(
    'OCL_USAGE',
    `Cannot read the registry ${JSON.stringify(text.slice(0, 300))}: it is no HOST[:PORT]`,
    {
      hint: 'name the registry alone, like ghcr.io or registry.local:5000',
    },
  );
}

/** The scope in the form that is typed. */
export function formatScope({ registry, path }: LoginScope): string {
  return path === undefined ? registry : `${registry}/${path}`;
}

/**
 * Keeps a login: with the helper that the file names for the host, else with its store, else in the file itself.
 * @throws OCL_NOT_FOUND when that helper is not installed, OCL_UNAUTHORIZED when it fails, OCL_CONFIG_INVALID
 */
export async function storeLogin(
  file: string,
  scope: LoginScope,
  credential: StorableCredential,
  options: LoginOptions,
): Promise<KeptLogin> {
  const helper = scope.path === undefined ? helperOf(await readConfig(file), scope) : undefined;
  if (helper !== undefined) await storeWith(helper, file, scope, credential, options.helpers);
  // As docker does: an empty entry tells other tools for which hosts the helper is to be asked, and an old password goes.
  const entry = helper === undefined ? entryOf(credential) : {};
  await changeCredentialFile(file, options, (text) => {
    const key = scope.path === undefined ? serverOf(scope.registry) : formatScope(scope);
    const others = keysOf(text, scope).filter((each) => each !== key);
    const without = others.reduce((rest, each) => removeMember(rest, ['auths', each]), text);
    return setMember(without, ['auths', key], entry);
  });
  return helper === undefined ? { kind: 'file', where: file } : { kind: 'helper', where: helper };
}

/** Some helpers only make logins and keep none, as those of clouds do: then it has to go elsewhere. */
async function storeWith(
  helper: string,
  file: string,
  scope: LoginScope,
  credential: StorableCredential,
  helpers: Helpers,
): Promise<void> {
  try {
    await helpers.store(helper, serverOf(scope.registry), credential);
  } catch (error) {
    const { code, message, cause } = toOclError(error);
    const hint = `${file} names this helper; another file keeps the login without it: ocl login ${formatScope(scope)} --auth-file FILE`;
    throw new OclError(code, message, { hint, cause });
  }
}

export interface Erased {
  readonly from: readonly (KeptLogin & { readonly scope: string })[];
  /** What helpers failed to take away. */
  readonly failed: readonly OclError[];
}

/**
 * Takes a login out of every file, and from every helper that they name.
 * @param scope undefined: all logins
 * @throws OCL_CONFIG_INVALID for broken files
 */
export async function eraseLogins(
  files: readonly string[],
  scope: LoginScope | undefined,
  options: LoginOptions,
): Promise<Erased> {
  const from: (KeptLogin & { scope: string })[] = [];
  const failed: OclError[] = [];
  const asked = new Set<string>();
  for (const file of new Set(files)) {
    const config = await readConfig(file);
    if (config === undefined) continue;
    for (const [helper, server] of await helped(config, scope, options.helpers, failed)) {
      if (asked.has(`${helper}\n${server}`)) continue;
      asked.add(`${helper}\n${server}`);
      try {
        if ((await options.helpers.get(helper, server)) === undefined) continue;
        await options.helpers.erase(helper, server);
        from.push({ kind: 'helper', where: helper, scope: scopeOf(server) });
      } catch (error) {
        // A store that was copied along with the file from another machine keeps nothing here.
        if (!isCode(error, 'OCL_NOT_FOUND')) failed.push(toOclError(error));
      }
    }
    const bytes = await readCredentialFile(file);
    const keys = keysOf(new TextDecoder().decode(bytes), scope);
    if (keys.length === 0) continue;
    await changeCredentialFile(file, options, (text) =>
      keys.reduce((rest, key) => removeMember(rest, ['auths', key]), text),
    );
    const names = new Set(keys.map((key) => normalKey(key) ?? key).filter((name) => config.auths.has(name)));
    for (const name of names) from.push({ kind: 'file', where: file, scope: scopeOf(name) });
  }
  return { from, failed };
}

/** The helpers that may keep such logins, each with the server that it is asked for. */
async function helped(
  config: DockerConfig,
  scope: LoginScope | undefined,
  helpers: Helpers,
  failed: OclError[],
): Promise<readonly (readonly [helper: string, server: string])[]> {
  if (scope !== undefined) {
    const names = scope.path === undefined ? [helperOf({ ...config, store: undefined }, scope), config.store] : [];
    return names.filter((name) => name !== undefined).map((name) => [name, serverOf(scope.registry)] as const);
  }
  const own = [...config.helpers].map(([host, helper]) => [helper, serverOf(canonicalHost(host))] as const);
  if (config.store === undefined) return own;
  const { store } = config;
  const servers = await listStore(helpers, store).catch((error: unknown) => {
    failed.push(toOclError(error));
    return [];
  });
  return [...own, ...servers.map((server) => [store, server] as const)];
}

function helperOf(config: DockerConfig | undefined, { registry }: LoginScope): string | undefined {
  return config && (longestMatch(config.helpers, registry, undefined) ?? config.store);
}

function entryOf(credential: StorableCredential): Readonly<Record<string, string>> {
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  if (credential.kind === 'password') return { auth: base64(`${credential.username}:${credential.password}`) };
  const { username, token } = credential;
  return { ...(username === undefined ? {} : { auth: base64(`${username}:`) }), identitytoken: token };
}

/** The keys of a file's `auths` that mean the scope, in whatever form they are written. */
function keysOf(text: string, scope: LoginScope | undefined): readonly string[] {
  const wanted = scope === undefined ? undefined : formatScope(scope);
  return authKeys(text).filter((key) => wanted === undefined || scopeOf(normalKey(key) ?? '') === wanted);
}

function scopeOf(key: string): string {
  const [host = '', ...segments] = (normalKey(key) ?? key).split('/');
  return [canonicalHost(host), ...segments].join('/');
}

/** Everything that a login is kept for, in order and once. A store that does not tell what it keeps is warned about. @throws OCL_CONFIG_INVALID */
export async function knownScopes(
  { explicit, files }: Pick<CredentialSources, 'explicit' | 'files'>,
  helpers: Helpers,
  emit: Emit,
): Promise<readonly LoginScope[]> {
  const names = new Set(explicit.map(({ registry }) => scopeOf(registry)));
  for (const file of files) {
    const config = await readConfig(file);
    if (config === undefined) continue;
    const stored = await listStore(helpers, config.store).catch((error: unknown) => {
      emit({ type: 'notice', level: 'warning', message: toOclError(error).message });
      return [];
    });
    for (const key of [...config.auths.keys(), ...config.helpers.keys(), ...stored]) names.add(scopeOf(key));
  }
  return [...names].toSorted().flatMap((name) => {
    const [registry = '', ...segments] = name.split('/');
    // What else a store may keep is no registry.
    return isRegistryHost(registry) ? [{ registry, path: segments.length === 0 ? undefined : segments.join('/') }] : [];
  });
}

/** The servers that a store knows; none when it was copied from another machine and is not installed here. */
async function listStore(helpers: Helpers, store: string | undefined): Promise<readonly string[]> {
  if (store === undefined) return [];
  try {
    return [...(await helpers.list(store)).keys()];
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return [];
    throw error;
  }
}
