import { type Digest } from '../../core/digest.ts';
import { type Need } from './auth/auth.ts';

/** The addresses and rights of one repository. */
export class RepositoryPaths {
  /** As people know it: `registry.example/app`. */
  readonly name: string;
  readonly pull: Need;
  readonly push: Need;
  readonly remove: Need;
  readonly #repository: string;
  readonly #prefix: string;
  readonly #query: string;

  /** @param origin the registry that a mirror is asked for, where it is another host (spec oci.md 2.3, `ns`) */
  constructor(registry: string, repository: string, pathPrefix: string | undefined, origin?: string) {
    this.name = `${registry}/${repository}`;
    this.#repository = repository;
    const prefix = (pathPrefix ?? '').replaceAll(/^\/+|\/+$/g, '');
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#query = origin === undefined ? '' : `?ns=${encodeURIComponent(origin)}`;
    this.pull = this.#need('pull');
    this.push = this.#need('pull,push');
    this.remove = this.#need('pull,delete');
  }

  get uploads(): string {
    return `${this.wireName(this.#repository)}/blobs/uploads/`;
  }

  get tags(): string {
    return `${this.wireName(this.#repository)}/tags/list${this.#query}`;
  }

  manifest(tagOrDigest: string): string {
    return `${this.wireName(this.#repository)}/manifests/${tagOrDigest}${this.#query}`;
  }

  blob(digest: Digest): string {
    return `${this.wireName(this.#repository)}/blobs/${digest}${this.#query}`;
  }

  referrers(subject: Digest): string {
    return `${this.wireName(this.#repository)}/referrers/${subject}${this.#query}`;
  }

  /** The name of a repository of this host in URLs and scopes. */
  wireName(repository: string): string {
    return `${this.#prefix}${repository}`;
  }

  /** A mount needs to read there and to write here, with one token. */
  mountNeed(from: string): Need {
    return { scopes: [...this.push.scopes, `repository:${this.wireName(from)}:pull`], repository: this.#repository };
  }

  #need(actions: string): Need {
    return { scopes: [`repository:${this.wireName(this.#repository)}:${actions}`], repository: this.#repository };
  }
}
