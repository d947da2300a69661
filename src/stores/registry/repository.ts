import { type Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { referrerDescriptor } from '../../core/graph.ts';
import { parseManifest, type ManifestDocument } from '../../core/manifest.ts';
import { documentLimit, isDocumentType, isSchema1Type } from '../../core/mediaTypes.ts';
import { type RegistryReference } from '../../core/reference.ts';
import {
  type ByteRange,
  type Editor,
  type Gate,
  type Open,
  type Place,
  type RootName,
  type Shortcut,
  type Sink,
  type Source,
} from '../../core/store.ts';
import { discard } from '../../io/httpMessages.ts';
import { readVerified } from '../../io/verify.ts';
import { type RegistryClient } from './client.ts';
import { AnswerError, hasStatus } from './errors.ts';
import { Manifests } from './manifests.ts';
import { RepositoryPaths } from './paths.ts';
import { type RateLimit } from './rateLimit.ts';
import { RepositoryReader } from './reader.ts';
import { Referrers } from './referrers.ts';
import { Uploader } from './upload.ts';

/** One repository of a registry, to read from, to write to and to take back from. */
export class RegistryStore implements Source, Sink, Editor {
  readonly name: string;
  readonly gates: readonly Gate[];
  /** A registry takes a manifest only when it has what the manifest names. */
  readonly presence = 'graph';
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #paths: RepositoryPaths;
  readonly #manifests: Manifests;
  readonly #referrers: Referrers;
  readonly #reader: RepositoryReader;
  readonly #uploader: Uploader;
  readonly #listed = new Set<Digest>();

  constructor(client: RegistryClient, reference: RegistryReference) {
    this.#client = client;
    this.#repository = reference.repository;
    this.#paths = new RepositoryPaths(client.registry, reference.repository, client.settings.pathPrefix);
    this.#manifests = new Manifests(client, this.#paths);
    this.#referrers = new Referrers(client, this.#paths, this.#manifests);
    this.#reader = new RepositoryReader(client, this.#paths, this.#manifests, this.#referrers);
    this.#uploader = new Uploader(client, this.#paths);
    this.name = this.#paths.name;
    this.gates = [client.gate];
  }

  /** What the registry last told about its limits; the repositories of a host share it. */
  get rateLimit(): RateLimit | undefined {
    return this.#client.rateLimit;
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#reader.resolve(tagOrDigest);
  }

  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    return this.#reader.open(descriptor, range);
  }

  place(): Place {
    return { kind: 'repository', registry: this.#client.registry, repository: this.#repository };
  }

  tags(): AsyncIterable<string> {
    return this.#reader.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#reader.referrers(subject.digest);
  }

  async find(tag: string): Promise<Descriptor | undefined> {
    try {
      return await this.#manifests.describe(tag);
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    if (isDocumentType(descriptor.mediaType)) return this.#manifests.has(descriptor);
    const method = this.#client.settings.head === false ? 'GET' : 'HEAD';
    const action = `look for ${this.name}@${descriptor.digest}`;
    const answer = await this.#client.send({
      method,
      to: this.#paths.blob(descriptor.digest),
      need: this.#paths.pull,
      action,
      ok: [200, 404],
    });
    await discard(answer);
    return answer.status === 200;
  }

  async adopt(descriptor: Descriptor, at: Place): Promise<Shortcut | undefined> {
    if (at.kind !== 'repository' || at.registry !== this.#client.registry || at.repository === this.#repository)
      return undefined;
    if (isDocumentType(descriptor.mediaType)) return undefined;
    return (await this.#uploader.mount(descriptor.digest, at.repository)) ? 'mounted' : undefined;
  }

  async put(descriptor: Descriptor, open: Open): Promise<void> {
    if (!isDocumentType(descriptor.mediaType)) return this.#uploader.put(descriptor, open);
    await this.#putDocument(descriptor, descriptor.digest, open);
  }

  async tag(descriptor: Descriptor, name: RootName, open: Open): Promise<void> {
    if (name.tag !== undefined) return this.#putDocument(descriptor, name.tag, open);
    if (!(await this.has(descriptor))) await this.#putDocument(descriptor, descriptor.digest, open);
  }

  /** A registry shows tags as soon as they are put: there is nothing to do. */
  commit(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#uploader.close();
  }

  async untag(tag: string): Promise<boolean> {
    return this.#delete(
      this.#paths.manifest(tag),
      `take the tag ${tag} away from ${this.name}`,
      'some registries delete by digest alone',
    );
  }

  async remove(digest: Digest): Promise<boolean> {
    const found = await this.#documentAt(digest);
    if (found === undefined) return false;
    const gone = await this.#delete(
      this.#paths.manifest(digest),
      `remove ${this.name}@${digest}`,
      'the registry may have deletion switched off',
    );
    if (gone && found.document?.subject !== undefined)
      await this.#referrers.remove(found.document.subject.digest, digest);
    return gone;
  }

  removeBlob(digest: Digest): Promise<boolean> {
    return this.#delete(
      this.#paths.blob(digest),
      `remove the blob ${this.name}@${digest}`,
      'the registry may collect blobs that nothing names by itself',
    );
  }

  async #putDocument(descriptor: Descriptor, name: string, open: Open): Promise<void> {
    const limit = documentLimit(descriptor.mediaType);
    const bytes = await readVerified(await open(), descriptor, limit);
    const { knowsSubject } = await this.#manifests.write(name, descriptor, bytes);
    if (knowsSubject || this.#listed.has(descriptor.digest) || isSchema1Type(descriptor.mediaType)) return;
    const document = parseManifest(bytes, descriptor.mediaType, `${this.name}@${descriptor.digest}`);
    if (document.subject === undefined) return;
    await this.#referrers.add(document.subject.digest, referrerDescriptor(descriptor, document));
    this.#listed.add(descriptor.digest);
  }

  /** Undefined: it is not there. A document that cannot be read can be removed all the same. */
  async #documentAt(digest: Digest): Promise<{ document: ManifestDocument | undefined } | undefined> {
    try {
      const { bytes, descriptor } = await this.#manifests.fetch(digest);
      return { document: parseManifest(bytes, descriptor.mediaType, `${this.name}@${digest}`) };
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      if (
        error instanceof OclError &&
        ['OCL_DOCUMENT_INVALID', 'OCL_UNSUPPORTED', 'OCL_DIGEST_MISMATCH'].includes(error.code) &&
        !(error instanceof AnswerError)
      ) {
        return { document: undefined };
      }
      throw error;
    }
  }

  async #delete(to: string, action: string, hint: string): Promise<boolean> {
    try {
      await discard(
        await this.#client.send({ method: 'DELETE', to, need: this.#paths.remove, action, ok: [200, 202, 204] }),
      );
      return true;
    } catch (error) {
      if (hasStatus(error, 404)) return false;
      if (hasStatus(error, 400, 405, 501)) throw new OclError('OCL_UNSUPPORTED', error.message, { hint, cause: error });
      throw error;
    }
  }
}
