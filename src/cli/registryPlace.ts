import { OclError } from '../core/errors.ts';
import { isRegistryHost, parseReference, wantedName } from '../core/reference.ts';

/** A registry, or one image of it. */
export interface RegistryPlace {
  /** As references have it; Docker Hub is `docker.io`. */
  readonly registry: string;
  readonly image: { readonly repository: string; readonly name: string } | undefined;
}

const DOCKER_HUB: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * `HOST[:PORT]`, also as an address that was copied from a browser, or an image. A word with a dot or a port is a host,
 * another one is an image of Docker Hub; `HOST/` is a host in any case.
 * @throws OCL_REFERENCE_INVALID; OCL_USAGE for what is no registry
 */
export function parseRegistryPlace(text: string): RegistryPlace {
  const bare = text.replace(/^(?:docker|https):\/\//, '');
  if (bare.startsWith('http://')) {
    const host = bare.slice('http://'.length).replace(/\/.*$/, '');
    throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)}: a registry is named without http://`, {
      hint: `write ${host} --plain-http ${host}`,
    });
  }
  const host = bare.replace(/\/(?:v[12]\/?)?$/, '');
  const alone = !host.includes('/') && isRegistryHost(host);
  if (
    alone &&
    (host !== bare || /[.\]]/.test(host.replace(/:[^:\]]*$/, '')) || /:\d+$/.test(host) || host === 'localhost')
  )
    return { registry: DOCKER_HUB.has(host.toLowerCase()) ? 'docker.io' : host, image: undefined };
  const reference = parseReference(bare);
  if (reference.kind !== 'registry')
    throw new OclError('OCL_USAGE', `Cannot ask ${JSON.stringify(text)}: it is a place on this disk`, {
      hint: 'name a registry, like registry.example:5000',
    });
  const { registry, repository } = reference;
  return { registry, image: { repository, name: wantedName(reference) ?? 'latest' } };
}
