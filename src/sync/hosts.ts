import { isRegistryHost } from '../core/reference.ts';
import { type HostInput } from './schema.ts';
import { type HostSettings } from './settings.ts';

const DOCKER_HUB: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Receives the key of the entry that a warning is about, if any. */
export type HostWarn = (index: number, key: string | undefined, message: string) => void;

/**
 * The entries of `creds`, merged for each registry: later values replace earlier ones; a helper takes a login away, and a login a helper
 * (spec/regsync.md 2).
 */
export function readHosts(entries: readonly (HostInput | null | undefined)[], warn: HostWarn): readonly HostSettings[] {
  const hosts = new Map<string, HostSettings>();
  for (const [index, entry] of entries.entries()) {
    const settings = readHost(entry ?? {}, (key, message) => warn(index, key, message));
    if (settings === undefined) continue;
    hosts.set(settings.registry, mergeHosts(hosts.get(settings.registry), settings));
  }
  return [...hosts.values()];
}

function readHost(
  entry: HostInput,
  warn: (key: string | undefined, message: string) => void,
): HostSettings | undefined {
  const named = registryName(entry.registry ?? '');
  if (named === undefined) {
    warn(
      entry.registry ? 'registry' : undefined,
      entry.registry
        ? `${JSON.stringify(entry.registry)} is no host name; the entry is ignored`
        : 'the entry has no registry and is ignored',
    );
    return undefined;
  }
  // Templates of variables that are not set leave these, and a run without a login fails far from here.
  for (const key of ['user', 'pass'] as const)
    if (entry[key] === '' && entry[key === 'user' ? 'pass' : 'user'])
      warn(key, `${key} is empty, so ${named.registry} is asked without this login`);
  const pathPrefix = (entry.pathPrefix ?? '').replaceAll(/^\/+|\/+$/g, '');
  return {
    registry: named.registry,
    hostname: entry.hostname || undefined,
    tls: entry.tls ?? (named.plainHttp ? 'disabled' : undefined),
    regcert: entry.regcert || undefined,
    clientCert: entry.clientCert || undefined,
    clientKey: entry.clientKey || undefined,
    user: entry.user || undefined,
    pass: entry.pass || undefined,
    token: entry.token || undefined,
    credHelper: entry.credHelper || undefined,
    credExpire: entry.credExpire && entry.credExpire > 0 ? entry.credExpire : undefined,
    credHost: entry.credHost || undefined,
    repoAuth: entry.repoAuth ?? false,
    pathPrefix: pathPrefix || undefined,
    reqConcurrent: entry.reqConcurrent && entry.reqConcurrent > 0 ? entry.reqConcurrent : undefined,
    blobChunk: entry.blobChunk && entry.blobChunk > 0 ? entry.blobChunk : undefined,
    blobMax: entry.blobMax && entry.blobMax > 0 ? entry.blobMax : undefined,
    reqPerSec: entry.reqPerSec && entry.reqPerSec > 0 ? entry.reqPerSec : undefined,
    mirrors: readMirrors(entry.mirrors ?? [], (message) => warn('mirrors', message)),
    priority: entry.priority || undefined,
    uploadHosts: entry.uploadHosts?.length ? entry.uploadHosts : undefined,
    disableHead: readDisableHead(entry.apiOpts ?? {}, (message) => warn('apiOpts', message)),
  };
}

/** Undefined: none are given, and those of an earlier entry stay. */
function readMirrors(names: readonly string[], warn: (message: string) => void): readonly string[] | undefined {
  const mirrors: string[] = [];
  for (const name of names) {
    const named = registryName(name);
    if (named === undefined) warn(`${JSON.stringify(name)} is no host name; this mirror is ignored`);
    else mirrors.push(named.registry);
  }
  return mirrors.length === 0 ? undefined : mirrors;
}

function readDisableHead(options: Readonly<Record<string, string>>, warn: (message: string) => void): true | undefined {
  for (const key of Object.keys(options))
    if (key !== 'disableHead') warn(`apiOpts has no ${JSON.stringify(key)}; disableHead alone is read, as in regsync`);
  return options['disableHead'] === 'true' ? true : undefined;
}

/** `http://host` stands for TLS disabled; Docker Hub has several names, its old URL among them. */
function registryName(text: string): { readonly registry: string; readonly plainHttp: boolean } | undefined {
  const [, scheme = '', rest = ''] = /^(https?:\/\/)?(.*)$/s.exec(text) ?? [];
  const host = rest.replace(/\/+$/, '');
  const registry = DOCKER_HUB.has(host.replace(/\/v1$/, '')) ? 'docker.io' : host;
  return isRegistryHost(registry) ? { registry, plainHttp: scheme === 'http://' } : undefined;
}

function mergeHosts(earlier: HostSettings | undefined, later: HostSettings): HostSettings {
  if (earlier === undefined) return later;
  const given = Object.fromEntries(Object.entries(later).filter(([, value]) => value !== undefined && value !== false));
  const merged: HostSettings = { ...earlier, ...given };
  if (later.credHelper !== undefined) return { ...merged, user: later.user, pass: later.pass, token: later.token };
  if (later.user !== undefined || later.pass !== undefined || later.token !== undefined)
    return { ...merged, credHelper: undefined };
  return merged;
}
