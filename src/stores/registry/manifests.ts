import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { children, isForeign } from '../../core/graph.ts';
import { parseManifest } from '../../core/manifest.ts';
import {
  documentLimit,
  isDocumentType,
  isSchema1Type,
  MANIFEST_ACCEPT,
  normalMediaType,
} from '../../core/mediaTypes.ts';
import { discard, header, type HttpHeaders } from '../../io/httpMessages.ts';
import { digestOf, readBounded } from '../../io/verify.ts';
import { type Answer } from './answer.ts';
import { type RegistryClient } from './client.ts';
import { AnswerError, hasStatus } from './errors.ts';
import { type RepositoryPaths } from './paths.ts';
import { checkAnsweredDigest } from './transfer/session.ts';

export interface Fetched {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** For `If-Match`. */
  readonly etag: string | undefined;
}

export interface WriteOptions {
  /** Headers under which it is written alone: `if-match`, `if-none-match`. */
  readonly condition?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Written {
  /** The registry keeps the list of referrers by itself (distribution-spec, "Pushing Manifests with Subject"). */
  readonly knowsSubject: boolean;
}

/** The manifests of one repository, by tag or digest. */
export class Manifests {
  readonly #client: RegistryClient;
  readonly #paths: RepositoryPaths;

  constructor(client: RegistryClient, paths: RepositoryPaths) {
    this.#client = client;
    this.#paths = paths;
  }

  /** What a tag or digest names: by HEAD, which costs no pull, and by GET where HEAD does not tell enough. @throws OCL_NOT_FOUND */
  async describe(name: string): Promise<Descriptor> {
    if (this.#client.settings.head !== false) {
      try {
        const answer = await this.#get('HEAD', name, `resolve ${this.#shown(name)}`);
        await discard(answer);
        const found = fromHeaders(answer.headers, name, this.#shown(name));
        if (found !== undefined) return found;
      } catch (error) {
        if (!hasStatus(error, 405, 501)) throw error;
      }
    }
    return (await this.fetch(name)).descriptor;
  }

  /** The whole document; its digest is computed, and must be the one that was asked for. @throws OCL_NOT_FOUND, OCL_DIGEST_MISMATCH, OCL_LIMIT */
  async fetch(name: string): Promise<Fetched> {
    const shown = this.#shown(name);
    const answer = await this.#get('GET', name, `fetch ${shown}`);
    const type = mediaTypeOf(answer.headers);
    const limit = documentLimit(type);
    const bytes = await readBounded(answer.body, limit, shown);
    const digest = computeDigest(bytes, isDigest(name) ? name : answeredDigest(answer.headers), shown);
    const mediaType = type ?? parseManifest(bytes, undefined, shown).mediaType;
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes, etag: header(answer.headers, 'etag') };
  }

  /** Whether a manifest is there, by digest. */
  async has(descriptor: Descriptor): Promise<boolean> {
    try {
      const method = this.#client.settings.head === false ? 'GET' : 'HEAD';
      const answer = await this.#get(
        method,
        descriptor.digest,
        `look for ${this.#shown(descriptor.digest)}`,
        descriptor.mediaType,
      );
      await discard(answer);
      return true;
    } catch (error) {
      if (hasStatus(error, 404)) return false;
      throw error;
    }
  }

  /** Asks for the bytes, from an offset on when a range is given. */
  ask(descriptor: Descriptor, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    return this.#client.send({
      method: 'GET',
      to: this.#paths.manifest(descriptor.digest),
      need: this.#paths.pull,
      action: `fetch ${this.#shown(descriptor.digest)}`,
      ok: headers['range'] === undefined ? [200] : [200, 206, 416],
      headers: { accept: acceptFor(descriptor.mediaType), ...headers },
      signal,
    });
  }

  /**
   * Stores a document under a tag or its digest.
   * @throws OCL_MISSING_BLOBS when the registry lacks something that it names; AnswerError with status 412 when the condition does not hold
   */
  async write(
    name: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    { condition, signal }: WriteOptions = {},
  ): Promise<Written> {
    try {
      const answer = await this.#client.send({
        method: 'PUT',
        to: this.#paths.manifest(name),
        need: this.#paths.push,
        action: `store ${this.#shown(name)}`,
        ok: [200, 201, 202, 204],
        headers: { 'content-type': descriptor.mediaType, ...condition },
        body: bytes,
        repeatable: true,
        signal,
      });
      await discard(answer);
      checkAnsweredDigest(answer.headers, descriptor.digest, this.#paths.name);
      return { knowsSubject: header(answer.headers, 'oci-subject') !== undefined };
    } catch (error) {
      if (!lacksChildren(error)) throw error;
      const hint = hasLayersElsewhere(bytes, descriptor.mediaType) ? ELSEWHERE : undefined;
      throw new OclError('OCL_MISSING_BLOBS', error.message, { hint, cause: error });
    }
  }

  #get(method: 'GET' | 'HEAD', name: string, action: string, mediaType?: string): Promise<Answer> {
    return this.#client.send({
      method,
      to: this.#paths.manifest(name),
      need: this.#paths.pull,
      action,
      ok: [200],
      headers: { accept: acceptFor(mediaType) },
    });
  }

  #shown(name: string): string {
    return `${this.#paths.name}${isDigest(name) ? '@' : ':'}${name}`;
  }
}

/** Codes by which registries say that a manifest names what they lack; distribution alone is exact about it. */
const LACKING: ReadonlySet<string> = new Set(['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN']);

const ELSEWHERE =
  'it has layers that lie elsewhere (urls): copy with --foreign, or let the registry take such (docker-registry: validation.manifests.urls.allow)';

function lacksChildren(error: unknown): error is AnswerError {
  return error instanceof AnswerError && error.codes.some((code) => LACKING.has(code));
}

function hasLayersElsewhere(bytes: Uint8Array, mediaType: string): boolean {
  if (isSchema1Type(mediaType)) return false;
  return children(parseManifest(bytes, mediaType, 'the manifest')).some(
    (child) => child.role === 'layer' && (isForeign(child) || (child.descriptor.urls ?? []).length > 0),
  );
}

function acceptFor(mediaType: string | undefined): string {
  const type = mediaType === undefined ? '' : normalMediaType(mediaType);
  return type === '' || MANIFEST_ACCEPT.includes(type) ? MANIFEST_ACCEPT : `${MANIFEST_ACCEPT}, ${type}`;
}

function mediaTypeOf(headers: HttpHeaders): string | undefined {
  const type = normalMediaType(header(headers, 'content-type') ?? '');
  return isDocumentType(type) ? type : undefined;
}

function answeredDigest(headers: HttpHeaders): Digest | undefined {
  const text = header(headers, 'docker-content-digest');
  return text !== undefined && isDigest(text) && verifiableAlgorithm(text) !== undefined ? text : undefined;
}

/** A descriptor from the answer to HEAD; undefined when type, digest or size are missing. @throws OCL_DIGEST_MISMATCH */
function fromHeaders(headers: HttpHeaders, name: string, shown: string): Descriptor | undefined {
  const mediaType = mediaTypeOf(headers);
  const answered = answeredDigest(headers);
  const digest = isDigest(name) ? name : answered;
  const length = header(headers, 'content-length');
  if (
    isDigest(name) &&
    answered !== undefined &&
    answered !== name &&
    verifiableAlgorithm(answered) === verifiableAlgorithm(name)
  )
    throw otherDigest(shown, answered);
  if (mediaType === undefined || digest === undefined || length === undefined || !/^[1-9]\d{0,14}$/.test(length))
    return undefined;
  return { mediaType, digest, size: Number(length) };
}

/** The digest of the bytes, in the algorithm of the expected one. @throws OCL_DIGEST_MISMATCH; OCL_UNSUPPORTED for algorithms that nobody can check */
function computeDigest(bytes: Uint8Array, expected: Digest | undefined, shown: string): Digest {
  const algorithm = expected === undefined ? 'sha256' : verifiableAlgorithm(expected);
  if (algorithm === undefined)
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot resolve ${shown}: the algorithm of its digest cannot be checked here`,
    );
  const actual = digestOf(bytes, algorithm);
  if (expected !== undefined && actual !== expected) throw otherDigest(shown, actual);
  return actual;
}

function otherDigest(shown: string, actual: string): OclError {
  return new OclError('OCL_DIGEST_MISMATCH', `Cannot resolve ${shown}: the registry gives ${actual}`);
}
