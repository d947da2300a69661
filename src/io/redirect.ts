import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { printable } from '../core/redact.ts';
import { isMetadataService } from './addresses.ts';

/** Where a request goes on, and whether what proves the sender's identity may go with it. */
export interface Hop {
  readonly url: URL;
  /** The scheme, host and port are still those that the credentials are for. */
  readonly sameOrigin: boolean;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const SECRETS: readonly string[] = ['authorization', 'cookie', 'proxy-authorization'];

/** @param method GET and HEAD follow every kind; others only those that keep the method and the body */
export function isRedirect(status: number, method: string): boolean {
  if (method === 'GET' || method === 'HEAD') return REDIRECTS.has(status);
  return status === 307 || status === 308;
}

/**
 * The next hop of a redirected request (spec oci.md C2, C4). Once the origin changed, credentials stay away even
 * when a later hop comes back.
 *
 * @param trail the URLs asked so far, the first one first
 * @throws OCL_UNSAFE for other schemes, credentials in the URL, https → http and metadata services; OCL_REGISTRY for loops, too many hops, no target
 */
export function nextHop(trail: readonly URL[], location: string | undefined): Hop {
  const first = trail[0];
  const from = trail.at(-1);
  if (first === undefined || from === undefined)
    throw new OclError('OCL_INTERNAL', 'Cannot follow a redirect: nothing was asked');
  if (location === undefined || location === '')
    throw new OclError('OCL_REGISTRY', `Cannot follow the redirect of ${from.origin}: it names no target`);
  const url = readTarget(location, from);
  if (trail.length > LIMITS.redirects)
    throw new OclError(
      'OCL_REGISTRY',
      `Cannot follow the redirect of ${from.origin}: more than ${LIMITS.redirects} redirects in a row`,
    );
  if (trail.some((seen) => seen.href === url.href))
    throw new OclError('OCL_REGISTRY', `Cannot follow the redirect of ${from.origin}: it goes in a circle`);
  return { url, sameOrigin: url.origin === first.origin && trail.every((seen) => seen.origin === first.origin) };
}

/**
 * A URL from an answer, made absolute: http(s) only, no credentials in it, no step from https down to http, not to where a cloud keeps the
 * credentials of its machines. @throws OCL_UNSAFE, OCL_REGISTRY
 */
export function readTarget(location: string, from: URL): URL {
  const shown = printable(location.slice(0, 200));
  let url: URL;
  try {
    url = new URL(location, from);
  } catch (error) {
    throw new OclError('OCL_REGISTRY', `Cannot go on from ${from.origin}: ${JSON.stringify(shown)} is no URL`, {
      cause: error,
    });
  }
  url.hash = '';
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new OclError(
      'OCL_UNSAFE',
      `Cannot go on from ${from.origin} to ${JSON.stringify(shown)}: only http and https are followed`,
    );
  if (url.username !== '' || url.password !== '')
    throw new OclError('OCL_UNSAFE', `Cannot go on from ${from.origin} to ${url.host}: the URL carries credentials`);
  if (isMetadataService(url.hostname) && url.hostname !== from.hostname)
    throw new OclError(
      'OCL_UNSAFE',
      `Cannot go on from ${from.origin} to ${url.host}: clouds hand out the credentials of their machines there`,
      { hint: `ask who runs ${from.host} why it sends its clients there` },
    );
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new OclError('OCL_UNSAFE', `Cannot go on from ${from.origin} to ${url.origin}: that would leave TLS`, {
      hint: 'the registry, or the proxy before it, has to give its own address with https',
    });
  }
  return url;
}

/** The headers that may go to another origin. */
export function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRETS.includes(name.toLowerCase())));
}
