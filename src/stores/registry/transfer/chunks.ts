import { type Descriptor } from '../../../core/descriptor.ts';
import { OclError } from '../../../core/errors.ts';
import { type Open } from '../../../core/store.ts';
import { discard, header } from '../../../io/httpMessages.ts';
import { isTemporary } from '../../../io/retry.ts';
import { verifying } from '../../../io/verify.ts';
import { type RegistryClient } from '../client.ts';
import { AnswerError, hasStatus } from '../errors.ts';
import { type RepositoryPaths } from '../paths.ts';
import { slicesOf } from './sending.ts';
import { endUpload, movedTo, receivedBytes, uploadStatus, type Session } from './session.ts';
import { type Turn } from '../turns.ts';

export interface ChunkedUpload {
  readonly client: RegistryClient;
  readonly paths: RepositoryPaths;
  readonly descriptor: Descriptor;
  readonly open: Open;
  readonly session: Session;
  /** Bytes that the registry has from before: they are read and verified, and not sent. */
  readonly from: number;
  /** Bytes of one chunk; the registry's minimum goes before it. */
  readonly chunkBytes: number | undefined;
}

const CHUNK = 8 << 20;
/** What a registry may ask to be sent in one piece, which has to lie in memory so that it can be sent again. */
const LARGEST_CHUNK = 64 << 20;
/** Below this a 413 is not answered with yet smaller chunks. */
const SMALLEST_CHUNK = 64 << 10;

/**
 * Sends a blob in chunks (distribution-spec, "Pushing a blob in chunks"). A chunk is never sent twice blindly: after a failure
 * the registry is asked how much it has. @throws OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH, OCL_LIMIT, AnswerError, OCL_UNREACHABLE
 */
export async function sendChunks(upload: ChunkedUpload): Promise<void> {
  const { descriptor, session } = upload;
  if (session.minChunk > LARGEST_CHUNK) {
    throw new OclError(
      'OCL_LIMIT',
      `Cannot upload ${descriptor.digest} to ${upload.paths.name}: the registry wants chunks of ${session.minChunk} bytes, and ${LARGEST_CHUNK} are held at most`,
    );
  }
  const sender = new ChunkSender(upload);
  const size = Math.max(upload.chunkBytes ?? CHUNK, session.minChunk, 1);
  for await (const chunk of piecesOf(upload, size)) await sender.send(chunk);
  await endUpload(upload.client, upload.paths, descriptor, sender.session);
}

/** The verified content in pieces of one size; the last one, which may be shorter, comes only after the whole proved right. */
async function* piecesOf({ open, descriptor, from }: ChunkedUpload, size: number): AsyncGenerator<Uint8Array> {
  const stream = verifying(await open(), descriptor);
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let skip = from;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    const start = Math.min(skip, piece.length);
    skip -= start;
    for (let at = start; at < piece.length;) {
      if (bytes === size) {
        yield Buffer.concat(parts);
        parts = [];
        bytes = 0;
      }
      const part = piece.subarray(at, at + size - bytes);
      parts.push(part);
      bytes += part.length;
      at += part.length;
    }
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

class ChunkSender {
  readonly #upload: ChunkedUpload;
  readonly #action: string;
  readonly #turn: Turn;
  #session: Session;
  /** Bytes that the registry has. */
  #sent: number;
  #failures = 0;
  /** Grows smaller when the registry finds chunks too large. */
  #largest = Number.POSITIVE_INFINITY;

  constructor(upload: ChunkedUpload) {
    this.#upload = upload;
    this.#session = upload.session;
    this.#sent = upload.from;
    this.#turn = upload.client.turns.turn();
    this.#action = `upload ${upload.descriptor.digest} to ${upload.paths.name}`;
  }

  /** Where the upload stands. */
  get session(): Session {
    return this.#session;
  }

  /** Sends what lies between `#sent` and the end of the chunk, in as many requests as it takes. */
  async send(chunk: Uint8Array): Promise<void> {
    const start = this.#sent;
    const end = start + chunk.length;
    while (this.#sent < end) {
      const part = chunk.subarray(this.#sent - start, Math.min(chunk.length, this.#sent - start + this.#largest));
      try {
        await this.#patch(part);
        this.#failures = 0;
      } catch (error) {
        await this.#recover(error, part.length, start, end);
      }
    }
  }

  async #patch(part: Uint8Array): Promise<void> {
    const { client, paths } = this.#upload;
    const answer = await client.send({
      method: 'PATCH',
      to: this.#session.url,
      need: paths.push,
      action: this.#action,
      content: true,
      // ECR answers 201 (spec regsync.md 6).
      ok: [201, 202, 204],
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${this.#sent}-${this.#sent + part.length - 1}`,
      },
      body: { size: part.length, open: () => slicesOf(part) },
      repeatable: false,
    });
    await discard(answer);
    const sent =
      header(answer.headers, 'range') === undefined ? this.#sent + part.length : receivedBytes(answer, this.#action);
    if (sent <= this.#sent || sent > this.#sent + part.length) {
      throw new OclError(
        'OCL_REGISTRY',
        `Cannot ${this.#action}: the registry says it has ${sent} bytes where ${this.#sent + part.length} were sent`,
      );
    }
    this.#session = movedTo(client, answer, this.#session, this.#action);
    this.#sent = sent;
  }

  /** After a failed chunk: smaller ones after 413, else whatever the registry says it has. @throws the failure where it stands */
  async #recover(error: unknown, tried: number, start: number, end: number): Promise<void> {
    const { client, paths } = this.#upload;
    if (hasStatus(error, 413)) {
      const floor = Math.max(SMALLEST_CHUNK, this.#session.minChunk);
      if (tried <= floor) throw error;
      this.#largest = Math.max(Math.ceil(tried / 2), floor);
      return;
    }
    const passing =
      isTemporary(error) ||
      hasStatus(error, 416) ||
      (error instanceof AnswerError && client.retry.statuses.has(error.status));
    if (!passing || ++this.#failures >= client.retry.tries) throw error;
    const pause = this.#turn.pause(this.#failures, undefined);
    if (pause === undefined) throw error;
    await this.#turn.wait(pause, client.signal);
    const { session, received } = await uploadStatus(client, paths, this.#session);
    this.#session = session;
    // Earlier chunks are gone from memory: the source has to be read again.
    if (received < start || received > end) throw error;
    this.#sent = received;
  }
}
