import { encodeBundleRecord, type Basis, type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor, type Platform, type StoredBlob } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type FindStandIn } from '../../core/dockerStandIn.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { countImages } from '../../core/names.ts';
import { type NamedRoot, type RootName } from '../../core/store.ts';
import { composeDockerFiles, type DockerFiles } from './dockerFiles.ts';
import { Documents } from './documents.ts';
import { compare, composeEntries, type RootEntry } from './entries.ts';
import { headFiles } from './headFiles.ts';
import { VolumeLayout, type Place } from './volumeLayout.ts';
import { layOutVolumes } from './volumePlan.ts';

/** Where a blob goes. */
export interface Slot {
  readonly descriptor: Descriptor;
  /** Its turn, from 0. */
  readonly turn: number;
  /** All of it in one place, or in each of several volumes; or in slices, one after the other. */
  readonly places: readonly Place[];
}

/** An archive, known to the last byte but for the bodies of its blobs. */
export interface ArchivePlan {
  /** One; as many as it takes where their sizes were given. */
  readonly volumes: readonly VolumeLayout[];
  readonly slots: ReadonlyMap<Digest, Slot>;
  /** What the archive says of itself; of a set what its first volume says. Plain archives say nothing. */
  readonly record: BundleRecord | undefined;
  readonly names: ReadonlySet<string>;
  /** Names under which `docker load` will find nothing. */
  readonly notForDocker: readonly string[];
  /** Roots that have no place in it: a docker archive holds images alone. */
  readonly leftBehind: number;
}

/** What the far side of a delta has, going by its basis. */
export interface DeltaOptions {
  readonly basis: Basis;
  /** Whether a content may be left out. Not asked for manifests and indexes, which always travel. */
  readonly has: (blob: StoredBlob) => boolean;
  /** What else the record says; asked when it is written. */
  readonly more?: (() => Pick<BundleRecord, 'unchanged' | 'names'>) | undefined;
}

export interface PlanOptions {
  /** The verified bytes of a document or config among the nodes. */
  readonly read: (descriptor: Descriptor) => Promise<Uint8Array>;
  readonly dockerPlatform: Platform;
  /** For an artifact that has the archive for itself. */
  readonly standIn?: FindStandIn | undefined;
  readonly delta?: DeltaOptions | undefined;
  /** Bytes of each volume, the last for all after it; undefined: one archive of any size. */
  readonly volumeSizes?: readonly number[] | undefined;
  readonly tool?: BundleRecord['tool'];
}

/**
 * Lays the archive out: the same nodes and names always give the same bytes, in whatever order they are told.
 * @throws OCL_AMBIGUOUS when two contents have one name; OCL_LIMIT; OCL_SIZE_MISMATCH; OCL_USAGE for volumes that are too small; what
 *   `read` throws
 */
export async function planArchive(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: PlanOptions,
): Promise<ArchivePlan> {
  const { dockerPlatform, delta, tool, volumeSizes, standIn } = options;
  const { known, left } = leaveOut(nodesByDigest(nodes), delta);
  const documents = new Documents(known, options.read);
  const roots = await composeEntries(names, documents, dockerPlatform);
  const docker = await composeDockerFiles(roots, documents, { dockerPlatform, standIn });
  const base: BundleRecord =
    delta === undefined
      ? { kind: 'full', tool }
      : { kind: 'delta', basis: delta.basis, requires: left, ...delta.more?.(), tool };
  const { record, volumes } =
    volumeSizes === undefined
      ? layOutOne(known, { roots, docker, base })
      : await layOutVolumes(known, volumeSizes, { roots, documents, base, dockerPlatform });
  return {
    volumes,
    slots: slotsOf(volumes),
    record,
    names: new Set(names.map(({ root, name }) => nameKey(root, name))),
    notForDocker: volumeSizes === undefined ? docker.left : [],
    leftBehind: 0,
  };
}

function layOutOne(
  known: ReadonlyMap<Digest, Descriptor>,
  {
    roots,
    docker,
    base,
  }: { readonly roots: readonly RootEntry[]; readonly docker: DockerFiles; readonly base: BundleRecord },
): { readonly record: BundleRecord | undefined; readonly volumes: readonly VolumeLayout[] } {
  const blobs = [...known.values()];
  const provides = (): readonly StoredBlob[] =>
    blobs.map(({ digest, size }) => ({ digest, size })).toSorted((a, b) => compare(a.digest, b.digest));
  const record = base.kind === 'full' ? undefined : { ...base, provides: provides() };
  const files = headFiles(roots, docker, record === undefined ? undefined : encodeBundleRecord(record));
  const contents = {
    volume: 0,
    images: countImages(roots.map(({ entry }) => entry)),
    files: () => files,
    blobs,
    slices: [],
    sums: record !== undefined,
  };
  return { record, volumes: [new VolumeLayout(contents)] };
}

/** What a promised name is known by. */
export function nameKey(root: Descriptor, name: RootName): string {
  return JSON.stringify([root.digest, name.imageName ?? null, name.tag ?? null]);
}

/** In the order in which they are written: volume by volume, each from front to back. */
export function slotsOf(volumes: readonly VolumeLayout[]): ReadonlyMap<Digest, Slot> {
  const places = new Map<Digest, Place[]>();
  for (const volume of volumes) {
    for (const place of volume.places) {
      const known = places.get(place.descriptor.digest);
      if (known === undefined) places.set(place.descriptor.digest, [place]);
      else known.push(place);
    }
  }
  return new Map(
    [...places].map(([digest, found], turn) => [
      digest,
      { descriptor: (found[0] as Place).descriptor, turn, places: found },
    ]),
  );
}

/** What a delta brings, and what it leaves to the far side, sorted. */
function leaveOut(
  all: ReadonlyMap<Digest, Descriptor>,
  delta: DeltaOptions | undefined,
): { readonly known: ReadonlyMap<Digest, Descriptor>; readonly left: readonly StoredBlob[] } {
  if (delta === undefined) return { known: all, left: [] };
  const known = new Map<Digest, Descriptor>();
  const left: StoredBlob[] = [];
  for (const descriptor of all.values()) {
    const { digest, size } = descriptor;
    if (!isDocumentType(descriptor.mediaType) && delta.has({ digest, size })) left.push({ digest, size });
    else known.set(digest, descriptor);
  }
  return { known, left: left.toSorted((a, b) => compare(a.digest, b.digest)) };
}

function nodesByDigest(nodes: readonly Descriptor[]): ReadonlyMap<Digest, Descriptor> {
  const known = new Map<Digest, Descriptor>();
  for (const node of nodes) {
    const other = known.get(node.digest);
    if (other !== undefined && other.size !== node.size) {
      throw new OclError(
        'OCL_SIZE_MISMATCH',
        `Cannot accept ${node.digest}: it is given with ${other.size} bytes and with ${node.size}`,
      );
    }
    known.set(node.digest, node);
  }
  if (known.size > LIMITS.graphNodes)
    throw new OclError('OCL_LIMIT', `Cannot lay out the archive: it would have more than ${LIMITS.graphNodes} blobs`);
  return known;
}
