import { isDigest, type Digest } from './digest.ts';
import { OclError } from './errors.ts';

export interface RegistryReference {
  readonly kind: 'registry';
  /** `host[:port]`; Docker Hub is `docker.io`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** A place on disk and a name in it. `path` as the kind means: whatever the path turns out to be. */
export interface FileReference {
  readonly kind: 'layout' | 'archive' | 'docker-archive' | 'path';
  readonly path: string;
  /** Paths of further volumes of the set that the archive belongs to. */
  readonly volumes?: readonly string[] | undefined;
  /** A tag, or a full image name where the store has several repositories. */
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

export type Reference = RegistryReference | FileReference;

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const DOCKER_HUB: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
const MAX_REPOSITORY = 255;

export function isTag(text: string): boolean {
  return TAG.test(text);
}

export function isRepository(text: string): boolean {
  return text.length <= MAX_REPOSITORY && REPOSITORY.test(text);
}

export function isRegistryHost(text: string): boolean {
  return HOST.test(text);
}

const SCHEMES: readonly { readonly prefix: string; readonly kind: FileReference['kind'] }[] = [
  { prefix: 'ocidir://', kind: 'layout' },
  { prefix: 'ocifile://', kind: 'archive' },
  { prefix: 'oci-archive:', kind: 'archive' },
  { prefix: 'docker-archive:', kind: 'docker-archive' },
  { prefix: 'oci:', kind: 'layout' },
];

/**
 * A reference as people type it: `alpine:3.20`, `host:5000/repo@sha256:…`, `ocidir://DIR:TAG`, `oci:DIR:TAG`,
 * `oci-archive:FILE:TAG`, `docker-archive:FILE:NAME:TAG`, `./path`.
 * @throws OCL_REFERENCE_INVALID, also for `HOST:PORT`, which would be an image of Docker Hub with the port as its tag
 */
export function parseReference(text: string): Reference {
  const reference = readReference(text);
  if (reference.kind === 'registry') refuseRegistryAlone(text);
  return reference;
}

function readReference(text: string): Reference {
  if (text === '') throw invalid(text, 'it is empty');
  for (const { prefix, kind } of SCHEMES) {
    if (text.startsWith(prefix)) return parseFileReference(text, text.slice(prefix.length), kind);
  }
  if (/^(?:\.{0,2}\/|\.{1,2}$|~\/|[A-Za-z]:[\\/])/.test(text)) return parseFileReference(text, text, 'path');
  if (text.startsWith('docker://')) return parseRegistryReference(text, text.slice('docker://'.length));
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//.exec(text)?.[1];
  if (scheme !== undefined)
    throw invalid(
      text,
      `the scheme ${scheme}:// is not known`,
      webHint(text) ?? 'use docker://, ocidir://, oci:, oci-archive: or docker-archive:',
    );
  return parseRegistryReference(text, text);
}

/** An address that was copied from a browser. */
function webHint(text: string): string | undefined {
  const [, scheme, rest = ''] = /^(https?):\/\/(.+)$/.exec(text) ?? [];
  if (rest === '') return undefined;
  return scheme === 'http' ? `write ${rest} --plain-http ${rest.replace(/\/.*$/, '')}` : `write ${rest}`;
}

/** Names with a dot are rare on Docker Hub, and ports are what people mean; the full name says the other. */
function refuseRegistryAlone(text: string): void {
  const host = /^(?:docker:\/\/)?((?:localhost|[^/@:]*\.[^/@:]*):([0-9]{1,5}))(?:@|$)/i.exec(text);
  const [, name = '', port = ''] = host ?? [];
  if (host === null || Number(port) === 0 || Number(port) > 65_535) return;
  const image = /^(?:localhost|[0-9.]+):/i.test(name)
    ? ''
    : `; for an image of Docker Hub write docker.io/library/${name}`;
  throw invalid(
    text,
    'that is a registry, not an image',
    `name a repository, like ${name}/team/app:1.1, or list them: ocl ls ${name}${image}`,
  );
}

/** A reference where the command takes a path: a bare `app.tar` is a file here, not an image on Docker Hub. */
export function parsePathReference(text: string): Reference {
  const known = SCHEMES.some(({ prefix }) => text.startsWith(prefix)) || text.startsWith('docker://');
  return known ? parseReference(text) : parseFileReference(text, text, 'path');
}

/** `HOST[:PORT]/REPOSITORY` or a Docker Hub short name, without tag and digest. @throws OCL_REFERENCE_INVALID */
function splitRegistry(text: string, name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const host = isHost ? first : 'docker.io';
  const registry = DOCKER_HUB.has(host.toLowerCase()) ? 'docker.io' : host;
  let repository = isHost ? name.slice(slash + 1) : name;
  if (!isRegistryHost(registry)) throw invalid(text, `${JSON.stringify(registry)} is no host name`);
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`;
  if (!isRepository(repository)) {
    const lower = repository.toLowerCase();
    throw invalid(
      text,
      `the repository ${JSON.stringify(repository)} is not valid`,
      lower !== repository && isRepository(lower) ? 'repositories are written in lower case' : undefined,
    );
  }
  return { registry, repository };
}

function parseRegistryReference(text: string, body: string): RegistryReference {
  const { rest, digest } = splitDigestSuffix(text, body);
  const colon = rest.lastIndexOf(':');
  const hasTag = colon > rest.lastIndexOf('/');
  const tag = hasTag ? rest.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) throw invalid(text, `the tag ${JSON.stringify(tag)} is not valid`);
  return { kind: 'registry', ...splitRegistry(text, hasTag ? rest.slice(0, colon) : rest), tag, digest };
}

function parseFileReference(text: string, body: string, kind: FileReference['kind']): FileReference {
  const { rest, digest } = splitDigestSuffix(text, body);
  const start = /^[A-Za-z]:[\\/]/.test(rest) ? 2 : 0;
  const colon = rest.indexOf(':', start);
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === '') throw invalid(text, 'the path is missing');
  if (tag === '') throw invalid(text, 'the name after the colon is missing');
  return { kind, path, tag, digest };
}

function splitDigestSuffix(text: string, body: string): { rest: string; digest: Digest | undefined } {
  const at = body.lastIndexOf('@');
  if (at < 0) return { rest: body, digest: undefined };
  const digest = body.slice(at + 1);
  if (isDigest(digest)) return { rest: body.slice(0, at), digest };
  if (/^(?:sha256|sha384|sha512|blake3):/.test(digest))
    throw invalid(text, `the digest ${JSON.stringify(digest)} is not valid`);
  return { rest: body, digest: undefined };
}

const PREFIX: Readonly<Record<FileReference['kind'], string>> = {
  layout: 'ocidir://',
  archive: 'oci-archive:',
  'docker-archive': 'docker-archive:',
  path: '',
};

/** The reference in the form that `parseReference` reads again. */
export function formatReference(reference: Reference): string {
  const base =
    reference.kind === 'registry'
      ? `${reference.registry}/${reference.repository}`
      : `${PREFIX[reference.kind]}${reference.path}`;
  const tagged = reference.tag === undefined ? base : `${base}:${reference.tag}`;
  return reference.digest === undefined ? tagged : `${tagged}@${reference.digest}`;
}

/** `docker.io/library/alpine:3.20` in its parts, when a text is such a name. What files say is believed: `my.image:1` is an image there. */
export function parseImageName(text: string): RegistryReference | undefined {
  try {
    const reference = readReference(text);
    return reference.kind === 'registry' ? reference : undefined;
  } catch {
    return undefined;
  }
}

/** What is asked of a store: the digest when one is given, else the tag, else `latest` in a registry. */
export function wantedName(reference: Reference): string | undefined {
  if (reference.digest !== undefined) return reference.digest;
  if (reference.tag !== undefined) return reference.tag;
  return reference.kind === 'registry' ? 'latest' : undefined;
}

function invalid(text: string, why: string, hint?: string): OclError {
  return new OclError(
    'OCL_REFERENCE_INVALID',
    `Cannot read the reference ${JSON.stringify(text.slice(0, 300))}: ${why}`,
    { hint },
  );
}
