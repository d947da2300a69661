import { isCode, type OclError } from '../../core/errors.ts';
import { type RegistryReference } from '../../core/reference.ts';
import { RETRY, type RetryPolicy } from '../../io/retry.ts';
import { RegistryClient, type ClientOptions } from './client.ts';
import { type Hosts } from './certs.ts';
import { AnswerError } from './errors.ts';
import { Manifests } from './manifests.ts';
import { MirroredReader, type MirrorOrder, type ReadingHost } from './mirroredReader.ts';
import { RepositoryPaths } from './paths.ts';
import { RepositoryReader, type Reader } from './reader.ts';
import { Referrers } from './referrers.ts';

/** Milliseconds that a host is asked last after it failed, so that a thousand tags do not pay its timeout each. */
const REST = 30_000;
/** A mirror is tried again once: there are others. */
const TRIES = 2;

export interface MirrorOptions extends Omit<ClientOptions, 'registry' | 'settings' | 'hosts'> {
  readonly hosts: Hosts;
}

/**
 * The mirrors of all registries of a run (spec regsync.md 2, "Mirrors"): what they are asked for, in which order, and which of them rest.
 * In this role a host has a client of its own: its door must not be one that a transfer waits for while it holds another.
 */
export class Mirrors implements MirrorOrder {
  readonly #options: MirrorOptions;
  readonly #clients = new Map<string, RegistryClient>();
  readonly #rests = new Map<string, number>();
  readonly #told = new Set<string>();

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** What reads a repository: the reader of the registry itself, or with its mirrors around it. */
  reader(reference: RegistryReference, upstream: RepositoryReader): Reader {
    const { client } = upstream;
    const names = new Set((client.settings.mirrors ?? []).filter((name) => name !== client.registry));
    if (names.size === 0) return upstream;
    const mirrors = [...names].map((name) => this.#mirror(name, reference.repository, client));
    return new MirroredReader(
      [...mirrors, { reader: upstream, registry: client.registry, isUpstream: true, client }],
      this,
    );
  }

  inOrder(hosts: readonly ReadingHost[]): readonly ReadingHost[] {
    const now = this.#options.clock.now();
    const rank = ({ registry, client }: ReadingHost): readonly number[] => [
      (this.#rests.get(registry) ?? 0) > now ? 1 : 0,
      client.settings.priority ?? 0,
    ];
    return hosts.toSorted((a, b) => compare(rank(a), rank(b)));
  }

  failed(host: ReadingHost, error: OclError): void {
    if (isOfHost(error)) this.#rests.set(host.registry, this.#options.clock.now() + REST);
    else if (isCode(error, 'OCL_NOT_FOUND')) return;
    if (host.isUpstream || this.#told.has(host.registry)) return;
    this.#told.add(host.registry);
    this.#options.emit({
      type: 'notice',
      level: 'warning',
      message: `the mirror ${host.registry} is passed over: ${error.message}`,
    });
  }

  #mirror(name: string, repository: string, upstream: RegistryClient): ReadingHost {
    const client = this.#client(name);
    const origin = upstream.settings.hostname ?? upstream.registry;
    const paths = new RepositoryPaths(
      name,
      repository,
      client.settings.pathPrefix,
      client.base.host === upstream.base.host ? undefined : origin,
    );
    const manifests = new Manifests(client, paths);
    const reader = new RepositoryReader(client, paths, manifests, new Referrers(client, paths, manifests));
    return { reader, registry: name, isUpstream: false, client };
  }

  #client(registry: string): RegistryClient {
    let client = this.#clients.get(registry);
    if (client === undefined) {
      const { hosts, retry = RETRY, ...options } = this.#options;
      const patient: RetryPolicy = { ...retry, tries: Math.min(TRIES, retry.tries) };
      client = new RegistryClient({ ...options, registry, settings: hosts.get(registry) ?? {}, hosts, retry: patient });
      this.#clients.set(registry, client);
    }
    return client;
  }
}

/** The host itself has a problem, and would have it with anything else. */
function isOfHost(error: OclError): boolean {
  if (error instanceof AnswerError) return error.status >= 500 || error.status === 429;
  return isCode(error, 'OCL_UNREACHABLE') || isCode(error, 'OCL_RATE_LIMITED');
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
