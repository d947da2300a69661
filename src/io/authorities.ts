import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { OclError } from '../core/errors.ts';

/** Where the machine keeps the authorities that it trusts, as the usual variables tell. */
export interface AuthorityPlaces {
  /** A file of PEM certificates, as `SSL_CERT_FILE` has it. Absent: the first of the usual files. */
  readonly file?: string | undefined;
  /** Directories of such files with colons between them, as `SSL_CERT_DIR` has it. */
  readonly directories?: string | undefined;
  /** A file that Node trusts by itself, as `NODE_EXTRA_CA_CERTS` has it. */
  readonly extra?: string | undefined;
}

/** Debian and Alpine; Red Hat; SUSE; Alpine, macOS and the BSDs. */
const USUAL_FILES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** Bytes of one file of authorities; the usual ones have 0.2 MB. */
const MAX_FILE = 8 << 20;
/** Files of one directory of authorities. */
const MAX_FILES = 2000;

/** Since Node 22.15; what `--use-system-ca` would trust. */
type ListAuthorities = (kind: 'default' | 'system') => string[];
const listAuthorities = (tls as unknown as { getCACertificates?: ListAuthorities }).getCACertificates;

/** The authorities that connections are held against. Nothing is read before the first one asks, and each file once. */
export class Authorities {
  readonly #places: AuthorityPlaces;
  #base: Promise<readonly string[]> | undefined;
  #added: Promise<readonly string[]> | undefined;

  constructor(places: AuthorityPlaces = {}) {
    this.#places = places;
  }

  /**
   * PEM texts: Node's own, the machine's, and those of a host. Undefined: Node's own are all.
   * @throws OCL_CONFIG_INVALID when a place that was named cannot be read
   */
  async with(own: readonly string[]): Promise<readonly string[] | undefined> {
    this.#added ??= this.#readAdded();
    const more = [...(await this.#added), ...own];
    return more.length === 0 ? undefined : [...(await this.#ofNode()), ...more];
  }

  /** What the machine trusts beyond Node. */
  async #readAdded(): Promise<readonly string[]> {
    const known = new Set((await this.#ofNode()).map(withoutSpace));
    return (await this.#ofMachine()).filter((pem) => !known.has(withoutSpace(pem)));
  }

  #ofNode(): Promise<readonly string[]> {
    this.#base ??= this.#readBase();
    return this.#base;
  }

  async #readBase(): Promise<readonly string[]> {
    if (listAuthorities !== undefined) return listAuthorities('default');
    const { extra } = this.#places;
    // Node has said so itself when it could not read that file.
    return [...tls.rootCertificates, ...(extra === undefined ? [] : ((await tryToRead(extra)) ?? []))];
  }

  async #ofMachine(): Promise<readonly string[]> {
    const { file, directories } = this.#places;
    const found: string[] = [];
    if (file) found.push(...(await readNamed(file, 'SSL_CERT_FILE')));
    for (const directory of (directories ?? '').split(':').filter((name) => name !== ''))
      found.push(...(await readDirectory(directory)));
    if (file || directories) return found;
    if (listAuthorities !== undefined && (process.platform === 'darwin' || process.platform === 'win32'))
      return listAuthorities('system');
    for (const usual of USUAL_FILES) {
      const certificates = await tryToRead(usual);
      if (certificates !== undefined && certificates.length > 0) return certificates;
    }
    return [];
  }
}

/** The certificates of a PEM text, one by one. */
export function certificatesOf(text: string): readonly string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
}

async function readDirectory(directory: string): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    throw unreadable(directory, 'SSL_CERT_DIR', error);
  }
  // Hashed links stand beside the files that they point at.
  const files = names.filter((name) => /\.(?:crt|pem|cer|0)$/.test(name)).slice(0, MAX_FILES);
  const lists = await Promise.all(files.map((name) => tryToRead(join(directory, name))));
  return [...new Set(lists.flatMap((list) => list ?? []))];
}

async function readNamed(file: string, variable: string): Promise<readonly string[]> {
  try {
    return await read(file);
  } catch (error) {
    throw unreadable(file, variable, error);
  }
}

async function tryToRead(file: string): Promise<readonly string[] | undefined> {
  try {
    return await read(file);
  } catch {
    return undefined;
  }
}

async function read(file: string): Promise<readonly string[]> {
  const { size } = await stat(file);
  if (size > MAX_FILE) throw new Error(`it has more than ${MAX_FILE} bytes`);
  return certificatesOf(await readFile(file, 'latin1'));
}

function unreadable(path: string, variable: string, error: unknown): OclError {
  const why = error instanceof Error ? error.message : String(error);
  return new OclError('OCL_CONFIG_INVALID', `Cannot read the authorities in ${path}: ${why}`, {
    hint: `set ${variable} to what is there, or unset it`,
    cause: error,
  });
}

function withoutSpace(pem: string): string {
  return pem.replaceAll(/\s/g, '');
}
