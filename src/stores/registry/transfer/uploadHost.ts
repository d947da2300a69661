import { isIP } from 'node:net';
import { isLoopback } from '../../../io/addresses.ts';
import { type HostSettings } from '../hosts.ts';

/**
 * Whether the content of an upload may go where a registry sends it (spec oci.md C3): to its own host, to one of the same domain, and to
 * those that its settings name. Where a domain begins that somebody has registered is guessed from its labels: `example.com`, `example.co.uk`.
 */
export function mayTakeUploads(url: URL, base: URL, settings: HostSettings): boolean {
  const [host, own] = [url.hostname, base.hostname].map((name) => name.toLowerCase().replace(/\.$/, ''));
  if (host === own || (isLoopback(url.hostname) && isLoopback(base.hostname))) return true;
  if (isNamedForUploads(url, settings)) return true;
  const domain = domainOf(host ?? '');
  return domain !== undefined && domain === domainOf(own ?? '');
}

/** Whether the settings of a registry name this host: by its name alone for all ports, or with a port. */
export function isNamedForUploads(url: URL, { uploadHosts = [] }: HostSettings): boolean {
  const names = uploadHosts.map((name) => name.toLowerCase());
  return names.includes(url.hostname) || names.includes(url.host);
}

/** Undefined for addresses, and for names that nobody can register. */
function domainOf(host: string): string | undefined {
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return undefined;
  const labels = host.split('.');
  const [second = '', top = ''] = labels.slice(-2);
  // Countries hand out names below short ones of their own: co.uk, com.au.
  const count = top.length === 2 && second.length <= 3 ? 3 : 2;
  return labels.length < count ? undefined : labels.slice(-count).join('.');
}
