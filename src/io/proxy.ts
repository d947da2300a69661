import { BlockList, isIP } from 'node:net';
import { OclError } from '../core/errors.ts';
import { isLoopback } from './addresses.ts';

/** Proxies as the usual variables give them; the command line hands them in. */
export interface ProxySettings {
  /** For http: targets, as `http_proxy` has it. */
  readonly http?: string | undefined;
  /** For https: targets, as `https_proxy` has it. */
  readonly https?: string | undefined;
  /** As `no_proxy` has it: host names (with their subdomains), `host:port`, addresses, CIDR ranges, or `*`; comma separated. */
  readonly except?: string | undefined;
}

/** A proxy that can be spoken to. */
export interface Proxy {
  /** http: or https:, without credentials: this may be shown. */
  readonly url: URL;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
}

/**
 * The proxies that the variables of an environment name: lower case before upper case, `all_proxy` where the scheme has none of its own.
 * In a CGI program `HTTP_PROXY` may come from a request's header, and does not count.
 */
export function proxySettings(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const read = (name: string): string | undefined => env[name] || env[name.toUpperCase()] || undefined;
  const all = read('all_proxy');
  const http = env['REQUEST_METHOD'] === undefined ? read('http_proxy') : env['http_proxy'] || undefined;
  return { http: http ?? all, https: read('https_proxy') ?? all, except: read('no_proxy') };
}

/** The proxy that a request goes through, as it was set, credentials and all; undefined: straight to the target. */
export function proxyFor(url: URL, settings: ProxySettings | undefined): string | undefined {
  const proxy = url.protocol === 'https:' ? settings?.https : settings?.http;
  if (proxy === undefined || proxy === '' || isExcepted(url, settings?.except ?? '')) return undefined;
  return proxy;
}

/** @param target what the proxy is for, for errors. @throws OCL_CONFIG_INVALID, OCL_UNSUPPORTED */
export function parseProxy(text: string, target: URL): Proxy {
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    // The text stays out of the message, for it may hold a password.
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot reach ${target.origin}: the proxy that is set for it is no URL`,
      HINT,
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot reach ${target.origin}: the proxy ${url.protocol}//${url.host} does not speak HTTP, and SOCKS is not supported`,
      HINT,
    );
  const { username, password } = url;
  const login = [username, password].map(decoded).join(':');
  url.username = url.password = url.search = url.hash = '';
  url.pathname = '/';
  const authorization = login === ':' ? undefined : `Basic ${Buffer.from(login, 'utf8').toString('base64')}`;
  return { url, authorization };
}

const HINT = {
  hint: 'set HTTPS_PROXY (HTTP_PROXY for http) to http://HOST:PORT, or name the host in NO_PROXY',
};

/** A percent sign that encodes nothing stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isExcepted(url: URL, except: string): boolean {
  const host = bare(url.hostname);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  // Go leaves these out of proxies too, so that a registry on this machine stays reachable.
  if (isLoopback(host)) return true;
  return except.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const withPort = isIP(entry) === 0 ? /^(.+):(\d+)$/.exec(entry) : null;
  if (withPort !== null && withPort[2] !== port) return false;
  const name = bare(withPort?.[1] ?? entry).replace(/^\*?\./, '');
  if (isIP(host) !== 0) return isIP(name) === isIP(host) && inRange(`${name}/${isIP(name) === 4 ? 32 : 128}`, host);
  return host === name || host.endsWith(`.${name}`);
}

function inRange(cidr: string, host: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  const address = bare(network);
  const family = isIP(address);
  const prefix = Number(bits);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || prefix > (family === 4 ? 32 : 128))
    return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, prefix, type);
  return list.check(host, type);
}

function bare(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}
