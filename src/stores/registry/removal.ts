import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { parseManifest, type ManifestDocument } from '../../core/manifest.ts';
import { discard } from '../../io/httpMessages.ts';
import { type RegistryClient } from './client.ts';
import { AnswerError, hasStatus } from './errors.ts';
import { type Manifests } from './manifests.ts';
import { type RepositoryPaths } from './paths.ts';
import { type Referrers } from './referrers.ts';
import { untagByStandIn } from './standIn.ts';
import { type Uploader } from './transfer/upload.ts';

export interface RemovalOptions {
  readonly client: RegistryClient;
  readonly paths: RepositoryPaths;
  readonly manifests: Manifests;
  readonly referrers: Referrers;
  readonly uploader: Uploader;
}

/** Answers by which registries say that they do not delete such a thing. */
const REFUSED: readonly number[] = [400, 405, 501];

const SWITCHED_OFF =
  'deletion may be switched off there (docker-registry wants REGISTRY_STORAGE_DELETE_ENABLED=true to allow it)';

/** Takes tags, manifests and blobs of one repository back. */
export class Removal {
  readonly #options: RemovalOptions;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Takes a tag away, never what it names. False: there was no such tag. @throws OCL_UNSUPPORTED */
  async untag(tag: string): Promise<boolean> {
    const { client, paths } = this.#options;
    const { deletes } = client.learned.quirks;
    const action = `take the tag ${tag} away from ${paths.name}`;
    if (deletes !== 'digests') {
      try {
        return await this.#delete(paths.manifest(tag), action);
      } catch (error) {
        if (deletes === 'nothing' || !isRefusal(error) || !(await this.#deletesDigests())) throw error;
      }
    }
    return await untagByStandIn(tag, { ...this.#options, action, remove: this.#removeManifest });
  }

  /** Takes a manifest and all its names away. False: it was not there. @throws OCL_UNSUPPORTED */
  async remove(digest: Digest): Promise<boolean> {
    const found = await this.#documentAt(digest);
    if (found === undefined) return false;
    const gone = await this.#removeManifest(digest);
    const subject = found.document?.subject;
    if (gone && subject !== undefined) await this.#options.referrers.remove(subject.digest, digest);
    return gone;
  }

  /** False: it was not there. @throws OCL_UNSUPPORTED */
  async removeBlob(digest: Digest): Promise<boolean> {
    const { paths } = this.#options;
    const hint = 'the registry may collect blobs that nothing names by itself';
    return await this.#delete(paths.blob(digest), `remove the blob ${paths.name}@${digest}`, hint);
  }

  readonly #removeManifest = async (digest: Digest, signal?: AbortSignal): Promise<boolean> => {
    const { paths } = this.#options;
    return await this.#delete(paths.manifest(digest), `remove ${paths.name}@${digest}`, SWITCHED_OFF, signal);
  };

  /** Asked with a digest that nothing has: where deletion is switched off, that is what the answer says. */
  async #deletesDigests(): Promise<boolean> {
    try {
      await this.#removeManifest(NOBODY);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  /** Undefined: it is not there. A document that cannot be read can be removed all the same. */
  async #documentAt(digest: Digest): Promise<{ document: ManifestDocument | undefined } | undefined> {
    const { manifests, paths } = this.#options;
    try {
      const { bytes, descriptor } = await manifests.fetch(digest);
      return { document: parseManifest(bytes, descriptor.mediaType, `${paths.name}@${digest}`) };
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

  async #delete(to: string, action: string, hint = SWITCHED_OFF, signal?: AbortSignal): Promise<boolean> {
    const { client, paths } = this.#options;
    try {
      const ok = [200, 202, 204];
      await discard(await client.send({ method: 'DELETE', to, need: paths.remove, action, ok, signal }));
      return true;
    } catch (error) {
      if (hasStatus(error, 404)) return false;
      if (!hasStatus(error, ...REFUSED) || error.code === 'OCL_DENIED') throw error;
      const known = error.hint ?? client.learned.quirks.deleteHint ?? hint;
      throw new OclError('OCL_UNSUPPORTED', error.message, { hint: known, cause: error });
    }
  }
}

/** A digest that no content will ever have. */
const NOBODY: Digest = `sha256:${'0'.repeat(64)}`;

function isRefusal(error: unknown): boolean {
  return error instanceof OclError && error.code === 'OCL_UNSUPPORTED' && hasStatus(error.cause, ...REFUSED);
}
