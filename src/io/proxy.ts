import { BlockList, isIP } from 'node:net';

/** Proxies as the usual variables give them; the command line hands them in. */
export interface ProxySettings {
  /** For http: targets, as `http_proxy` has it. */
  readonly http?: string | undefined;
  /** For https: targets, as `https_proxy` has it. */
  readonly https?: string | undefined;
  /** As `no_proxy` has it: host names (with their subdomains), `host:port`, addresses, CIDR ranges, or `*`; comma separated. */
  readonly except?: string | undefined;
}

/** The proxy that a request goes through; undefined: straight to the target. */
export function proxyFor(url: URL, settings: ProxySettings | undefined): string | undefined {
  const proxy = url.protocol === 'https:' ? settings?.https : settings?.http;
  if (proxy === undefined || proxy === '' || isExcepted(url, settings?.except ?? '')) return undefined;
  return proxy;
}

function isExcepted(url: URL, except: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  // Go leaves these out of proxies too, so that a registry on this machine stays reachable.
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return true;
  return except.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const withPort = /^(.+):(\d+)$/.exec(entry);
  const hasPort = withPort !== null && isIP(entry) === 0;
  if (hasPort && withPort[2] !== port) return false;
  const name = (hasPort ? (withPort[1] ?? '') : entry).replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
  return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
}

function inRange(cidr: string, host: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  const family = isIP(network);
  const prefix = Number(bits);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || prefix > (family === 4 ? 32 : 128))
    return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, prefix, type);
  return list.check(host, type);
}
