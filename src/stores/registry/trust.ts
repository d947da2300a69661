import { type TlsSettings } from '../../io/httpMessages.ts';
import { type Hosts } from './certs.ts';
import { endpointOf, type HostSettings } from './hosts.ts';

/**
 * How the hosts are trusted that a registry leads to: its token server, and where its contents lie. The authorities of the registry count
 * there too, as docker and podman have it, and so do those that are set for such a host itself. Only the registry is shown who asks.
 */
export class Trust {
  readonly #settings: HostSettings;
  readonly #hosts: Hosts | undefined;
  readonly #base: URL;
  readonly #own: TlsSettings | undefined;
  readonly #others: TlsSettings | undefined;
  /** By host and port; only those of which something is set. Connections are kept for each object. */
  readonly #known = new Map<string, TlsSettings>();

  constructor(registry: string, settings: HostSettings, hosts: Hosts | undefined) {
    const { base, tls } = endpointOf(registry, settings);
    this.#settings = settings;
    this.#hosts = hosts;
    this.#base = base;
    this.#own = tls;
    this.#others = settings.ca === undefined ? undefined : { ca: settings.ca };
  }

  /** @throws OCL_CONFIG_INVALID for certificates of that host that cannot be used */
  tlsFor(url: URL): TlsSettings | undefined {
    if (url.host === this.#base.host) return this.#own;
    const known = this.#known.get(url.host);
    if (known !== undefined) return known;
    const settings = this.#hosts?.get(url.host);
    const tls = settings && endpointOf(url.host, { ...settings, hostname: undefined }).tls;
    if (tls === undefined) return this.#others;
    const both = { verify: tls.verify, ca: [...(tls.ca ?? []), ...(this.#settings.ca ?? [])] };
    this.#known.set(url.host, both);
    return both;
  }
}
