import { OclError } from '../../core/errors.ts';
import { isObject, parseJson, type JsonObject } from '../../core/json.ts';

/** How a registry is told who asks. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, which the token server takes. */
  | { readonly kind: 'identity'; readonly token: string; readonly username?: string | undefined }
  /** A token that is sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Docker's `config.json` or containers' `auth.json`; keys are `host[:port]`, or `host[:port]/path` in the latter. */
export interface DockerConfig {
  readonly auths: ReadonlyMap<string, Credential>;
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}

/** @throws OCL_CONFIG_INVALID; what is wrong with an entry is said without its secrets */
export function parseDockerConfig(bytes: Uint8Array, file: string): DockerConfig {
  const value = parseOrExplain(bytes, file);
  const auths = new Map<string, Credential>();
  for (const [key, entry] of entriesOf(value['auths'], 'auths', file)) {
    const credential = isObject(entry) ? readEntry(entry, key, file) : undefined;
    if (credential !== undefined) auths.set(normalKey(key), credential);
  }
  const helpers = new Map<string, string>();
  for (const [key, helper] of entriesOf(value['credHelpers'], 'credHelpers', file)) {
    if (typeof helper === 'string' && helper !== '') helpers.set(normalKey(key), helper);
  }
  const store = value['credsStore'];
  return { auths, helpers, store: typeof store === 'string' && store !== '' ? store : undefined };
}

/** The entry for `registry/repository`, the longest path first, then the host itself: exact, never a part of a name (spec oci.md C10). */
export function longestMatch<T>(
  entries: ReadonlyMap<string, T>,
  registry: string,
  repository: string | undefined,
): T | undefined {
  const host = registry.toLowerCase();
  const hosts = HUB.has(host) ? [...HUB] : [host];
  const segments = repository?.split('/') ?? [];
  for (let length = segments.length; length >= 0; length--) {
    for (const name of hosts) {
      const found = entries.get([name, ...segments.slice(0, length)].join('/'));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

const HUB: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** `https://host/v1/` is how Docker writes a host; without a scheme, a path means a part of the registry. */
function normalKey(key: string): string {
  const schemed = /^https?:\/\/([^/]+)/i.exec(key)?.[1];
  if (schemed !== undefined) return schemed.toLowerCase();
  const trimmed = key.replace(/\/+$/, '').replace(/\/v[12]$/, '');
  const slash = trimmed.indexOf('/');
  return slash < 0 ? trimmed.toLowerCase() : trimmed.slice(0, slash).toLowerCase() + trimmed.slice(slash);
}

function parseOrExplain(bytes: Uint8Array, file: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(bytes, 'it');
  } catch (error) {
    // The parser quotes what it stumbles over, and that may be a password.
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: it is not valid JSON`, {
      hint: `repair or remove ${file}`,
      cause: error instanceof OclError ? error.code : undefined,
    });
  }
  if (!isObject(value))
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: it is not a JSON object`);
  return value;
}

function entriesOf(value: unknown, name: string, file: string): readonly [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (!isObject(value))
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot read the credentials in ${file}: ${JSON.stringify(name)} is not an object`,
    );
  return Object.entries(value);
}

function readEntry(entry: JsonObject, key: string, file: string): Credential | undefined {
  const pair = textOf(entry['auth']) === undefined ? undefined : decodeAuth(textOf(entry['auth']) ?? '', key, file);
  const username = pair?.username ?? textOf(entry['username']);
  const password = pair?.password ?? textOf(entry['password']);
  const identity = textOf(entry['identitytoken']);
  if (identity !== undefined) return { kind: 'identity', token: identity, username };
  const bearer = textOf(entry['registrytoken']);
  if (bearer !== undefined) return { kind: 'bearer', token: bearer };
  if (username === undefined || password === undefined) return undefined;
  return { kind: 'password', username, password };
}

function decodeAuth(auth: string, key: string, file: string): { username: string; password: string } {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1)
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot read the credentials in ${file}: "auth" of ${JSON.stringify(key)} is not the base64 of user:password`,
    );
  // Docker pads old entries with NUL.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
