import { type IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { Refusal } from './errors.ts';

/** The host of a `Host` header, without port and brackets, in lower case; empty when it is not of that form. */
function hostOf(authority: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?$/.exec(authority.trim());
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}

/**
 * Keeps web pages out. A page whose name was made to point at this machine shows in `Host` (DNS rebinding); one that sends requests here
 * from elsewhere shows in `Sec-Fetch-Site` and `Origin`, which no registry client sends.
 *
 * @param known names that are served; undefined: any
 * @throws Refusal DENIED
 */
export function checkCaller(req: IncomingMessage, known: ReadonlySet<string> | undefined): void {
  const { host = '' } = req.headers;
  // A browser always sends a Host; without one it is an old tool.
  if (known !== undefined && host !== '' && !isKnown(hostOf(host), known)) {
    throw new Refusal('DENIED', 'this server does not go by that name');
  }
  const site = req.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    throw new Refusal('DENIED', 'web pages of other sites may not use this server');
  const { origin } = req.headers;
  if (origin === undefined) return;
  const from = URL.canParse(origin) ? new URL(origin).host : '';
  if (from !== host.toLowerCase()) throw new Refusal('DENIED', 'web pages of other sites may not use this server');
}

function isKnown(host: string, known: ReadonlySet<string>): boolean {
  return known.has(host) || isLoopback(host);
}
