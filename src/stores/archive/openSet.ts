import { RECORD_ENTRY, type BundleRecord } from '../../core/bundleRecord.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Tarball } from '../../io/tarball.ts';
import { readIndexEntries } from './ociFiles.ts';
import { readRecord } from './readRecord.ts';
import { setIdOf } from './setId.ts';
import { type OpenVolume, type SetRecord } from './openVolume.ts';

/** How every record of a set begins, as it is written here. */
const HEAD = /^\{"bundleVersion":1,"kind":"(?:full|delta)","set":\{"id":"sha256:[0-9a-f]{64}","volume":(\d{1,4}),/;

/** Opens volumes one after the other. Records of one set are equal but for their number, and may be large: each is read once. */
export class VolumeOpener {
  #known: { readonly text: string; readonly record: SetRecord } | undefined;

  /**
   * One volume, whose record was held against itself.
   * @throws OCL_USAGE for an archive that is none; OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT
   */
  async open(tarball: Tarball, path: string): Promise<OpenVolume> {
    const text = await recordText(tarball, path);
    const volume = text === undefined ? undefined : HEAD.exec(text)?.[1];
    const known = this.#known;
    if (text === undefined || known === undefined || volume === undefined || withoutNumber(text) !== known.text) {
      const record = checked(await readRecord(tarball, path), path);
      await readIndexEntries(tarball, path);
      if (text !== undefined) this.#known = { text: withoutNumber(text), record };
      return { path, tarball, record };
    }
    await readIndexEntries(tarball, path);
    const set = { ...known.record.set, volume: Number(volume) };
    if (set.volume < 1 || set.volume > set.volumes) throw beyond(path, set.volumes);
    return { path, tarball, record: { ...known.record, set } };
  }

  /** Which volume of which set an archive is; undefined for one that is none. @throws as `open` */
  async numberOf(tarball: Tarball, path: string): Promise<VolumeNumber | undefined> {
    const text = await recordText(tarball, path);
    if (text === undefined) return undefined;
    if (!HEAD.test(text) && (await readRecord(tarball, path))?.set === undefined) return undefined;
    return (await this.open(tarball, path)).record.set;
  }
}

/** Which volume of which set a file is. */
export interface VolumeNumber {
  readonly id: Digest;
  /** From 1. */
  readonly volume: number;
}

async function recordText(tarball: Tarball, path: string): Promise<string | undefined> {
  const entry = tarball.find(RECORD_ENTRY);
  if (entry === undefined) return undefined;
  return Buffer.from(await tarball.bytes(entry, LIMITS.indexBytes, `${RECORD_ENTRY} in ${path}`)).toString();
}

function withoutNumber(text: string): string {
  return text.replace(HEAD, (head, volume: string) => `${head.slice(0, -volume.length - 1)},`);
}

function checked(record: BundleRecord | undefined, path: string): SetRecord {
  if (record?.set === undefined)
    throw new OclError('OCL_USAGE', `Cannot open ${path} together with others: it is no volume of a set`, {
      hint: 'name it alone',
    });
  const { set, roots, placement } = record;
  if (roots === undefined || placement === undefined) throw invalid(path, 'it is a volume, and does not say of what');
  const { everywhere, blobs, cut } = placement;
  const places = [...blobs, ...cut.flatMap(({ slices }) => slices)];
  if (set.volume > set.volumes || places.some(({ volume }) => volume > set.volumes)) throw beyond(path, set.volumes);
  if (cut.some(({ size, slices }) => slices.reduce((sum, slice) => sum + slice.size, 0) !== size))
    throw invalid(path, 'its slices are not as long as what they were cut from');
  const digests = [...everywhere, ...blobs, ...cut].map(({ digest }) => digest);
  if (new Set(digests).size < digests.length) throw invalid(path, 'it places a content twice');
  const known: SetRecord = { ...record, set, roots, placement };
  if (setIdOf(known) !== set.id) throw invalid(path, 'its record is not the one that its set was named after');
  return known;
}

/**
 * The volumes of one set, each once.
 * @throws OCL_ARCHIVE_INVALID when one is of another set, or when two say that they are the same volume and differ
 */
export function distinctVolumes(volumes: readonly OpenVolume[]): readonly OpenVolume[] {
  const [first] = volumes;
  const byNumber = new Map<number, OpenVolume>();
  for (const volume of volumes) {
    const { set } = volume.record;
    if (first !== undefined && set.id !== first.record.set.id)
      throw new OclError(
        'OCL_ARCHIVE_INVALID',
        `Cannot open ${volume.path} together with ${first.path}: they are volumes of different sets, ${short(set.id)} and ${short(first.record.set.id)}`,
        { hint: 'name the volumes of one set' },
      );
    const other = byNumber.get(set.volume);
    if (other !== undefined && !isSame(volume.tarball, other.tarball))
      throw new OclError(
        'OCL_ARCHIVE_INVALID',
        `Cannot open ${volume.path} together with ${other.path}: both say that they are volume ${set.volume}, and they differ`,
        { hint: `ocl verify tells which is damaged: ocl verify ${volume.path}` },
      );
    if (first !== undefined && !agree(volume, first))
      throw new OclError(
        'OCL_ARCHIVE_INVALID',
        `Cannot open ${volume.path} together with ${first.path}: they disagree about what is in the set`,
        { hint: 'one of them is not what was written: ocl verify each of them' },
      );
    if (other === undefined) byNumber.set(set.volume, volume);
  }
  return [...byNumber.values()];
}

/** Whether two files have the same entries in the same places. Contents are verified when they are read. */
function isSame(a: Tarball, b: Tarball): boolean {
  const names = [...a.names()];
  if (names.length !== [...b.names()].length) return false;
  return names.every((name) => {
    const [x, y] = [a.find(name), b.find(name)];
    return x?.offset === y?.offset && x?.size === y?.size;
  });
}

/** The set's id does not cover the digests of slices, nor what a delta says of names. The writer may have been another version. */
function agree(a: OpenVolume, b: OpenVolume): boolean {
  const said = ({ record }: OpenVolume): string => JSON.stringify({ ...record, set: undefined, tool: undefined });
  return a.record.placement === b.record.placement || said(a) === said(b);
}

function short(id: string): string {
  return id.slice(0, 'sha256:'.length + 12);
}

function beyond(path: string, volumes: number): OclError {
  return invalid(path, `it speaks of more than the ${volumes} volumes of its set`);
}

function invalid(path: string, why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot open the volume ${path}: ${why}`);
}
