import { createHash, type Hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { type Open } from '../../core/store.ts';
import { syncDirectory } from '../../io/atomicFile.ts';
import { requireSpace } from '../../io/space.ts';
import { givePiece, holdPiece } from '../../io/slabPool.ts';
import { verifyInto } from '../../io/verify.ts';
import { PartialFile, removeAbandoned } from './partialFile.ts';
import { type ArchivePlan, type Slot } from './plan.ts';
import { type ArchiveTarget } from './target.ts';
import { type VolumeFiles } from './volumeFiles.ts';
import { type Place, type VolumeLayout } from './volumeLayout.ts';

/** Bytes that are gathered before they are written. */
const PIECE = 1 << 20;
/** Pieces of one blob that may be on their way to the disk while the next are read and hashed. */
const BEHIND = 3;

export interface FileTargetOptions {
  /** Names the volumes after the path; undefined: the path is the one file. */
  readonly volumes?: VolumeFiles | undefined;
  /** Whether the disk is asked for room before anything is written. */
  readonly spaceCheck?: boolean | undefined;
}

/**
 * A file that every blob is written into at its own place, many at a time; or several, where the bundle is cut into volumes. They get
 * their names when all is whole.
 */
export class FileTarget implements ArchiveTarget {
  readonly name: string;
  readonly #path: string;
  readonly #volumes: VolumeFiles | undefined;
  readonly #spaceCheck: boolean;
  readonly #hashes = new Map<Place, string>();
  #plan: ArchivePlan | undefined;
  #files: readonly PartialFile[] = [];

  constructor(path: string, { volumes, spaceCheck = true }: FileTargetOptions = {}) {
    this.name = path;
    this.#path = path;
    this.#volumes = volumes;
    this.#spaceCheck = spaceCheck;
  }

  get paths(): readonly string[] {
    return this.#files.map(({ path }) => path);
  }

  async start(plan: ArchivePlan): Promise<void> {
    this.#plan = plan;
    const paths = (await this.#volumes?.begin(plan)) ?? [this.#path];
    const existing = this.#volumes === undefined ? await stat(this.#path).catch(() => undefined) : undefined;
    if (existing?.isDirectory())
      throw new OclError('OCL_EXISTS', `Cannot write the archive ${this.#path}: it is a directory`, {
        hint: `for a layout directory use ocidir://${this.#path}`,
      });
    const isOurs = (name: string): boolean => this.#volumes?.isVolume(name) ?? name === basename(this.#path);
    await removeAbandoned(dirname(this.#path), isOurs);
    if (this.#spaceCheck)
      await requireSpace(plan.volumes.map(({ size }, i) => ({ path: paths[i] ?? this.#path, bytes: size })));
    const files: PartialFile[] = [];
    this.#files = files;
    for (const [i, { size }] of plan.volumes.entries())
      files.push(await PartialFile.create(paths[i] ?? this.#path, size));
  }

  async put(slot: Slot, open: Open): Promise<void> {
    const writers = this.#writers(slot);
    let position = 0;
    try {
      await verifyInto(await open(), slot.descriptor, async (chunk) => {
        const start = position;
        position += chunk.length;
        await scatter(writers, chunk, start);
      });
      for (const writer of writers) await writer.end();
    } finally {
      // A further try must not meet writes of this one.
      for (const writer of writers) await writer.settle();
    }
    for (const { place, hash } of writers) if (hash !== undefined) this.#hashes.set(place, hash.digest('hex'));
  }

  async finish(): Promise<void> {
    for (const [i, volume] of (this.#plan?.volumes ?? []).entries()) {
      const file = this.#fileAt(i);
      await file.write([volume.head(this.#hashes)], 0);
      for (const { place, bytes } of volume.lateHeaders(this.#hashes)) await file.write([bytes], place.offset);
      const tail = volume.tail(this.#hashes);
      if (tail !== undefined) await file.write([tail.bytes], tail.offset);
    }
    // All are on the disk before the first has a name: from here on little can go wrong.
    await Promise.all(this.#files.map(async (file) => await file.sync()));
    for (const file of this.#files) await file.reveal();
    await syncDirectory(dirname(this.#path));
    await this.#volumes?.finish();
  }

  async abandon(): Promise<void> {
    for (const file of this.#files) await file.discard();
  }

  #writers({ places }: Slot): readonly PlaceWriter[] {
    const volumeOf = (place: Place): VolumeLayout => this.#plan?.volumes[place.volume] as VolumeLayout;
    // What lies in several volumes has the same header in each.
    const whole = places.find(({ isSlice }) => !isSlice);
    const header = whole === undefined ? undefined : volumeOf(whole).header(whole);
    return places.map((place) => {
      const volume = volumeOf(place);
      const own = place.isSlice ? undefined : header;
      return new PlaceWriter(this.#fileAt(place.volume), place, { header: own, volume });
    });
  }

  #fileAt(volume: number): PartialFile {
    const file = this.#files[volume];
    if (file === undefined) throw new OclError('OCL_INTERNAL', `Cannot write ${this.#path}: it was not begun`);
    return file;
  }
}

/** Gives each writer what of a piece is its own. */
async function scatter(writers: readonly PlaceWriter[], chunk: Uint8Array, start: number): Promise<void> {
  const shares = writers.flatMap((writer) => {
    const from = Math.max(writer.place.start, start);
    const to = Math.min(writer.place.start + writer.place.length, start + chunk.length);
    return from < to ? [{ writer, bytes: chunk.subarray(from - start, to - start) }] : [];
  });
  // Who is the last to write gives the memory back.
  for (let i = 1; i < shares.length; i++) holdPiece(chunk);
  for (const { writer, bytes } of shares) await writer.write(bytes);
}

/** The bytes of one place on their way into the file. */
class PlaceWriter {
  readonly place: Place;
  readonly hash: Hash | undefined;
  readonly #file: PartialFile;
  readonly #writes = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #gathered: Uint8Array[] = [];
  #bytes = 0;
  #position: number;

  constructor(
    file: PartialFile,
    place: Place,
    { header, volume }: { readonly header: Uint8Array | undefined; readonly volume: VolumeLayout },
  ) {
    this.place = place;
    this.hash = volume.isHashed(place) ? createHash('sha256') : undefined;
    this.#file = file;
    this.#position = place.offset + (header === undefined ? volume.headerLength(place) : 0);
    if (header !== undefined) {
      this.#gathered.push(header);
      this.#bytes = header.length;
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.hash?.update(chunk);
    this.#gathered.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= PIECE) await this.#flush();
  }

  /** Writes what is left; afterwards all is written. */
  async end(): Promise<void> {
    if (this.#bytes > 0) await this.#flush();
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for all writes that were begun, whether they work or not. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
  }

  async #flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const parts = this.#gathered;
    const write = this.#file
      .write(parts, this.#position)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#writes.delete(write);
        for (const part of parts) givePiece(part);
      });
    this.#writes.add(write);
    this.#position += this.#bytes;
    this.#gathered = [];
    this.#bytes = 0;
    if (this.#writes.size >= BEHIND) await Promise.race(this.#writes);
  }
}
