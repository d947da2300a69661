import { Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type Open } from '../../core/store.ts';
import { discard } from '../../io/httpMessages.ts';
import { isTemporary } from '../../io/retry.ts';
import { verifyInto, verifying } from '../../io/verify.ts';
import { sendChunks } from './chunks.ts';
import { type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { checkAnsweredDigest, sessionOf, withDigest, type Session } from './session.ts';
import { type RepositoryPaths } from './paths.ts';

/** Uploads that began and did not end: tried as a whole so often. */
const TRIES = 3;

/** Sends the blobs of one repository (spec oci.md 2.4). */
export class Uploader {
  readonly #client: RegistryClient;
  readonly #paths: RepositoryPaths;
  /** Sessions that a refused mount opened, for the upload that follows. */
  readonly #opened = new Map<Digest, Session>();

  constructor(client: RegistryClient, paths: RepositoryPaths) {
    this.#client = client;
    this.#paths = paths;
  }

  /** A session that is open already, as a declined mount leaves it, for the upload that follows. */
  takeOver(digest: Digest, session: Session): void {
    this.#opened.set(digest, session);
  }

  /**
   * Sends a blob, whole where the registry takes that, in chunks where it does not. What flows is verified on the way out.
   * @throws OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH when the source's bytes are wrong; AnswerError, OCL_UNREACHABLE
   */
  async put(descriptor: Descriptor, open: Open): Promise<void> {
    const { chunkBytes, monolithicBytes } = this.#client.settings;
    const { chunkedUpload, minChunk } = this.#client.learned.quirks;
    let chunked = chunkedUpload && monolithicBytes !== undefined && descriptor.size > monolithicBytes;
    for (let tries = 1; ; tries++) {
      const begun = await this.#begin(descriptor);
      const session = { ...begun, minChunk: Math.max(begun.minChunk, minChunk) };
      try {
        if (chunked)
          await sendChunks({ client: this.#client, paths: this.#paths, descriptor, open, session, chunkBytes });
        else await this.#sendWhole(descriptor, open, session);
        return;
      } catch (error) {
        await this.#cancel(session);
        if (tries >= TRIES) throw error;
        const other = otherWay(error, chunked);
        if (other === undefined) throw error;
        chunked = other && chunkedUpload;
      }
    }
  }

  /** Gives up sessions that no upload used. */
  async close(): Promise<void> {
    const sessions = [...this.#opened.values()];
    this.#opened.clear();
    for (const session of sessions) await this.#cancel(session);
  }

  async #begin(descriptor: Descriptor): Promise<Session> {
    const known = this.#opened.get(descriptor.digest);
    this.#opened.delete(descriptor.digest);
    if (known !== undefined) return known;
    const action = `begin the upload of ${descriptor.digest} to ${this.#paths.name}`;
    const answer = await this.#client.send({
      method: 'POST',
      to: this.#paths.uploads,
      need: this.#paths.push,
      action,
      ok: [202],
      repeatable: true,
    });
    await discard(answer);
    return sessionOf(answer, action);
  }

  async #sendWhole(descriptor: Descriptor, open: Open, session: Session): Promise<void> {
    const { digest, size } = descriptor;
    if (size === 0) await verifyInto(await open(), descriptor);
    const answer = await this.#client.send({
      method: 'PUT',
      to: withDigest(session.url, digest),
      need: this.#paths.push,
      action: `upload ${digest} to ${this.#paths.name}`,
      ok: [201, 204],
      headers: { 'content-type': 'application/octet-stream' },
      body: size === 0 ? undefined : { size, open: async () => holdingBack(verifying(await open(), descriptor)) },
      // A session holds a part of a failed try: what is there has to be asked first, or a new one begun.
      repeatable: false,
    });
    await discard(answer);
    checkAnsweredDigest(answer.headers, digest, this.#paths.name);
  }

  /** Tells the registry that a session is not needed; many do not know the call, and sessions expire by themselves. */
  async #cancel(session: Session): Promise<void> {
    try {
      await discard(
        await this.#client.send({
          method: 'DELETE',
          to: session.url,
          need: this.#paths.push,
          action: `give up an upload to ${this.#paths.name}`,
          ok: [200, 202, 204],
          repeatable: false,
        }),
      );
    } catch {
      // Courtesy alone: the failure that led here is the one to report.
    }
  }
}

/** The same stream, its last piece withheld until all of it proved right: no registry ever gets wrong content whole. */
function holdingBack(stream: Readable): Readable {
  async function* pass(): AsyncGenerator<Uint8Array> {
    let held: Uint8Array | undefined;
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      if (held !== undefined) yield held;
      held = piece;
    }
    if (held !== undefined) yield held;
  }
  return Readable.from(pass(), { objectMode: false });
}

/** Whether to go on in chunks (true) or whole (false) after a failure; undefined: the failure stands. */
function otherWay(error: unknown, chunked: boolean): boolean | undefined {
  // A connection that broke is safer in pieces, of which only the last one is lost.
  if (isTemporary(error)) return true;
  if (hasStatus(error, 408, 500, 502, 503, 504)) return chunked;
  if (!chunked && hasStatus(error, 413, 404, 416)) return true;
  if (chunked && hasStatus(error, 404, 405, 416, 501)) return false;
  return undefined;
}
