import { Readable } from 'node:stream';
import { type Slice } from '../../core/bundleRecord.ts';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { children } from '../../core/graph.ts';
import { parseManifest } from '../../core/manifest.ts';
import { documentLimit, isDocumentType } from '../../core/mediaTypes.ts';
import { findEntry, listNames } from '../../core/names.ts';
import { type ByteRange, type Fault, type GivenVolumes, type Place } from '../../core/store.ts';
import { type TarEntry } from '../../io/tarScan.ts';
import { blobPath, createHasher, readVerified } from '../../io/verify.ts';
import { copyFaults, fileFaults, indexFaults, placedIn } from './faults.ts';
import { damagedSlice, KeptParts, openKept, type GivenSlice } from './keptParts.ts';
import { blobDigest, describeDocument, readIndexEntries } from './ociFiles.ts';
import { type OpenVolume, type SetRecord } from './openVolume.ts';
import { type Contents } from './source.ts';

/** Where a slice lies. */
interface Piece {
  readonly slice: Slice;
  readonly volume: OpenVolume;
  readonly entry: TarEntry;
}

/** Some or all volumes of one set, read as one layout: contents that were cut are whole again. */
export class VolumeSet implements Contents {
  readonly record: SetRecord;
  readonly volumes: GivenVolumes;
  /** By number, ascending. */
  readonly #volumes: ReadonlyMap<number, OpenVolume>;
  readonly #everywhere: ReadonlySet<Digest>;
  readonly #placed: ReadonlyMap<Digest, number>;
  readonly #cut: ReadonlyMap<Digest, readonly Slice[]>;
  #roots: Promise<readonly Descriptor[]> | undefined;
  #kept: KeptParts | undefined;
  #joinedSlices: ReadonlySet<Digest> | undefined;

  /** @param volumes one or more of one set, each once */
  constructor(volumes: readonly OpenVolume[]) {
    const { record } = volumes[0] as OpenVolume;
    const { everywhere, blobs, cut } = record.placement;
    this.record = record;
    this.#volumes = new Map(
      volumes
        .toSorted((a, b) => a.record.set.volume - b.record.set.volume)
        .map((volume) => [volume.record.set.volume, volume]),
    );
    this.#everywhere = new Set(everywhere.map(({ digest }) => digest));
    this.#placed = new Map(blobs.map(({ digest, volume }) => [digest, volume]));
    this.#cut = new Map(cut.map(({ digest, slices }) => [digest, slices]));
    const numbers = Array.from({ length: record.set.volumes }, (_, i) => i + 1);
    this.volumes = {
      id: record.set.id,
      count: record.set.volumes,
      absent: numbers.filter((number) => !this.#volumes.has(number)),
      roots: record.roots,
      lacking: (digest) => this.#lacking(digest),
      has: (digest) => this.#sizeOf(digest) !== undefined,
      keepable: (digest) => {
        const slices = this.#cut.get(digest) ?? [];
        return sumOf(
          slices.filter(({ volume }, i) => this.#volumes.has(volume) && this.#kept?.has(digest, i) !== true),
        );
      },
      keepIn: async (directory, options) => {
        this.#kept = await KeptParts.open(directory, cut, options);
      },
      keep: async (digest) => await this.#keep(digest),
      forget: async () => await this.#kept?.forget(),
    };
  }

  /** Those that are complete with the volumes that are given. */
  async roots(): Promise<readonly Descriptor[]> {
    this.#roots ??= this.#completeRoots();
    return await this.#roots;
  }

  async names(): Promise<readonly string[]> {
    return listNames(await this.roots());
  }

  async resolve(wanted: string): Promise<Descriptor> {
    const roots = await this.roots();
    if (isDigest(wanted) && !roots.some(({ digest }) => digest === wanted)) {
      const document = await describeDocument(this, wanted, `the set ${this.volumes.id}`);
      if (document !== undefined) return document;
    }
    try {
      return findEntry(roots, wanted);
    } catch (error) {
      if (!isCode(error, 'OCL_NOT_FOUND') || this.volumes.absent.length === 0) throw error;
      const entry = findEntry(this.record.roots, wanted);
      const needed = this.#absentAmong(await this.#neededFor(entry));
      throw new OclError('OCL_INCOMPLETE', `Cannot read ${entry.digest}: parts of it are in ${listVolumes(needed)}`, {
        hint: 'name those volumes as well',
        cause: error,
      });
    }
  }

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#sizeOf(digest));
  }

  /** In the order of the files, so that discs are read from front to back. Slices count where the whole is not there. */
  async *blobs(): AsyncGenerator<StoredBlob> {
    const told = new Set<Digest>();
    for (const [, { tarball }] of this.#volumes) {
      for (const name of tarball.names()) {
        const digest = blobDigest(name);
        const entry = digest === undefined ? undefined : tarball.find(name);
        if (digest === undefined || entry === undefined || told.has(digest)) continue;
        told.add(digest);
        if (!this.#isSliceOfWhole(digest)) yield { digest, size: entry.size };
      }
    }
    for (const [digest, slices] of this.#cut)
      if (!told.has(digest) && this.#pieces(digest) !== undefined) yield { digest, size: sumOf(slices) };
  }

  async stream(digest: Digest, range: ByteRange | undefined): Promise<Readable | undefined> {
    const pieces = this.#cut.has(digest) ? this.#pieces(digest) : undefined;
    if (pieces !== undefined) return joined(digest, pieces, range);
    const found = this.#find(digest);
    if (found !== undefined) return found.volume.tarball.stream(found.entry, range);
    const path = this.#kept?.wholeFile(digest);
    const size = this.#sizeOf(digest);
    if (path === undefined || size === undefined) return undefined;
    const start = Math.min(range?.start ?? 0, size);
    const end = Math.min(range?.end ?? size - 1, size - 1);
    return await openKept(path, start, Math.max(0, end + 1 - start));
  }

  place(digest: Digest): Place {
    const path = this.#pieces(digest) === undefined ? this.#kept?.wholeFile(digest) : undefined;
    return path === undefined ? { kind: 'elsewhere' } : { kind: 'file', path };
  }

  async *faults(): AsyncGenerator<Fault> {
    const told = new Set<Digest>();
    const needed = await this.#neededForAll();
    for (const volume of this.#volumes.values()) {
      const { path, tarball } = volume;
      const blobs = [...tarball.names()].flatMap((name) => blobDigest(name) ?? []);
      yield* copyFaults(
        volume,
        blobs.filter((digest) => told.has(digest)),
      );
      for (const digest of blobs) told.add(digest);
      yield* fileFaults(volume, placedIn(volume));
      const { set, roots } = volume.record;
      const complete = roots.filter(({ digest }) =>
        [...(needed.get(digest) ?? [])].every((each) => each === set.volume),
      );
      yield* indexFaults(path, await readIndexEntries(tarball, path), complete);
    }
  }

  #sizeOf(digest: Digest): number | undefined {
    const cut = this.#cut.get(digest);
    if (cut === undefined) return this.#find(digest)?.entry.size;
    const isHere = this.#pieces(digest) !== undefined || this.#kept?.wholeFile(digest) !== undefined;
    return isHere ? sumOf(cut) : undefined;
  }

  async #completeRoots(): Promise<readonly Descriptor[]> {
    if (this.volumes.absent.length === 0) return this.record.roots;
    const complete: Descriptor[] = [];
    for (const root of this.record.roots)
      if (this.#absentAmong(await this.#neededFor(root)).length === 0) complete.push(root);
    return complete;
  }

  /** By the digest of a root. */
  async #neededForAll(): Promise<ReadonlyMap<Digest, ReadonlySet<number>>> {
    const needed = new Map<Digest, ReadonlySet<number>>();
    for (const root of this.record.roots)
      if (!needed.has(root.digest)) needed.set(root.digest, await this.#neededFor(root));
    return needed;
  }

  #absentAmong(volumes: ReadonlySet<number>): readonly number[] {
    return [...volumes].filter((volume) => !this.#volumes.has(volume)).toSorted((a, b) => a - b);
  }

  /** Numbers of the volumes without which an image is not complete, as far as its documents are here. */
  async #neededFor(root: Descriptor): Promise<ReadonlySet<number>> {
    const needed = new Set<number>();
    const seen = new Set<Digest>();
    const waiting = [root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next.digest)) continue;
      seen.add(next.digest);
      for (const volume of this.#volumesOf(next.digest) ?? []) needed.add(volume);
      // One by one: a document may have more children than a call takes arguments.
      for (const child of await this.#childrenOf(next)) waiting.push(child);
    }
    return needed;
  }

  async #childrenOf(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    if (!isDocumentType(descriptor.mediaType)) return [];
    const stream = await this.stream(descriptor.digest, undefined);
    if (stream === undefined) return [];
    try {
      const bytes = await readVerified(stream, descriptor, documentLimit(descriptor.mediaType));
      const document = parseManifest(bytes, descriptor.mediaType, descriptor.digest);
      return children(document).map((child) => child.descriptor);
    } catch (error) {
      // A broken one is listed, so that who reads or checks it is told.
      if (error instanceof OclError) return [];
      throw error;
    }
  }

  #lacking(digest: Digest): readonly number[] | undefined {
    const volumes = this.#volumesOf(digest);
    return volumes?.filter((volume) => !this.#volumes.has(volume));
  }

  /** The volumes in which a content lies, each of which is needed; undefined for what the set does not bring. */
  #volumesOf(digest: Digest): readonly number[] | undefined {
    if (this.#everywhere.has(digest)) return [];
    const slices = this.#cut.get(digest);
    if (slices !== undefined) {
      const needed = slices.filter((_, index) => this.#kept?.has(digest, index) !== true);
      return [...new Set(needed.map(({ volume }) => volume))];
    }
    const volume = this.#placed.get(digest);
    return volume === undefined ? undefined : [volume];
  }

  #find(digest: Digest): { readonly volume: OpenVolume; readonly entry: TarEntry } | undefined {
    const path = blobPath(digest);
    for (const volume of this.#volumes.values()) {
      const entry = volume.tarball.find(path);
      if (entry !== undefined) return { volume, entry };
    }
    return undefined;
  }

  async #keep(digest: Digest): Promise<boolean> {
    const slices = this.#cut.get(digest);
    if (slices === undefined || this.#kept === undefined || this.#pieces(digest) !== undefined) return false;
    const given = new Map<number, GivenSlice>();
    for (const [index, slice] of slices.entries()) {
      const volume = this.#volumes.get(slice.volume);
      const entry = volume?.tarball.find(blobPath(slice.digest));
      if (volume !== undefined && entry !== undefined)
        given.set(index, {
          open: () => volume.tarball.stream(entry),
          where: `volume ${slice.volume} (${volume.path})`,
        });
    }
    return await this.#kept.keep({ digest, size: sumOf(slices), slices }, given);
  }

  /** The slices of a content, when all are here. */
  #pieces(digest: Digest): readonly Piece[] | undefined {
    const pieces: Piece[] = [];
    for (const slice of this.#cut.get(digest) ?? []) {
      const volume = this.#volumes.get(slice.volume);
      const entry = volume?.tarball.find(blobPath(slice.digest));
      if (volume === undefined || entry === undefined) return undefined;
      pieces.push({ slice, volume, entry });
    }
    return pieces;
  }

  /** Slices are no contents of their own where the whole is here. */
  #isSliceOfWhole(digest: Digest): boolean {
    this.#joinedSlices ??= new Set(
      [...this.#cut].flatMap(([whole, slices]) =>
        this.#pieces(whole) === undefined ? [] : slices.map((slice) => slice.digest),
      ),
    );
    return this.#joinedSlices.has(digest) && this.#volumesOf(digest) === undefined;
  }
}

/** `volume 3`, `volumes 1, 4`, for messages. */
function listVolumes(volumes: readonly number[]): string {
  return `${volumes.length === 1 ? 'volume' : 'volumes'} ${volumes.join(', ')}`;
}

/** One slice after the other. Those that are read whole are verified, so that the volume is known which is damaged. */
function joined(digest: Digest, pieces: readonly Piece[], range: ByteRange = { start: 0 }): Readable {
  async function* read(): AsyncGenerator<Uint8Array> {
    let position = 0;
    for (const { slice, volume, entry } of pieces) {
      const start = Math.max(0, range.start - position);
      const end = Math.min(slice.size, (range.end ?? Number.MAX_SAFE_INTEGER) + 1 - position);
      position += slice.size;
      if (start >= end) continue;
      const algorithm = start === 0 && end === slice.size ? verifiableAlgorithm(slice.digest) : undefined;
      const stream = volume.tarball.stream(entry, { start, end: end - 1 });
      try {
        // Here, while the whole is hashed in a thread of its own.
        const hasher = algorithm === undefined ? undefined : createHasher(algorithm);
        for await (const chunk of stream as AsyncIterable<Uint8Array>) {
          hasher?.update(chunk);
          yield chunk;
        }
        if (hasher !== undefined && hasher.digest() !== slice.digest)
          throw damagedSlice(digest, `volume ${slice.volume} (${volume.path})`);
      } finally {
        stream.destroy();
      }
    }
  }
  return Readable.from(read(), { objectMode: true, highWaterMark: 1 });
}

function sumOf(slices: readonly Slice[]): number {
  return slices.reduce((sum, { size }) => sum + size, 0);
}
