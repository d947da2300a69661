import { type Readable } from 'node:stream';
import { type Descriptor } from '../../../core/descriptor.ts';
import { type Digest } from '../../../core/digest.ts';
import { isCode } from '../../../core/errors.ts';
import { type Open } from '../../../core/store.ts';
import { discard } from '../../../io/httpMessages.ts';
import { isTemporary } from '../../../io/retry.ts';
import { verifyInto, verifying } from '../../../io/verify.ts';
import { sendChunks } from './chunks.ts';
import { type RegistryClient } from '../client.ts';
import { AnswerError, hasStatus } from '../errors.ts';
import { type RepositoryPaths } from '../paths.ts';
import { holdingBack } from './sending.ts';
import {
  checkAnsweredDigest,
  endUpload,
  movedTo,
  sessionOf,
  uploadStatus,
  withDigest,
  type Session,
} from './session.ts';
import { type Turn } from '../turns.ts';

/** Uploads of one blob that began, or went on, and did not end. */
const TRIES = 5;

/** In one request; in one stream of HTTP's chunks that a second request ends; in requests of bounded size. */
type Way = 'whole' | 'streamed' | 'chunked';

/** Answers by which a registry says no to a way of sending, and not to what is sent. */
const REFUSALS = [404, 405, 411, 413, 415, 416, 501] as const;
/** What to try instead, best first. */
const INSTEAD: Readonly<Record<Way, readonly Way[]>> = {
  whole: ['chunked', 'streamed'],
  chunked: ['whole', 'streamed'],
  streamed: ['whole'],
};

/** One blob on its way into a registry. */
interface Upload {
  readonly descriptor: Descriptor;
  readonly open: Open;
  readonly turn: Turn;
  readonly refused: Set<Way>;
  way: Way;
  session: Session | undefined;
  /** Bytes that the session holds. */
  from: number;
  tries: number;
}

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
   * Sends a blob, whole where the registry takes that, in another way where it does not. What flows is verified on the way out. After a
   * break it goes on where the registry says that it stands; the source is read again from its beginning, for the digest is of all of it.
   * @throws OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH when the source's bytes are wrong; AnswerError, OCL_UNREACHABLE
   */
  async put(descriptor: Descriptor, open: Open): Promise<void> {
    const { monolithicBytes } = this.#client.settings;
    const inPieces = monolithicBytes !== undefined && descriptor.size > monolithicBytes && this.#canSend('chunked');
    const upload: Upload = {
      descriptor,
      open,
      turn: this.#client.turns.turn(),
      refused: new Set(),
      way: inPieces ? 'chunked' : 'whole',
      session: undefined,
      from: 0,
      tries: 0,
    };
    for (;;) {
      const session = (upload.session ??= this.#fitting(await this.#begin(descriptor)));
      try {
        await this.#send(upload, session);
        return;
      } catch (error) {
        if (await this.#recover(upload, session, error)) return;
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
    return sessionOf(this.#client, answer, action);
  }

  async #send(upload: Upload, session: Session): Promise<void> {
    const { descriptor, open, way, from } = upload;
    if (way === 'chunked') {
      const { chunkBytes } = this.#client.settings;
      return sendChunks({ client: this.#client, paths: this.#paths, descriptor, open, session, from, chunkBytes });
    }
    const { digest, size } = descriptor;
    const common = {
      need: this.#paths.push,
      action: `upload ${digest} to ${this.#paths.name}`,
      headers: { 'content-type': 'application/octet-stream' },
      content: true,
      // A session holds a part of a failed try: what is there has to be asked first, or a new one begun.
      repeatable: false,
    };
    const body = async (): Promise<Readable> => holdingBack(verifying(await open(), descriptor, true));
    if (way === 'streamed') {
      const streamed = { ...common, method: 'PATCH', to: session.url, ok: [201, 202, 204] };
      const answer = await this.#client.send({ ...streamed, body: { size: undefined, open: body } });
      await discard(answer);
      await endUpload(this.#client, this.#paths, descriptor, movedTo(this.#client, answer, session, common.action));
      return;
    }
    if (size === 0) await verifyInto(await open(), descriptor);
    const whole = { ...common, method: 'PUT', to: withDigest(session.url, digest), ok: [201, 204] };
    const answer = await this.#client.send({ ...whole, body: size === 0 ? undefined : { size, open: body } });
    await discard(answer);
    checkAnsweredDigest(answer.headers, digest, this.#paths.name);
  }

  /** Decides how to go on after a failure. True: there is nothing left to do, for the blob is there. @throws the failure where it stands */
  async #recover(upload: Upload, session: Session, error: unknown): Promise<boolean> {
    const { descriptor, from, way } = upload;
    const passing =
      isTemporary(error) || (error instanceof AnswerError && this.#client.retry.statuses.has(error.status));
    // A session that is gone may have ended well, when nobody heard of it.
    if (hasStatus(error, 404) && (await this.#has(descriptor))) return true;
    if (++upload.tries < TRIES) {
      if (passing) return this.#goOn(upload, session, error);
      // The registry stands elsewhere than it said; or what came in parts does not fit together, or the session was lost.
      if (from > 0 && hasStatus(error, 416)) return this.#goOn(upload, session, error);
      if (from > 0 && hasStatus(error, 400, 404)) return this.#startOver(upload, session, way);
      if (hasStatus(error, ...REFUSALS)) {
        upload.refused.add(way);
        const other = INSTEAD[way].find((each) => this.#canSend(each) && !upload.refused.has(each));
        if (other !== undefined) return this.#startOver(upload, session, other);
      }
    }
    await this.#cancel(session);
    throw error;
  }

  /** After a passing failure: from where the registry stands, or with a new session where the old one is gone. */
  async #goOn(upload: Upload, session: Session, error: unknown): Promise<boolean> {
    const { descriptor, turn, tries, way } = upload;
    const pause = turn.pause(tries, undefined);
    if (pause === undefined) throw error;
    await turn.wait(pause, this.#client.signal);
    // A connection that broke is safer in pieces, of which only the last one is lost.
    const next = this.#canSend('chunked') && !upload.refused.has('chunked') ? 'chunked' : way;
    const status = await this.#status(session);
    if (status === undefined) {
      if (await this.#has(descriptor)) return true;
      return this.#startOver(upload, session, next);
    }
    if (next !== 'chunked' || status.received > descriptor.size) return this.#startOver(upload, session, next);
    upload.way = next;
    upload.session = status.session;
    upload.from = status.received;
    return false;
  }

  async #startOver(upload: Upload, session: Session, way: Way): Promise<false> {
    await this.#cancel(session);
    upload.way = way;
    upload.session = undefined;
    upload.from = 0;
    return false;
  }

  /** Some registries want pieces of a size that they do not tell. */
  #fitting(session: Session): Session {
    return { ...session, minChunk: Math.max(session.minChunk, this.#client.learned.quirks.minChunk) };
  }

  #canSend(way: Way): boolean {
    return way === 'whole' || this.#client.learned.quirks.chunkedUpload;
  }

  /** How much the registry has of an upload; undefined: it does not know it, or does not say. */
  async #status(session: Session): Promise<{ session: Session; received: number } | undefined> {
    try {
      return await uploadStatus(this.#client, this.#paths, session);
    } catch (error) {
      if (error instanceof AnswerError || isCode(error, 'OCL_REGISTRY')) return undefined;
      throw error;
    }
  }

  async #has(descriptor: Descriptor): Promise<boolean> {
    const action = `look for ${this.#paths.name}@${descriptor.digest}`;
    const to = this.#paths.blob(descriptor.digest);
    try {
      const answer = await this.#client.send({ method: 'HEAD', to, need: this.#paths.pull, action, ok: [200] });
      await discard(answer);
      return true;
    } catch (error) {
      if (error instanceof AnswerError) return false;
      throw error;
    }
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
