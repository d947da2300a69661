import { type Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { isTag } from '../../core/reference.ts';
import { type ByteRange } from '../../core/store.ts';
import { type Answer } from './answer.ts';
import { type RegistryClient } from './client.ts';
import { download } from './transfer/download.ts';
import { hasStatus } from './errors.ts';
import { type Manifests } from './manifests.ts';
import { names } from './paging.ts';
import { type RepositoryPaths } from './paths.ts';
import { type Referrers } from './referrers.ts';

/** Reads one repository; more of it in core/store.ts. */
export interface Reader {
  resolve(tagOrDigest: string): Promise<Descriptor>;
  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable>;
  tags(): AsyncIterable<string>;
  referrers(subject: Digest): AsyncIterable<Descriptor>;
  doubt?(descriptor: Descriptor): boolean;
}

/** What can be read of a repository at one host. */
export class RepositoryReader implements Reader {
  readonly client: RegistryClient;
  readonly #paths: RepositoryPaths;
  readonly #manifests: Manifests;
  readonly #referrers: Referrers;
  /** Contents that were put together of several answers when they were opened last. */
  readonly #pieced = new Set<Digest>();

  constructor(client: RegistryClient, paths: RepositoryPaths, manifests: Manifests, referrers: Referrers) {
    this.client = client;
    this.#paths = paths;
    this.#manifests = manifests;
    this.#referrers = referrers;
  }

  async resolve(tagOrDigest: string): Promise<Descriptor> {
    try {
      return await this.#manifests.describe(tagOrDigest);
    } catch (error) {
      // A bare 404 says nothing of what is there instead; of a digest no list would tell.
      if (!hasStatus(error, 404) || !isTag(tagOrDigest)) throw error;
      throw new OclError(error.code, error.message, {
        hint: error.hint ?? `ocl tag ls ${this.#paths.name}`,
        cause: error,
      });
    }
  }

  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const document = isDocumentType(descriptor.mediaType);
    return download(this.client, {
      size: descriptor.size,
      range,
      action: `fetch ${this.#paths.name}@${descriptor.digest}`,
      onPieced: () => this.#pieced.add(descriptor.digest),
      ask: (headers, signal) =>
        document ? this.#manifests.ask(descriptor, headers, signal) : this.#askBlob(descriptor, headers, signal),
    });
  }

  /** Parts that each came well may not belong together, when something on the way is broken: the whole is worth one more try. */
  doubt({ digest }: Descriptor): boolean {
    return this.#pieced.delete(digest);
  }

  /** Names that are no tags, such as the digests that Artifactory lists, are left out. */
  tags(): AsyncIterable<string> {
    const { tags: to, pull: need, name } = this.#paths;
    return names(this.client, { to, need, action: `list the tags of ${name}`, member: 'tags', isName: isTag });
  }

  referrers(subject: Digest): AsyncIterable<Descriptor> {
    return this.#referrers.list(subject);
  }

  #askBlob(descriptor: Descriptor, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const ok = headers['range'] === undefined ? [200] : [200, 206, 416];
    return this.client.send({
      content: true,
      method: 'GET',
      to: this.#paths.blob(descriptor.digest),
      need: this.#paths.pull,
      action: `fetch ${this.#paths.name}@${descriptor.digest}`,
      ok,
      headers,
      signal,
    });
  }
}
