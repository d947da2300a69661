import { type Descriptor } from '../../core/descriptor.ts';
import { referrersTag, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { isObject, parseJson, toJsonBytes, type JsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseDescriptor } from '../../core/manifest.ts';
import { isDocumentType, isIndexType, MEDIA } from '../../core/mediaTypes.ts';
import { header } from '../../io/httpMessages.ts';
import { backoff } from '../../io/retry.ts';
import { describe } from '../../io/verify.ts';
import { type Answer } from './answer.ts';
import { type ApiRequest, type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { type Fetched, type Manifests } from './manifests.ts';
import { pages } from './paging.ts';
import { type RepositoryPaths } from './paths.ts';

/** Answers by which registries say that they have no referrers API (spec oci.md 8.3, rule 5). */
const NO_API: readonly number[] = [400, 403, 404, 405, 501];
/** Those that are about the API, and will be the same for the next digest. */
const ABSENT: readonly number[] = [404, 405, 501];
/** Codes that are about the digest or the repository instead: Quay says MANIFEST_INVALID of a subject that it does not have. */
const UNKNOWN: ReadonlySet<string> = new Set([
  'MANIFEST_UNKNOWN',
  'MANIFEST_INVALID',
  'NAME_UNKNOWN',
  'BLOB_UNKNOWN',
  'NOT_FOUND',
]);
const TRIES = 10;
/** Milliseconds after which it shows whether another client had read before, and wrote after: registries such as docker-registry 2.8 give ETags and look at no condition. */
const SETTLE = 100;

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
    if ((await this.#api(subject).next()).done !== true) return;
    await this.#change(subject, (entries) =>
      entries.some((known) => digestOfEntry(known) === digest)
        ? entries.filter((known) => digestOfEntry(known) !== digest)
        : undefined,
    );
  }

  async *#pages(subject: Digest): AsyncGenerator<readonly unknown[]> {
    const api = this.#api(subject);
    const first = await api.next();
    if (first.done === true) {
      yield (await this.#fallback(subject))?.entries ?? [];
      return;
    }
    yield first.value;
    yield* api;
  }

  /** The pages of the API; none at all: there is no API, or something else answers in its place. */
  async *#api(subject: Digest): AsyncGenerator<readonly unknown[], void, undefined> {
    const { learned } = this.#client;
    const action = `list the referrers of ${this.#paths.name}@${subject}`;
    const request: ApiRequest = {
      method: 'GET',
      to: this.#paths.referrers(subject),
      need: this.#paths.pull,
      action,
      ok: [200],
      headers: { accept: MEDIA.ociIndex },
    };
    const answer = await this.#ask(request);
    if (answer === undefined) return;
    let isFirst = true;
    // What is announced as a list must be one; and an API that was there once does not turn into something else.
    const mustBeList =
      isIndexType(header(answer.headers, 'content-type') ?? '') || learned.hasReferrersApi(this.#paths.name) === true;
    try {
      for await (const page of pages(this.#client, request, answer)) {
        const entries = entriesOf(page);
        if (entries === undefined) {
          if (isFirst && !mustBeList) return;
          throw new OclError('OCL_REGISTRY', `Cannot ${action}: the answer is no image index`);
        }
        learned.tellReferrersApi(this.#paths.name, true);
        isFirst = false;
        yield entries;
      }
    } catch (error) {
      if (!isFirst || mustBeList || !isCode(error, 'OCL_DOCUMENT_INVALID')) throw error;
    }
  }

  /** Undefined: go by the fallback tag. What may pass (429, 5xx, a broken connection) is an error: it does not say that there are none. */
  async #ask(request: ApiRequest): Promise<Answer | undefined> {
    const { learned } = this.#client;
    const { name } = this.#paths;
    const known = learned.hasReferrersApi(name);
    if (known === false) return undefined;
    try {
      return await this.#client.send(request);
    } catch (error) {
      if (!hasStatus(error, ...NO_API)) throw error;
      const isUnknown = error.status === 404 || error.codes.some((code) => UNKNOWN.has(code));
      if (known === true && !isUnknown) throw error;
      if (ABSENT.includes(error.status) && !error.codes.some((code) => UNKNOWN.has(code)) && known === undefined)
        learned.tellReferrersApi(name, false);
      return undefined;
    }
  }

  /** Undefined: there is no such tag. What is no index there lists nothing. */
  async #fallback(
    subject: Digest,
  ): Promise<{ fetched: Fetched; index: JsonObject | undefined; entries: readonly unknown[] } | undefined> {
    let fetched: Fetched;
    try {
      fetched = await this.#manifests.fetch(referrersTag(subject));
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
    const index = isIndexType(fetched.descriptor.mediaType)
      ? parseJson(fetched.bytes, `the referrers of ${subject}`)
      : undefined;
    if (!isObject(index)) return { fetched, index: undefined, entries: [] };
    return { fetched, index, entries: entriesOf(index) ?? [] };
  }

  /**
   * Reads, changes and writes the fallback tag. Another process may do the same at that moment: a registry that holds a write
   * against its condition says so; elsewhere it shows when the tag is read again. Then it is done once more.
   */
  #change(subject: Digest, change: (entries: readonly unknown[]) => readonly unknown[] | undefined): Promise<void> {
    const tag = referrersTag(subject);
    return this.#client.exclusively(`${this.#paths.name}:${tag}`, async () => {
      for (let tries = 1; tries <= TRIES; tries++) {
        const known = await this.#fallback(subject);
        const entries = change(known?.entries ?? []);
        if (entries === undefined) return;
        const bytes = toJsonBytes({
          ...(known?.index ?? { schemaVersion: 2, mediaType: MEDIA.ociIndex }),
          manifests: entries,
        });
        const index = describe(bytes, MEDIA.ociIndex);
        try {
          await this.#manifests.write(tag, index, bytes, { condition: conditionOf(known?.fetched) });
        } catch (error) {
          if (!hasStatus(error, 409, 412) || error.code === 'OCL_DENIED') throw error;
          await this.#client.clock.sleep(backoff(tries), this.#client.signal);
          continue;
        }
        await this.#client.clock.sleep(SETTLE, this.#client.signal);
        if (await this.#isStill(tag, index.digest)) return;
      }
      throw new OclError(
        'OCL_REGISTRY',
        `Cannot list what refers to ${this.#paths.name}@${subject}: others keep changing the tag ${tag}`,
        { hint: 'run the same command again when the others are done' },
      );
    });
  }

  /** What was stored may be visible a little later only: then nobody else can have changed it. */
  async #isStill(tag: string, digest: Digest): Promise<boolean> {
    try {
      return (await this.#manifests.describe(tag)).digest === digest;
    } catch (error) {
      if (hasStatus(error, 404)) return true;
      throw error;
    }
  }
}

/** A weak tag never fits a condition (RFC 9110, 8.8.3.2). */
function conditionOf(fetched: Fetched | undefined): Readonly<Record<string, string>> | undefined {
  if (fetched === undefined) return { 'if-none-match': '*' };
  const { etag } = fetched;
  return etag === undefined || etag.startsWith('W/') ? undefined : { 'if-match': etag };
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
