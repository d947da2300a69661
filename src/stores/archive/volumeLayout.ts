import { type Descriptor } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { TAR_END, tarFile, tarFileHeader, tarFileHeaderLength, tarPadding } from '../../io/tarball.ts';
import { blobPath } from '../../io/verify.ts';
import { compare } from './entries.ts';
import { hexOf, lineLength, sha256Hex, sumsEntry, sumsSize } from './sums.ts';

/** Where some bytes of a content lie: all of them, or a slice. */
export interface Place {
  readonly descriptor: Descriptor;
  /** From 0. */
  readonly volume: number;
  /** Bytes from the start of the volume to the header. */
  readonly offset: number;
  /** Bytes of the content before it. */
  readonly start: number;
  readonly length: number;
  readonly isSlice: boolean;
}

/** sha256 in hex of what lies at the places that `isHashed`: known when it has flowed. */
export type Hashes = ReadonlyMap<Place, string>;
export const NO_HASHES: Hashes = new Map();

type Files = readonly (readonly [name: string, bytes: Uint8Array])[];

export interface VolumeContents {
  readonly volume: number;
  /** Images that are complete in it. */
  readonly images: number;
  /** What stands before the contents. It has the same length whatever the hashes are. */
  readonly files: (hashes: Hashes) => Files;
  readonly blobs: readonly Descriptor[];
  readonly slices: readonly { readonly descriptor: Descriptor; readonly start: number; readonly length: number }[];
  /** Whether the sums of all entries stand at the end. */
  readonly sums: boolean;
  /** Other names than those of a layout, and a file at the end: the form that docker had before layouts. */
  readonly docker?: { readonly pathOf: (blob: Descriptor) => string; readonly last: Files[number] } | undefined;
}

const DOCUMENT_MODE = 0o644;
const BLOB_MODE = 0o444;
/** The length of the name of every slice. */
export const SLICE_NAME = `blobs/sha256/${'0'.repeat(64)}`;

/** One file of a bundle, known to the last byte but for the bodies of its contents, and what depends on them. */
export class VolumeLayout {
  /** In the order in which they lie in the file. */
  readonly places: readonly Place[];
  /** Bytes of the whole file. */
  readonly size: number;
  readonly #contents: VolumeContents;
  /** Bytes before the sums. */
  readonly #end: number;

  constructor(contents: VolumeContents) {
    const { volume } = contents;
    this.#contents = contents;
    const files = contents.files(NO_HASHES);
    let offset = files.reduce((sum, [name, bytes]) => sum + fileSize(name, bytes.length), 0);
    const places: Place[] = [];
    const add = (descriptor: Descriptor, start: number, length: number, isSlice: boolean): void => {
      places.push({ descriptor, volume, offset, start, length, isSlice });
      offset += fileSize(isSlice ? SLICE_NAME : this.#pathOf(descriptor), length);
    };
    const blobs = contents.blobs.toSorted((a, b) => compare(this.#pathOf(a), this.#pathOf(b)));
    for (const descriptor of blobs) add(descriptor, 0, descriptor.size, false);
    for (const { descriptor, start, length } of contents.slices) add(descriptor, start, length, true);
    this.places = places;
    this.#end = offset;
    const names = [...files.map(([name]) => name), ...places.map((place) => this.#nameOf(place) ?? SLICE_NAME)];
    const last = contents.docker?.last;
    const lastSize = last === undefined ? 0 : fileSize(last[0], last[1].length);
    this.size = offset + (contents.sums ? sumsSize(names) : lastSize) + TAR_END.length;
    if (!Number.isSafeInteger(this.size))
      throw new OclError('OCL_LIMIT', 'Cannot lay out the archive: its contents are larger than any disk');
  }

  /** Images that are complete in it. */
  get images(): number {
    return this.#contents.images;
  }

  /** Whether the sha256 of what lies there has to be told. */
  isHashed(place: Place): boolean {
    return place.isSlice || (this.#contents.sums && hexOf(place.descriptor.digest) === undefined);
  }

  /** Everything before the first content. */
  head(hashes: Hashes): Uint8Array {
    return Buffer.concat(this.#contents.files(hashes).map(([name, bytes]) => tarFile(name, bytes)));
  }

  /** The header of a content whose name is known before it has flowed. */
  header(place: Place): Uint8Array | undefined {
    const name = this.#nameOf(place);
    return name === undefined ? undefined : tarFileHeader(name, place.length, this.#blobMode);
  }

  /** Bytes of the header of a place. */
  headerLength(place: Place): number {
    return tarFileHeaderLength(this.#nameOf(place) ?? SLICE_NAME, place.length);
  }

  /** The headers of the others. */
  *lateHeaders(hashes: Hashes): Generator<{ readonly place: Place; readonly bytes: Uint8Array }> {
    for (const [place, name] of this.#names(hashes))
      if (place.isSlice) yield { place, bytes: tarFileHeader(name, place.length, BLOB_MODE) };
  }

  /** What stands after the last content: the sums, or what docker looks for. */
  tail(hashes: Hashes): { readonly offset: number; readonly bytes: Uint8Array } | undefined {
    const last = this.#contents.docker?.last;
    if (last !== undefined) return { offset: this.#end, bytes: tarFile(...last) };
    if (!this.#contents.sums) return undefined;
    const lines: (readonly [string, string])[] = this.#contents
      .files(hashes)
      .map(([name, bytes]) => [name, sha256Hex(bytes)]);
    for (const [place, name] of this.#names(hashes)) lines.push([name, sha256Of(place, hashes)]);
    return { offset: this.#end, bytes: sumsEntry(lines) };
  }

  get #blobMode(): number {
    return this.#contents.docker === undefined ? BLOB_MODE : DOCUMENT_MODE;
  }

  /** Undefined for a slice, whose digest is known when it has flowed. */
  #nameOf({ descriptor, isSlice }: Place): string | undefined {
    return isSlice ? undefined : this.#pathOf(descriptor);
  }

  #pathOf(descriptor: Descriptor): string {
    return this.#contents.docker?.pathOf(descriptor) ?? blobPath(descriptor.digest);
  }

  /** A slice is named by its own bytes. Where two in one file are equal, the further ones have names that nobody looks for. */
  #names(hashes: Hashes): ReadonlyMap<Place, string> {
    const names = new Map<Place, string>();
    const taken = new Set<string>();
    for (const place of this.places) {
      const name = this.#nameOf(place) ?? freeName(sha256Of(place, hashes), taken);
      taken.add(name);
      names.set(place, name);
    }
    return names;
  }
}

function freeName(hex: string, taken: ReadonlySet<string>): string {
  let name = `blobs/sha256/${hex}`;
  for (let again = 1; taken.has(name); again++) name = `ocl/again-${String(again).padStart(2, '0')}/${hex}`;
  if (name.length === SLICE_NAME.length) return name;
  throw new OclError('OCL_LIMIT', 'Cannot write the volume: it would hold more than 99 equal slices');
}

function sha256Of(place: Place, hashes: Hashes): string {
  const hex = place.isSlice ? hashes.get(place) : (hexOf(place.descriptor.digest) ?? hashes.get(place));
  if (hex !== undefined) return hex;
  throw new OclError('OCL_INTERNAL', `Cannot sum up the archive: ${place.descriptor.digest} was not hashed`);
}

/** Bytes of an entry, with header and filling. */
export function fileSize(name: string, length: number): number {
  return tarFileHeaderLength(name, length) + length + tarPadding(length);
}

/** Bytes that a content takes of a volume: its entry, and its line in the sums. */
export function costOf(name: string, length: number): number {
  return fileSize(name, length) + lineLength(name);
}
