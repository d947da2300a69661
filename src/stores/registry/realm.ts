import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { isInternal, isLoopback } from '../../io/addresses.ts';

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

function refusal(url: URL, registry: URL): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'is not reached by http';
  if (url.protocol === 'http:' && registry.protocol !== 'http:') return 'is not reached by https';
  if (url.username !== '' || url.password !== '') return 'carries credentials in its URL';
  if (url.hostname === registry.hostname || !isInternal(url.hostname)) return undefined;
  if (isLoopback(url.hostname) && isLoopback(registry.hostname)) return undefined;
  return 'is inside a private network';
}
