import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { givePiece, holdPiece } from './slabPool.ts';
import { checkExtension, complete, hasPending, isExtension, takeExtension, type Pending } from './tarExtension.ts';
import {
  isZeroBlock,
  plainType,
  readTarAttributes,
  readTarHeader,
  TAR_BLOCK,
  tarFault,
  type TarAttributes,
  type TarHeader,
} from './tarHeader.ts';

/** An entry of a tar file that flows by: of any kind, with its name as it is written. */
export interface TarMember extends TarHeader, TarAttributes {
  /** Keys of its PAX records that `TarHeader` has no place for. */
  readonly records: readonly string[];
  /** The content, once and before the next entry is asked for; who does not take it lets it pass. */
  body(): AsyncGenerator<Buffer>;
}

/**
 * The entries of a tar file in its order, from a stream that is read once and to its end. Names, kinds and twice the same name are the
 * reader's matter. A file may end without the two empty blocks: some writers of layers leave them out.
 * @throws OCL_ARCHIVE_INVALID, OCL_LIMIT
 */
export async function* tarMembers(stream: AsyncIterable<Buffer>): AsyncGenerator<TarMember> {
  const bytes = new Forward(stream);
  try {
    yield* membersOf(bytes);
  } finally {
    await bytes.close();
  }
}

async function* membersOf(bytes: Forward): AsyncGenerator<TarMember> {
  let pending: Pending = {};
  for (let count = 0; ; count++) {
    if (count >= LIMITS.archiveEntries)
      throw new OclError('OCL_LIMIT', `Cannot read the archive: it has more than ${LIMITS.archiveEntries} entries`);
    const block = await bytes.take(TAR_BLOCK);
    const end = block.length === 0 || (block.length === TAR_BLOCK && isZeroBlock(block, 0));
    if (end) {
      if (hasPending(pending)) throw tarFault('its last header belongs to an entry that is not there');
      await bytes.takeZeros();
      return;
    }
    if (block.length < TAR_BLOCK) throw tarFault('it is cut off inside a header');
    const header = readTarHeader(block, 0);
    const padding = (TAR_BLOCK - (header.size % TAR_BLOCK)) % TAR_BLOCK;
    if (isExtension(header.type)) {
      checkExtension(header);
      const body = await bytes.take(header.size + padding);
      if (body.length < header.size + padding) throw tarFault('it is cut off inside an extended header');
      takeExtension(header, pending, body.subarray(0, header.size));
      continue;
    }
    const { pax } = pending;
    const own = readTarAttributes(block, 0);
    const entry = complete(header, pending);
    pending = {};
    const content = new Content(bytes, entry.size);
    yield {
      type: plainType(entry),
      name: entry.name,
      link: entry.link,
      size: entry.size,
      mode: own.mode,
      uid: pax?.uid ?? own.uid,
      gid: pax?.gid ?? own.gid,
      mtime: pax?.mtime ?? own.mtime,
      records: pax?.others ?? NO_RECORDS,
      body: () => content.read(),
    };
    await content.pass();
  }
}

const NO_RECORDS: readonly string[] = [];

/** The body of one entry with what fills it up to the next header. */
class Content {
  readonly #bytes: Forward;
  readonly #padding: number;
  #left: number;

  constructor(bytes: Forward, size: number) {
    this.#bytes = bytes;
    this.#left = size;
    this.#padding = (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
  }

  async *read(): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      const piece = await this.#bytes.some(this.#left);
      if (piece.length === 0) throw tarFault('it is cut off inside an entry');
      this.#left -= piece.length;
      yield piece;
    }
  }

  async pass(): Promise<void> {
    while (this.#left > 0) {
      const piece = await this.#bytes.some(this.#left);
      if (piece.length === 0) throw tarFault('it is cut off inside an entry');
      this.#left -= piece.length;
    }
    if (this.#padding === 0) return;
    const filled = await this.#bytes.take(this.#padding);
    if (filled.length < this.#padding) throw tarFault('it is cut off after an entry');
  }
}

const ZEROS = Buffer.alloc(64 << 10);

/** A stream that is read forward in amounts of one's own. */
class Forward {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** So many bytes; fewer only at the end. Valid as long as one likes. */
  async take(length: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at >= length) return this.#cut(length);
    const parts: Buffer[] = [];
    let count = 0;
    while (count < length) {
      const part = await this.some(length - count);
      if (part.length === 0) break;
      parts.push(part);
      count += part.length;
    }
    return Buffer.concat(parts);
  }

  /** Between one byte and so many; none at the end. */
  async some(length: number): Promise<Buffer> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#chunks.next();
      if (next.done === true) return Buffer.alloc(0);
      // Whoever got a cut of the one before has a hold of its own.
      givePiece(this.#chunk);
      this.#chunk = next.value;
      this.#at = 0;
    }
    return this.#cut(Math.min(length, this.#chunk.length - this.#at));
  }

  /** @throws OCL_ARCHIVE_INVALID when anything else follows */
  async takeZeros(): Promise<void> {
    for (;;) {
      const piece = await this.some(Number.MAX_SAFE_INTEGER);
      if (piece.length === 0) return;
      for (let at = 0; at < piece.length; at += ZEROS.length) {
        const part = piece.subarray(at, at + ZEROS.length);
        if (!part.equals(ZEROS.subarray(0, part.length))) throw tarFault('there is something after its end');
      }
    }
  }

  #cut(length: number): Buffer {
    const piece = this.#chunk.subarray(this.#at, this.#at + length);
    holdPiece(piece);
    this.#at += length;
    return piece;
  }
}
