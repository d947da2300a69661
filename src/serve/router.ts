import { isDigest, type Digest } from '../core/digest.ts';
import { isRepository } from '../core/reference.ts';
import { Refusal } from './errors.ts';

/** What a path of the distribution API names. */
export type Target =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: Digest };

export interface Route {
  readonly target: Target;
  readonly query: URLSearchParams;
}

/** Separators and control characters have no business in a name, however they are written. */
const ENCODED_SEPARATOR = /%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)/i;

/**
 * The route of a request target such as `/v2/library/alpine/manifests/3.20?ns=docker.io`. It is decoded once; every part is held to its grammar
 * here, so that nothing behind this function sees a name that could be a path.
 *
 * @throws Refusal NAME_INVALID, DIGEST_INVALID, or UNSUPPORTED (404) for what is no part of the API
 */
export function route(url: string): Route {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  return { target: target(path), query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) };
}

function target(path: string): Target {
  if (ENCODED_SEPARATOR.test(path)) throw new Refusal('NAME_INVALID', 'the path has an encoded separator');
  const [root, version, ...rest] = decode(path).split('/');
  if (root !== '' || version !== 'v2') throw noSuchPage();
  if (rest.length === 0 || (rest.length === 1 && rest[0] === '')) return { kind: 'ping' };
  if (rest.length === 1 && rest[0] === '_catalog') return { kind: 'catalog' };
  const last = rest.at(-1) ?? '';
  const verb = rest.at(-2);
  const before = rest.at(-3);
  if (before === 'blobs' && verb === 'uploads') {
    const repository = name(rest.slice(0, -3));
    return last === '' ? { kind: 'uploads', repository } : { kind: 'upload', repository, id: last };
  }
  if (verb === 'blobs' && last === 'uploads') return { kind: 'uploads', repository: name(rest.slice(0, -2)) };
  if (verb === 'blobs') return { kind: 'blob', repository: name(rest.slice(0, -2)), digest: digest(last) };
  if (verb === 'manifests') return { kind: 'manifest', repository: name(rest.slice(0, -2)), reference: last };
  if (verb === 'referrers') return { kind: 'referrers', repository: name(rest.slice(0, -2)), digest: digest(last) };
  if (verb === 'tags' && last === 'list') return { kind: 'tags', repository: name(rest.slice(0, -2)) };
  throw noSuchPage();
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Refusal('NAME_INVALID', 'the path is not valid UTF-8');
  }
}

function name(segments: readonly string[]): string {
  const repository = segments.join('/');
  if (!isRepository(repository)) throw new Refusal('NAME_INVALID', 'the repository name is not valid');
  return repository;
}

function digest(text: string): Digest {
  if (!isDigest(text)) throw new Refusal('DIGEST_INVALID', 'the digest is not valid');
  return text;
}

function noSuchPage(): Refusal {
  return new Refusal('UNSUPPORTED', 'the distribution API has no such path', { status: 404 });
}
