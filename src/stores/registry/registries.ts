import { setMaxListeners } from 'node:events';
import { type Clock } from '../../core/clock.ts';
import { type Emit } from '../../core/events.ts';
import { type RegistryReference } from '../../core/reference.ts';
import { type Http } from '../../io/httpMessages.ts';
import { type RetryPolicy } from '../../io/retry.ts';
import { listRepositories } from './catalog.ts';
import { type Hosts } from './certs.ts';
import { RegistryClient } from './client.ts';
import { type Credential, type Credentials } from './auth/credentials.ts';
import { type RateLimit } from './rateLimit.ts';
import { Mirrors } from './mirrors.ts';
import { RegistryStore } from './repository.ts';
import { verifyLogin, type Verdict } from './auth/verifyLogin.ts';

export interface RegistriesOptions {
  readonly http: Http;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly emit: Emit;
  /** By the registry's name as references have it; Docker Hub is `docker.io`. */
  readonly hosts?: Hosts | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Ends all that is under way. */
  readonly signal?: AbortSignal | undefined;
}

export interface Registries {
  repository(reference: RegistryReference): RegistryStore;
  /** All repositories that a registry is willing to list. */
  catalog(registry: string): AsyncIterable<string>;
  rateLimit(registry: string): RateLimit | undefined;
  /** Tries a login at the registry's door, whatever credentials are kept. @throws OCL_UNAUTHORIZED, OCL_DENIED, OCL_UNREACHABLE */
  verify(registry: string, credential: Credential): Promise<Verdict>;
}

/** The registries of a run: one client per host, so that doors, tokens and limits are shared. */
export function createRegistries(options: RegistriesOptions): Registries {
  const clients = new Map<string, RegistryClient>();
  // Each request under way listens to the one signal of the run: many listeners are no leak here.
  if (options.signal !== undefined) setMaxListeners(0, options.signal);

  function clientOf(registry: string): RegistryClient {
    let client = clients.get(registry);
    if (client === undefined) {
      client = new RegistryClient({ ...options, registry, settings: options.hosts?.get(registry) ?? {} });
      clients.set(registry, client);
    }
    return client;
  }

  const mirrors = new Mirrors({ ...options, hosts: options.hosts ?? new Map<string, never>() });

  return {
    repository: (reference) => new RegistryStore(clientOf(reference.registry), reference, mirrors),
    catalog: (registry) => listRepositories(clientOf(registry)),
    rateLimit: (registry) => clients.get(registry)?.rateLimit,
    verify: (registry, credential) =>
      verifyLogin({ ...options, registry, settings: options.hosts?.get(registry) ?? {} }, credential),
  };
}
