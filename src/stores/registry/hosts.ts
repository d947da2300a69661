import { isLoopback } from '../../io/addresses.ts';
import { type TlsSettings } from '../../io/httpMessages.ts';
import { OclError } from '../../core/errors.ts';

/** What is known about a registry beforehand. */
export interface HostSettings {
  /** `disabled` is plain http; without it only loopback hosts without certificates are spoken to so. `insecure` takes any certificate. */
  readonly tls?: 'enabled' | 'insecure' | 'disabled' | undefined;
  /** `host[:port]` that is really dialled. */
  readonly hostname?: string | undefined;
  /** Stands before every repository's path, as proxy caches want it. */
  readonly pathPrefix?: string | undefined;
  /** Transfers at a time. */
  readonly concurrency?: number | undefined;
  /** At most so many requests begin in a second; absent or 0: no bound. */
  readonly requestsPerSecond?: number | undefined;
  /** PEM texts of authorities to trust beside those of the system. */
  readonly ca?: readonly string[] | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  /** `host` or `host:port` beyond the registry's own domain that it may send uploads on to; they get no credentials. */
  readonly uploadHosts?: readonly string[] | undefined;
  /** Bytes of one piece of a chunked upload. */
  readonly chunkBytes?: number | undefined;
  /** Blobs beyond so many bytes are uploaded in chunks at once. */
  readonly monolithicBytes?: number | undefined;
  /** False: HEAD is not asked, GET is used instead. */
  readonly head?: boolean | undefined;
  /** Names of other registries that are asked for what is read here. */
  readonly mirrors?: readonly string[] | undefined;
  /** Among a registry and its mirrors, lower ones are asked first; absent: 0. */
  readonly priority?: number | undefined;
}

export const DEFAULT_CONCURRENCY = 6;

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_HOST = 'registry-1.docker.io';

export interface Endpoint {
  /** `https://host/` */
  readonly base: URL;
  readonly tls: TlsSettings | undefined;
}

/**
 * Where the registry of a reference is reached. http is for where it is asked for, and for loopback hosts (spec oci.md C13) that nobody has
 * set certificates for. @throws OCL_CONFIG_INVALID
 */
export function endpointOf(registry: string, settings: HostSettings): Endpoint {
  const host = settings.hostname ?? (registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry);
  const probe = readHost(host, registry);
  const certain = settings.ca !== undefined || settings.clientCert !== undefined;
  const plain = settings.tls === 'disabled' || (settings.tls === undefined && !certain && isLoopback(probe.hostname));
  const base = plain ? new URL(`http://${host}/`) : probe;
  if (plain) return { base, tls: undefined };
  if (settings.tls !== 'insecure' && !certain) return { base, tls: undefined };
  return {
    base,
    tls: {
      verify: settings.tls !== 'insecure',
      ca: settings.ca,
      clientCert: settings.clientCert,
      clientKey: settings.clientKey,
    },
  };
}

function readHost(host: string, registry: string): URL {
  try {
    const url = new URL(`https://${host}/`);
    if (url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '')
      return url;
  } catch {
    // The same error serves for both.
  }
  throw new OclError(
    'OCL_CONFIG_INVALID',
    `Cannot use the registry ${JSON.stringify(registry)}: ${JSON.stringify(host)} is no host[:port]`,
  );
}
