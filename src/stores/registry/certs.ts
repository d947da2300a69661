import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { OclError, systemCode } from '../../core/errors.ts';
import { isRegistryHost } from '../../core/reference.ts';
import { certificatesOf } from '../../io/authorities.ts';
import { type HostSettings } from './hosts.ts';

/** The settings of registries, by their names as references have them. */
export interface Hosts {
  get(registry: string): HostSettings | undefined;
}

/** Directories in which `*.crt` are authorities, and `X.cert` with `X.key` is what the client shows (as docker and podman have it). */
export interface CertificatePlaces {
  /** Its files are for all registries, and those of its directory `host[:port]` for one. Must be there. */
  readonly chosen?: string | undefined;
  /** Each may have a directory `host[:port]`. */
  readonly perHost: readonly string[];
}

interface Found {
  readonly ca: string[];
  pair: { readonly clientCert: string; readonly clientKey: string } | undefined;
}

/** Files of one directory. */
const MAX_FILES = 100;
/** Bytes of one file. */
const MAX_FILE = 1 << 20;

/**
 * Adds what the directories hold to the settings of each host that is asked for, once. What the settings say themselves goes first.
 * `get` throws OCL_CONFIG_INVALID, OCL_LIMIT, naming the file
 */
export function withCertificates(hosts: Hosts, places: CertificatePlaces): Hosts {
  const known = new Map<string, HostSettings>();
  return {
    get(registry) {
      let settings = known.get(registry);
      if (settings === undefined)
        known.set(registry, (settings = complete(hosts.get(registry) ?? {}, registry, places)));
      return settings;
    },
  };
}

function complete(settings: HostSettings, registry: string, places: CertificatePlaces): HostSettings {
  if (settings.tls === 'disabled') return settings;
  const { ca, pair } = find(registry, settings.hostname, places);
  const own = settings.clientCert !== undefined || pair === undefined ? {} : pair;
  return ca.length === 0 ? { ...settings, ...own } : { ...settings, ca: [...(settings.ca ?? []), ...ca], ...own };
}

function find(registry: string, dialled: string | undefined, { chosen, perHost }: CertificatePlaces): Found {
  const found: Found = { ca: [], pair: undefined };
  const names = [...new Set([registry, dialled ?? registry])].filter(isRegistryHost);
  if (chosen !== undefined) for (const name of names) readInto(found, join(chosen, name), false);
  if (chosen !== undefined) readInto(found, chosen, true);
  for (const directory of perHost) for (const name of names) readInto(found, join(directory, name), false);
  return found;
}

/** @param wanted whether it is an error that the directory is not there */
function readInto(found: Found, directory: string, wanted: boolean): void {
  const files = filesOf(directory, wanted);
  if (files.length > MAX_FILES)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read the certificates in ${directory}: there are more than ${MAX_FILES} files`,
    );
  for (const name of files.filter((each) => each.endsWith('.crt')))
    found.ca.push(...readCertificates(join(directory, name)));
  for (const name of files) {
    const other = name.endsWith('.cert')
      ? `${name.slice(0, -'.cert'.length)}.key`
      : name.endsWith('.key')
        ? `${name.slice(0, -'.key'.length)}.cert`
        : undefined;
    if (other === undefined) continue;
    if (!files.includes(other))
      throw unusable(join(directory, name), `${other} is missing beside it`, 'a client needs both: X.cert and X.key');
    // The first pair counts, in the order of the names.
    if (!name.endsWith('.cert') || found.pair !== undefined) continue;
    const file = join(directory, name);
    found.pair = { clientCert: readCertificates(file).join('\n'), clientKey: readBounded(join(directory, other)) };
  }
}

function filesOf(directory: string, wanted: boolean): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(?:crt|cert|key)$/.test(name))
      .toSorted();
  } catch (error) {
    const code = systemCode(error) ?? '';
    // What others may not even look into is not for this user.
    if (!wanted && ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(code)) return [];
    if (code === 'ENOENT') throw unusable(directory, 'there is no such directory', HOLDS, error);
    if (code === 'ENOTDIR') throw unusable(directory, 'it is no directory', HOLDS, error);
    throw unusable(directory, error instanceof Error ? error.message : String(error), undefined, error);
  }
}

const HOLDS = 'name the directory that holds the certificates: --cert-dir DIR';

function readCertificates(file: string): readonly string[] {
  const certificates = certificatesOf(readBounded(file));
  if (certificates.length === 0) throw unusable(file, 'it holds no certificate', 'certificates are in PEM');
  if (!certificates.every(isReadable)) throw unusable(file, 'a certificate in it is damaged');
  return certificates;
}

function isReadable(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

function readBounded(file: string): string {
  try {
    if (statSync(file).size > MAX_FILE) throw new Error(`it has more than ${MAX_FILE} bytes`);
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw unusable(file, error instanceof Error ? error.message : String(error), undefined, error);
  }
}

function unusable(file: string, why: string, hint?: string, cause?: unknown): OclError {
  return new OclError('OCL_CONFIG_INVALID', `Cannot use ${file}: ${why}`, { hint, cause });
}
