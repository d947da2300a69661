import { constants } from 'node:fs';
import { lstat, open, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable } from 'node:stream';
import { type Slice } from '../../core/bundleRecord.ts';
import { type StoredBlob } from '../../core/descriptor.ts';
import { splitDigest, type Digest } from '../../core/digest.ts';
import { isAbsent, isCode, OclError, systemCode } from '../../core/errors.ts';
import { isObject, parseJson, toJsonBytes } from '../../core/json.ts';
import { type KeepOptions } from '../../core/store.ts';
import { makeDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { FileRange } from '../../io/fileRange.ts';
import { withLock } from '../../io/lock.ts';
import { givePiece } from '../../io/slabPool.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { verifyInto } from '../../io/verify.ts';

const NOTE_BYTES = 1 << 20;
const NOT_ELSEWHERE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** A content that was cut. */
export interface CutContent extends StoredBlob {
  readonly slices: readonly Slice[];
}

export interface GivenSlice {
  readonly open: () => Readable;
  /** `volume 3 (disc/images.vol03of05.tar)`, for messages. */
  readonly where: string;
}

/** A slice is wrong: says which volume has to be brought anew. */
export function damagedSlice(digest: Digest, where: string, cause?: unknown): OclError {
  return new OclError('OCL_DIGEST_MISMATCH', `Cannot read ${digest}: its part in ${where} is not what it was`, {
    hint: 'bring that volume anew; the others are not concerned',
    cause,
  });
}

interface Note {
  /** Slices that are on the disk, by their place in the content. */
  readonly have: readonly number[];
  /** All are there, and the whole proved right. */
  readonly whole: boolean;
}

const NOTHING: Note = { have: [], whole: false };

/**
 * What of a set was kept for later volumes, in a directory of its own: each content that was cut as one file, with holes where slices are
 * still to come, and beside it a note of those that are there. A slice is noted when it is on the disk.
 */
export class KeptParts {
  readonly #directory: string;
  readonly #options: KeepOptions;
  readonly #notes = new Map<Digest, Note>();

  private constructor(directory: string, options: KeepOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  static async open(directory: string, cut: readonly CutContent[], options: KeepOptions): Promise<KeptParts> {
    const kept = new KeptParts(directory, options);
    for (const { digest } of cut) kept.#notes.set(digest, await kept.#readNote(digest));
    return kept;
  }

  /** Whether a slice is there, by its place in the content. */
  has(digest: Digest, index: number): boolean {
    const { have, whole } = this.#notes.get(digest) ?? NOTHING;
    return whole || have.includes(index);
  }

  /** The file of a content that is whole. */
  wholeFile(digest: Digest): string | undefined {
    return this.#notes.get(digest)?.whole === true ? this.#file(digest) : undefined;
  }

  /**
   * Writes slices to their places. True: the content is whole now.
   * @param given the slices that are at hand, by their place in the content
   * @throws OCL_DIGEST_MISMATCH when a slice is not what it should be
   */
  async keep(content: CutContent, given: ReadonlyMap<number, GivenSlice>): Promise<boolean> {
    const { digest, slices } = content;
    if (this.#notes.get(digest)?.whole === true) return true;
    await makeDirectory(this.#directory);
    await refuseLinks(this.#directory);
    const handle = await this.#openFile(content);
    try {
      for (const [index, { open: openSlice, where }] of given) {
        const slice = slices[index];
        if (slice === undefined || this.has(digest, index)) continue;
        await this.#write(handle, { slice, stream: openSlice(), offset: offsetOf(slices, index) }).catch(
          (error: unknown) => {
            const wrong = isCode(error, 'OCL_DIGEST_MISMATCH') || isCode(error, 'OCL_SIZE_MISMATCH');
            throw wrong ? damagedSlice(digest, where, error) : error;
          },
        );
        await handle.datasync();
        await this.#note(digest, ({ have }) => ({ have: [...new Set([...have, index])], whole: false }));
      }
      if (!slices.every((_, index) => this.has(digest, index))) return false;
      await this.#prove(handle, content);
      await handle.chmod(0o444);
    } finally {
      await handle.close();
    }
    await this.#note(digest, ({ have }) => ({ have, whole: true }));
    return true;
  }

  async forget(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    this.#notes.clear();
    // What was made for it goes as well, when nothing else is in it.
    for (const above of [dirname(this.#directory), dirname(dirname(this.#directory))])
      await rmdir(above).catch(() => {});
  }

  async #openFile({ digest, size }: CutContent): Promise<FileHandle> {
    const path = this.#file(digest);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | NOT_ELSEWHERE, 0o644).catch(
      (error: unknown) => {
        if (systemCode(error) !== 'EACCES') throw error;
        throw new OclError('OCL_IO', `Cannot go on with ${path}: it cannot be written to`, { cause: error });
      },
    );
    if ((await handle.stat()).size !== size) await handle.truncate(size);
    return handle;
  }

  async #write(
    handle: FileHandle,
    { slice, stream, offset }: { readonly slice: Slice; readonly stream: Readable; readonly offset: number },
  ): Promise<void> {
    let position = offset;
    await verifyInto(stream, { mediaType: '', digest: slice.digest, size: slice.size }, async (chunk) => {
      this.#options.signal?.throwIfAborted();
      for (let at = 0; at < chunk.length;) {
        const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, position);
        at += bytesWritten;
        position += bytesWritten;
      }
      givePiece(chunk);
    });
  }

  /** Each slice was right when it came; what is on the disk now is read once more, all of it. */
  async #prove(handle: FileHandle, { digest, size }: CutContent): Promise<void> {
    try {
      const stream = new FileRange(handle, { start: 0, length: size, owned: false });
      await verifyInto(stream, { mediaType: '', digest, size }, givePiece);
    } catch (error) {
      if (!isCode(error, 'OCL_DIGEST_MISMATCH') && !isCode(error, 'OCL_SIZE_MISMATCH')) throw error;
      await rm(this.#file(digest), { force: true });
      await this.#note(digest, () => NOTHING);
      throw new OclError(
        'OCL_DIGEST_MISMATCH',
        `Cannot put together ${digest}: its slices came right, and the whole is not what it should be`,
        { hint: 'import the volumes that have its slices once more', cause: error },
      );
    }
  }

  /** Another process may keep slices of the same content. */
  async #note(digest: Digest, change: (before: Note) => Note): Promise<void> {
    await withLock(join(this.#directory, 'lock'), { ...this.#options, signal: undefined }, async () => {
      const note = change(await this.#readNote(digest));
      await writeFileAtomic(this.#noteFile(digest), toJsonBytes(note));
      this.#notes.set(digest, note);
    });
  }

  async #readNote(digest: Digest): Promise<Note> {
    const path = this.#noteFile(digest);
    try {
      const value = parseJson(await readSmallFile(path, NOTE_BYTES, path), path);
      if (!isObject(value) || !Array.isArray(value['have'])) return NOTHING;
      // A file that somebody removed holds nothing, whatever the note says.
      await lstat(this.#file(digest));
      return { have: value['have'].filter((each) => typeof each === 'number'), whole: value['whole'] === true };
    } catch (error) {
      if (isCode(error, 'OCL_NOT_FOUND') || isCode(error, 'OCL_DOCUMENT_INVALID') || isAbsent(error)) return NOTHING;
      throw error;
    }
  }

  #file(digest: Digest): string {
    return join(this.#directory, stemOf(digest));
  }

  #noteFile(digest: Digest): string {
    return join(this.#directory, `${stemOf(digest)}.json`);
  }
}

/** What is kept must not land elsewhere because somebody planted a link there. */
async function refuseLinks(directory: string): Promise<void> {
  for (const path of [directory, dirname(directory)]) {
    if (!(await lstat(path)).isSymbolicLink()) continue;
    throw new OclError('OCL_UNSAFE', `Cannot keep slices in ${directory}: ${path} is a link, and could lead elsewhere`);
  }
}

function stemOf(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm}-${encoded}`;
}

function offsetOf(slices: readonly Slice[], index: number): number {
  return slices.slice(0, index).reduce((sum, { size }) => sum + size, 0);
}

/** A file that was kept, or a range of it. */
export async function openKept(path: string, start: number, length: number): Promise<Readable> {
  const handle = await open(path, constants.O_RDONLY | NOT_ELSEWHERE);
  return new FileRange(handle, { start, length, owned: true });
}
