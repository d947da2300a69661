import { OclError } from '../../../core/errors.ts';
import { printable } from '../../../core/redact.ts';
import { isInternal, isLoopback } from '../../../io/addresses.ts';

/**
 * The address of a token server, when a registry may send credentials there (spec oci.md C1): https unless the registry itself is http,
 * no credentials in the URL, and no way into a private network that the registry is not part of.
 * @throws OCL_UNSAFE, OCL_REGISTRY
 */
export function checkRealm(realm: string, registry: URL): URL {
  const shown = JSON.stringify(printable(realm.slice(0, 200)));
  let url: URL;
  try {
    url = new URL(realm, registry);
  } catch (error) {
    throw new OclError('OCL_REGISTRY', `Cannot log in to ${registry.host}: its token server ${shown} is no URL`, {
      cause: error,
    });
  }
  const why = refusal(url, registry);
  if (why !== undefined)
    throw new OclError('OCL_UNSAFE', `Cannot log in to ${registry.host}: its token server ${shown} ${why}`);
  url.hash = '';
  return url;
}

/** Services that one registry may name. */
const MAX_SERVICES = 100;

/** The token servers of one registry. The first that it names for a service stays: a later one is not sent the same login. */
export class Realms {
  readonly #registry: URL;
  readonly #places = new Map<string, string>();

  constructor(registry: URL) {
    this.#registry = registry;
  }

  /** @throws OCL_UNSAFE for another server than before, OCL_LIMIT; see `checkRealm` */
  check(realm: string, service: string | undefined): URL {
    const url = checkRealm(realm, this.#registry);
    // On its own host a registry may have one path for each repository, as Artifactory does.
    const place = url.origin === this.#registry.origin ? url.origin : url.origin + url.pathname;
    const known = this.#places.get(service ?? '');
    if (known === undefined) {
      if (this.#places.size >= MAX_SERVICES)
        throw new OclError(
          'OCL_LIMIT',
          `Cannot log in to ${this.#registry.host}: it names more than ${MAX_SERVICES} services`,
        );
      this.#places.set(service ?? '', place);
    } else if (known !== place) {
      throw new OclError(
        'OCL_UNSAFE',
        `Cannot log in to ${this.#registry.host}: its token server was ${known}, and now it names ${place}`,
        { hint: `when the registry has moved, run the command again; else ask its operator` },
      );
    }
    return url;
  }
}

function refusal(url: URL, registry: URL): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'is not reached by http';
  if (url.protocol === 'http:' && registry.protocol !== 'http:') return 'is not reached by https';
  if (url.username !== '' || url.password !== '') return 'carries credentials in its URL';
  if (url.hostname === registry.hostname || !isInternal(url.hostname)) return undefined;
  if (isLoopback(url.hostname) && isLoopback(registry.hostname)) return undefined;
  return 'is inside a private network';
}
