import { isUtf8 } from 'node:buffer';
import { OclError } from '../../../core/errors.ts';
import { isObject, parseJson, type JsonObject } from '../../../core/json.ts';

/** How a registry is told who asks. */
export type Credential =
  | {
      readonly kind: 'password';
      readonly username: string;
      readonly password: string;
      /** How the registry gets their letters; absent: as UTF-8. */
      readonly charset?: 'latin1' | undefined;
    }
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

/** The address under which Docker keeps the login of Docker Hub. */
export const HUB_SERVER = 'https://index.docker.io/v1/';

/**
 * @param file names it in errors
 * @throws OCL_CONFIG_INVALID; what is wrong is said without the file's content
 */
export function parseDockerConfig(bytes: Uint8Array, file: string): DockerConfig {
  const value = parseJsonFile(bytes, file);
  const auths = new Map<string, Credential>();
  for (const [key, entry] of entriesOf(value['auths'], 'auths', file)) {
    const credential = isObject(entry) ? readEntry(entry, key, file) : undefined;
    const name = normalKey(key);
    if (credential !== undefined && name !== undefined && !auths.has(name)) auths.set(name, credential);
  }
  const helpers = new Map<string, string>();
  for (const [key, helper] of entriesOf(value['credHelpers'], 'credHelpers', file)) {
    const name = normalKey(key);
    if (typeof helper === 'string' && helper !== '' && name !== undefined && !helpers.has(name))
      helpers.set(name, helper);
  }
  const store = value['credsStore'];
  return { auths, helpers, store: typeof store === 'string' && store !== '' ? store : undefined };
}

/** The names of a file's `auths` as they are written. @param text valid JSON */
export function authKeys(text: string): readonly string[] {
  const value: unknown = text.trim() === '' ? {} : JSON.parse(text);
  const auths = isObject(value) ? value['auths'] : undefined;
  return isObject(auths) ? Object.keys(auths) : [];
}

export interface Match<T> {
  readonly value: T;
  /** How many segments of the path the entry names; 0: the host alone. */
  readonly segments: number;
}

/** The entry for `registry/repository`, the longest path first, then the host itself: exact, never a part of a name (spec oci.md C10). */
export function matchOf<T>(
  entries: ReadonlyMap<string, T>,
  registry: string,
  repository: string | undefined,
): Match<T> | undefined {
  const host = registry.toLowerCase();
  const hosts = HUB.has(host) ? [...HUB] : [host];
  const path = repository?.split('/') ?? [];
  for (let segments = path.length; segments >= 0; segments--) {
    for (const name of hosts) {
      const value = entries.get([name, ...path.slice(0, segments)].join('/'));
      if (value !== undefined) return { value, segments };
    }
  }
  return undefined;
}

export function longestMatch<T>(
  entries: ReadonlyMap<string, T>,
  registry: string,
  repository: string | undefined,
): T | undefined {
  return matchOf(entries, registry, repository)?.value;
}

/** In the order in which they are looked for: Docker's own key first. */
const HUB: ReadonlySet<string> = new Set(['index.docker.io', 'docker.io', 'registry-1.docker.io']);

/** A host as references name it: lower case, and Docker Hub, which has three names, as `docker.io`. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  return HUB.has(lower) ? 'docker.io' : lower;
}

/**
 * `host[:port]`, or `host[:port]/path` for a part of a registry, from a key as tools write it: `https://host/v1/` is a host, and without
 * a scheme a path means a part. Undefined for keys beside a login that hold no password of their own.
 */
export function normalKey(key: string): string | undefined {
  // Docker's login in the browser keeps tokens for the Hub's web pages beside the login.
  if (/\/v1\/(?:access|refresh)-token\/?$/.test(key)) return undefined;
  const schemed = /^https?:\/\/([^/]+)/i.exec(key)?.[1];
  if (schemed !== undefined) return schemed.toLowerCase();
  const trimmed = key.replace(/\/+$/, '').replace(/\/v[12]$/, '');
  const slash = trimmed.indexOf('/');
  return slash < 0 ? trimmed.toLowerCase() : trimmed.slice(0, slash).toLowerCase() + trimmed.slice(slash);
}

/** A file of credentials as an object. @throws OCL_CONFIG_INVALID, which says where it is broken and quotes nothing */
function parseJsonFile(bytes: Uint8Array, file: string): JsonObject {
  // An empty file is what mktemp makes for a login to come.
  let value: unknown = {};
  try {
    if (bytes.some((byte) => byte > 0x20)) value = parseJson(bytes, 'it');
  } catch (error) {
    // The parser quotes what it stumbles over, and that may be a password.
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: ${whyBroken(error, bytes)}`, {
      hint: `repair or remove ${file}`,
      cause: error instanceof OclError ? error.code : undefined,
    });
  }
  if (!isObject(value))
    throw new OclError('OCL_CONFIG_INVALID', `Cannot read the credentials in ${file}: it is not a JSON object`);
  return value;
}

function whyBroken(error: unknown, bytes: Uint8Array): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof SyntaxError)) return WHY.find(([pattern]) => pattern.test(message))?.[1] ?? NOT_JSON;
  const text = new TextDecoder().decode(bytes);
  const position = / at position (\d+)/.exec(cause.message)?.[1];
  if (/^(?:Unexpected end|Unterminated)/.test(cause.message) || Number(position) >= text.length)
    return `${NOT_JSON}: it ends too early`;
  if (position === undefined) return NOT_JSON;
  const before = text.slice(0, Number(position)).split('\n');
  return `${NOT_JSON}: line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}

const NOT_JSON = 'it is not valid JSON';
const WHY: readonly (readonly [RegExp, string])[] = [
  [/is not UTF-8/, 'it is not UTF-8 text'],
  [/byte order mark/, 'it starts with a byte order mark, which JSON does not have'],
  [/stands twice/, 'a name stands twice in one object, and readers differ in which they take'],
  [/nested/, 'it is nested too deep'],
];

/** The most exact way to name a host first: equal names may be written in several ways, and Docker looks for them in this order. */
function rank(key: string): number {
  if (key === HUB_SERVER) return 0;
  return /^https:/i.test(key) ? 2 : /^http:/i.test(key) ? 3 : 1;
}

function entriesOf(value: unknown, name: string, file: string): readonly [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (!isObject(value))
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot read the credentials in ${file}: ${JSON.stringify(name)} is not an object`,
    );
  return Object.entries(value).toSorted(([a], [b]) => rank(a) - rank(b));
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
  return { kind: 'password', username, password, ...(pair?.charset === undefined ? {} : { charset: pair.charset }) };
}

interface Pair {
  readonly username: string;
  readonly password: string;
  readonly charset: 'latin1' | undefined;
}

/** Docker sends the very bytes that it finds here, whatever they mean: what is no UTF-8 has to become the same bytes again. */
function decodeAuth(auth: string, key: string, file: string): Pair {
  const bytes = Buffer.from(auth, 'base64');
  const charset = isUtf8(bytes) ? undefined : 'latin1';
  const text = bytes.toString(charset ?? 'utf8');
  const colon = text.indexOf(':');
  if (colon < 1)
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot read the credentials in ${file}: "auth" of ${JSON.stringify(key)} is not the base64 of user:password`,
      { hint: `repair that entry of ${file}, or take it out` },
    );
  // Docker pads old entries with NUL.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, ''), charset };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
