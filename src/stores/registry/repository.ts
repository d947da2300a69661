import { type Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type Shortcut } from '../../core/events.ts';
import { referrerDescriptor } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest } from '../../core/manifest.ts';
import { documentLimit, isDocumentType, isManifestType, isSchema1Type } from '../../core/mediaTypes.ts';
import { type RegistryReference } from '../../core/reference.ts';
import {
  type ByteRange,
  type Editor,
  type Gate,
  type Open,
  type Place,
  type RootName,
  type Sink,
  type Source,
} from '../../core/store.ts';
import { discard } from '../../io/httpMessages.ts';
import { readVerified } from '../../io/verify.ts';
import { type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { blobsOf, listening, type Holders } from './holders.ts';
import { Manifests } from './manifests.ts';
import { NewRepository } from './newRepository.ts';
import { mountBlob } from './transfer/mount.ts';
import { type Mirrors } from './mirrors.ts';
import { RepositoryPaths } from './paths.ts';
import { type RateLimit } from './rateLimit.ts';
import { RepositoryReader, type Reader } from './reader.ts';
import { Referrers } from './referrers.ts';
import { Removal } from './removal.ts';
import { Uploader } from './transfer/upload.ts';

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
  readonly #reader: Reader;
  readonly #uploader: Uploader;
  readonly #removal: Removal;
  readonly #holders: Holders;
  readonly #before: NewRepository;
  readonly #listed = new Set<Digest>();
  readonly #put = new Set<Digest>();

  constructor(client: RegistryClient, reference: RegistryReference, mirrors: Mirrors) {
    this.#client = client;
    this.#repository = reference.repository;
    this.#paths = new RepositoryPaths(client.registry, reference.repository, client.settings.pathPrefix);
    this.#manifests = new Manifests(client, this.#paths);
    this.#referrers = new Referrers(client, this.#paths, this.#manifests);
    const own = new RepositoryReader(client, this.#paths, this.#manifests, this.#referrers);
    this.#reader = mirrors.reader(reference, own);
    this.#uploader = new Uploader(client, this.#paths);
    this.#removal = new Removal({
      client,
      paths: this.#paths,
      manifests: this.#manifests,
      referrers: this.#referrers,
      uploader: this.#uploader,
    });
    this.#holders = client.learned.holders;
    this.#before = new NewRepository(client, this.#paths);
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

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const stream = await this.#reader.open(descriptor, range);
    const { mediaType, size } = descriptor;
    if (range !== undefined || !isManifestType(mediaType) || size > LIMITS.manifestBytes) return stream;
    return listening(stream, size, (bytes) => this.#learn(bytes, mediaType));
  }

  /** True: a mirror gave it, and is not asked for it again. */
  doubt(descriptor: Descriptor): boolean {
    return this.#reader.doubt?.(descriptor) ?? false;
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

  begin(inParts = false): Promise<void> {
    // A repository without tags may have all but the last of an image.
    if (!inParts) this.#before.begin();
    return Promise.resolve();
  }

  async find(tag: string): Promise<Descriptor | undefined> {
    try {
      return await this.#manifests.describe(tag);
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** What is there; in a repository that this run begins, what it has not put there itself counts as absent if it is small. */
  async has(descriptor: Descriptor): Promise<boolean> {
    if (!this.#put.has(descriptor.digest) && (await this.#before.lacks(descriptor))) return false;
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
    const has = answer.status === 200;
    this.#holders[has ? 'add' : 'forget'](descriptor.digest, this.#repository);
    return has;
  }

  /** A mount from the place itself where that is a repository of this registry, else from one that is known to have it. */
  async adopt({ digest, mediaType }: Descriptor, at: Place): Promise<Shortcut | undefined> {
    if (isDocumentType(mediaType) || !this.#client.learned.quirks.mount || !this.#holders.worthAsking) return undefined;
    const to = this.#repository;
    const isHere = at.kind === 'repository' && at.registry === this.#client.registry && at.repository !== to;
    const from = isHere ? at.repository : this.#holders.find(digest, to);
    if (from === undefined) return undefined;
    const outcome = await mountBlob({ client: this.#client, paths: this.#paths, digest, from });
    const mounted = outcome === 'mounted';
    this.#holders.tell(digest, { from, to, mounted });
    if (mounted) this.#put.add(digest);
    if (mounted) return outcome;
    if (outcome !== undefined) this.#uploader.takeOver(digest, outcome);
    return undefined;
  }

  async put(descriptor: Descriptor, open: Open): Promise<void> {
    if (isDocumentType(descriptor.mediaType)) return await this.#putDocument(descriptor, descriptor.digest, open);
    await this.#uploader.put(descriptor, open);
    this.#put.add(descriptor.digest);
    this.#holders.add(descriptor.digest, this.#repository);
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

  untag(tag: string): Promise<boolean> {
    return this.#removal.untag(tag);
  }

  remove(digest: Digest): Promise<boolean> {
    return this.#removal.remove(digest);
  }

  async removeBlob(digest: Digest): Promise<boolean> {
    const gone = await this.#removal.removeBlob(digest);
    this.#holders.forget(digest, this.#repository);
    return gone;
  }

  async #putDocument(descriptor: Descriptor, name: string, open: Open): Promise<void> {
    const limit = documentLimit(descriptor.mediaType);
    const bytes = await readVerified(await open(), descriptor, limit);
    const { knowsSubject } = await this.#manifests.write(name, descriptor, bytes);
    this.#put.add(descriptor.digest);
    this.#learn(bytes, descriptor.mediaType);
    if (knowsSubject) this.#client.learned.tellReferrersApi(this.name, true);
    if (knowsSubject || this.#listed.has(descriptor.digest) || isSchema1Type(descriptor.mediaType)) return;
    const document = parseManifest(bytes, descriptor.mediaType, `${this.name}@${descriptor.digest}`);
    if (document.subject === undefined) return;
    await this.#referrers.add(document.subject.digest, referrerDescriptor(descriptor, document));
    this.#listed.add(descriptor.digest);
  }

  /** The blobs of a manifest that the registry has let in are there; a foreign layer may not be. */
  #learn(bytes: Uint8Array, mediaType: string): void {
    for (const child of blobsOf(bytes, mediaType)) this.#holders.add(child.digest, this.#repository);
  }
}
