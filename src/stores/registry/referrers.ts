import { type Descriptor } from '../../core/descriptor.ts';
import { referrersTag, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { isObject, parseJson, toJsonBytes, type JsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseDescriptor } from '../../core/manifest.ts';
import { isDocumentType, isIndexType, MEDIA } from '../../core/mediaTypes.ts';
import { describe } from '../../io/verify.ts';
import { type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { type Fetched, type Manifests } from './manifests.ts';
import { pages } from './paging.ts';
import { type RepositoryPaths } from './paths.ts';

/** Answers by which registries say that they have no referrers API (spec oci.md 8.3, rule 5). */
const NO_API: readonly number[] = [400, 403, 404, 405, 501];
const TRIES = 4;

/** Lists what refers to a manifest, and keeps that list where the registry does not do it by itself (spec oci.md 2.6). */
export class Referrers {
  readonly #client: RegistryClient;
  readonly #paths: RepositoryPaths;
  readonly #manifests: Manifests;

  constructor(client: RegistryClient, paths: RepositoryPaths, manifests: Manifests) {
    this.#client = client;
    this.#paths = paths;
    this.#manifests = manifests;
  }

  /** Each referrer once, by the API or else by the fallback tag. Whether an entry tells the truth about its subject shows when it is fetched. */
  async *list(subject: Digest): AsyncGenerator<Descriptor> {
    const seen = new Set<string>([subject]);
    for await (const entries of this.#pages(subject)) {
      for (const entry of entries) {
        const descriptor = parseDescriptor(entry, `a referrer of ${subject}`);
        if (seen.has(descriptor.digest) || !isDocumentType(descriptor.mediaType)) continue;
        seen.add(descriptor.digest);
        if (seen.size > LIMITS.descriptors)
          throw new OclError(
            'OCL_LIMIT',
            `Cannot list the referrers of ${subject}: there are more than ${LIMITS.descriptors}`,
          );
        yield descriptor;
      }
    }
  }

  /** Adds an entry to the fallback tag of its subject, once. */
  add(subject: Digest, entry: Descriptor): Promise<void> {
    return this.#change(subject, (entries) =>
      entries.some((known) => digestOfEntry(known) === entry.digest) ? undefined : [...entries, entry],
    );
  }

  /** Takes an entry out of the fallback tag of its subject, where the registry has no list of its own. */
  async remove(subject: Digest, digest: Digest): Promise<void> {
    if ((await this.#firstPage(this.#api(subject))) !== undefined) return;
    await this.#change(subject, (entries) =>
      entries.some((known) => digestOfEntry(known) === digest)
        ? entries.filter((known) => digestOfEntry(known) !== digest)
        : undefined,
    );
  }

  async *#pages(subject: Digest): AsyncGenerator<readonly unknown[]> {
    const api = this.#api(subject);
    const first = await this.#firstPage(api);
    if (first === undefined) {
      yield (await this.#fallback(subject))?.entries ?? [];
      return;
    }
    yield first;
    for await (const page of api) yield entriesOf(page) ?? [];
  }

  #api(subject: Digest): AsyncGenerator {
    const action = `list the referrers of ${this.#paths.name}@${subject}`;
    return pages(this.#client, {
      method: 'GET',
      to: this.#paths.referrers(subject),
      need: this.#paths.pull,
      action,
      ok: [200],
      headers: { accept: MEDIA.ociIndex },
    });
  }

  /** Undefined: the registry has no such API, or something else answers in its place. */
  async #firstPage(api: AsyncGenerator): Promise<readonly unknown[] | undefined> {
    try {
      const { value, done } = await api.next();
      return done === true ? undefined : entriesOf(value);
    } catch (error) {
      if (hasStatus(error, ...NO_API) || isCode(error, 'OCL_DOCUMENT_INVALID')) return undefined;
      throw error;
    }
  }

  async #fallback(
    subject: Digest,
  ): Promise<{ fetched: Fetched; index: JsonObject; entries: readonly unknown[] } | undefined> {
    let fetched: Fetched;
    try {
      fetched = await this.#manifests.fetch(referrersTag(subject));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
    if (!isIndexType(fetched.descriptor.mediaType)) return undefined;
    const index = parseJson(fetched.bytes, `the referrers of ${subject}`);
    if (!isObject(index)) return undefined;
    return { fetched, index, entries: entriesOf(index) ?? [] };
  }

  /** Reads, changes and writes the fallback tag. Another process may do the same at that moment: where the registry can tell, it is done again. */
  #change(subject: Digest, change: (entries: readonly unknown[]) => readonly unknown[] | undefined): Promise<void> {
    const tag = referrersTag(subject);
    return this.#client.exclusively(`${this.#paths.name}:${tag}`, async () => {
      for (let tries = 1; ; tries++) {
        const known = await this.#fallback(subject);
        const entries = change(known?.entries ?? []);
        if (entries === undefined) return;
        const bytes = toJsonBytes({
          ...(known?.index ?? { schemaVersion: 2, mediaType: MEDIA.ociIndex }),
          manifests: entries,
        });
        try {
          await this.#manifests.write(tag, describe(bytes, MEDIA.ociIndex), bytes, known?.fetched.etag);
          return;
        } catch (error) {
          if (!hasStatus(error, 412) || tries >= TRIES) throw error;
        }
      }
    });
  }
}

/** The entries of an index; undefined when it is none. */
function entriesOf(page: unknown): readonly unknown[] | undefined {
  if (!isObject(page) || !('manifests' in page)) return undefined;
  const { manifests, mediaType } = page;
  if (typeof mediaType === 'string' && mediaType !== '' && !isIndexType(mediaType)) return undefined;
  if (manifests === null) return [];
  return Array.isArray(manifests) ? manifests : undefined;
}

function digestOfEntry(entry: unknown): unknown {
  return isObject(entry) ? entry['digest'] : undefined;
}
