import { type BundleRecord } from '../../core/bundleRecord.ts';
import { OclError } from '../../core/errors.ts';
import { type Tarball } from '../../io/tarball.ts';
import { readIndexEntries } from './ociFiles.ts';
import { setIdOf } from './setId.ts';
import { type OpenVolume, type SetRecord } from './volumeSet.ts';

/** One volume, whose record was held against itself. @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
export async function openVolume(tarball: Tarball, path: string, record: BundleRecord): Promise<OpenVolume> {
  const { set, roots, placement } = record;
  if (set === undefined || roots === undefined || placement === undefined)
    throw invalid(path, 'it is a volume, and does not say of what');
  await readIndexEntries(tarball, path);
  const { everywhere, blobs, cut } = placement;
  const places = [...blobs, ...cut.flatMap(({ slices }) => slices)];
  if (set.volume > set.volumes || places.some(({ volume }) => volume > set.volumes))
    throw invalid(path, `it speaks of more than the ${set.volumes} volumes of its set`);
  if (cut.some(({ size, slices }) => slices.reduce((sum, slice) => sum + slice.size, 0) !== size))
    throw invalid(path, 'its slices are not as long as what they were cut from');
  const digests = [...everywhere, ...blobs, ...cut].map(({ digest }) => digest);
  if (new Set(digests).size < digests.length) throw invalid(path, 'it places a content twice');
  const known: SetRecord = { ...record, set, roots, placement };
  if (setIdOf(known) !== set.id) throw invalid(path, 'its record is not the one that its set was named after');
  return { path, tarball, record: known };
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
  return a === b || said(a) === said(b);
}

function short(id: string): string {
  return id.slice(0, 'sha256:'.length + 12);
}

function invalid(path: string, why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot open the volume ${path}: ${why}`);
}
