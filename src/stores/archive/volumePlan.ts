import { encodeBundleRecord, type BundleRecord, type Placement } from '../../core/bundleRecord.ts';
import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { children } from '../../core/graph.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { countImages } from '../../core/names.ts';
import { TAR_END } from '../../io/tarball.ts';
import { TAR_BLOCK } from '../../io/tarHeader.ts';
import { blobPath } from '../../io/verify.ts';
import { composeDockerFiles } from './dockerFiles.ts';
import { type Documents } from './documents.ts';
import { compare, type RootEntry } from './entries.ts';
import { headFiles } from './headFiles.ts';
import { pack, type Packed, type Parcel } from './packing.ts';
import { setIdOf } from './setId.ts';
import { sumsSize } from './sums.ts';
import { costOf, fileSize, NO_HASHES, VolumeLayout, type Hashes } from './volumeLayout.ts';

export interface VolumesOptions {
  readonly roots: readonly RootEntry[];
  readonly documents: Documents;
  /** What the record says besides. */
  readonly base: BundleRecord;
  readonly dockerPlatform: Platform;
}

export interface LaidOut {
  /** As the first volume has it. */
  readonly record: BundleRecord;
  readonly volumes: readonly VolumeLayout[];
}

/** Bytes that a volume must have for contents. */
const LEAST_ROOM = 4 * TAR_BLOCK;
const TRIES = 40;
/** From this try on more is reserved than was missing. */
const PATIENT_TRIES = 5;

/**
 * Packs contents into volumes and lays each of them out. What stands at the head of a volume depends on what is packed into it, so
 * room is reserved for it, and more when it was too little: no volume is ever a byte too large.
 * @param sizes bytes of each volume, the last for all after it
 * @throws OCL_USAGE when the volumes are too small for what has to stand in each; OCL_LIMIT
 */
export async function layOutVolumes(
  known: ReadonlyMap<Digest, Descriptor>,
  sizes: readonly number[],
  options: VolumesOptions,
): Promise<LaidOut> {
  const planner = await VolumePlanner.begin(known, sizes, options);
  let reserve = planner.least;
  for (let tries = 1; tries <= TRIES; tries++) {
    const laid = await planner.layOut(reserve);
    const over = Math.max(...laid.volumes.map(({ size }, i) => size - sizeAt(sizes, i)));
    if (over <= 0) return laid;
    reserve += Math.ceil(over / TAR_BLOCK) * TAR_BLOCK * Math.max(1, tries - PATIENT_TRIES);
  }
  throw new OclError('OCL_LIMIT', 'Cannot pack this into volumes: what describes them takes too much of each', {
    hint: 'name a larger --volume-size',
  });
}

function sizeAt(sizes: readonly number[], volume: number): number {
  return sizes[Math.min(volume, sizes.length - 1)] ?? 0;
}

interface Reached {
  readonly root: RootEntry;
  readonly contents: readonly Digest[];
}

class VolumePlanner {
  readonly #known: ReadonlyMap<Digest, Descriptor>;
  readonly #sizes: readonly number[];
  readonly #options: VolumesOptions;
  readonly #reached: readonly Reached[];
  /** Manifests and indexes: with them each volume knows where everything belongs, so volumes can come in any order. */
  readonly #everywhere: readonly Descriptor[];
  /** What is packed, sorted by digest. */
  readonly #parcels: readonly Parcel[];

  private constructor(
    known: ReadonlyMap<Digest, Descriptor>,
    sizes: readonly number[],
    { options, reached }: { readonly options: VolumesOptions; readonly reached: readonly Reached[] },
  ) {
    this.#known = known;
    this.#sizes = sizes;
    this.#options = options;
    this.#reached = reached;
    const nodes = [...known.values()].toSorted((a, b) => compare(a.digest, b.digest));
    this.#everywhere = nodes.filter(({ mediaType }) => isDocumentType(mediaType));
    this.#parcels = nodes
      .filter(({ mediaType }) => !isDocumentType(mediaType))
      .map(({ digest, size }) => ({ digest, size, cost: costOf(blobPath(digest), size) }));
  }

  static async begin(
    known: ReadonlyMap<Digest, Descriptor>,
    sizes: readonly number[],
    options: VolumesOptions,
  ): Promise<VolumePlanner> {
    const reached: Reached[] = [];
    for (const root of options.roots) reached.push(await reach(root, known, options.documents));
    return new VolumePlanner(known, sizes, { options, reached });
  }

  /** Bytes that every volume needs besides what is packed into it, in a set of two. */
  get least(): number {
    const whole = new Map(this.#parcels.map(({ digest }) => [digest, 0]));
    const record = encodeBundleRecord(this.#record({ count: 2, whole, cut: new Map() }, noSlices));
    const files = headFiles([], NOTHING_FOR_DOCKER, record);
    const head = files.reduce((sum, [name, bytes]) => sum + fileSize(name, bytes.length), 0);
    const documents = this.#everywhere.reduce((sum, { digest, size }) => sum + costOf(blobPath(digest), size), 0);
    return head + documents + sumsSize(files.map(([name]) => name)) + TAR_END.length;
  }

  /** @param reserve bytes of each volume that are not for contents */
  async layOut(reserve: number): Promise<LaidOut> {
    const rooms = this.#sizes.map((size) => size - reserve);
    const tight = rooms.findIndex((room) => room < LEAST_ROOM);
    if (tight >= 0)
      throw new OclError(
        'OCL_USAGE',
        `Cannot make volumes of ${this.#sizes[tight]} bytes: what describes the whole in each of them takes ${reserve}`,
        { hint: `name a --volume-size of ${reserve + LEAST_ROOM} bytes or more` },
      );
    const packed = pack({ rooms, parcels: this.#parcels, groups: this.#reached.map(({ contents }) => contents) });
    const volumes: VolumeLayout[] = [];
    const record = oncePer((hashes: Hashes) => this.#record(packed, sliceDigestsOf(hashes)));
    const first = oncePer((hashes: Hashes) => Buffer.from(encodeBundleRecord(record(hashes))).toString());
    for (let volume = 0; volume < packed.count; volume++)
      volumes.push(await this.#volume(packed, volume, (hashes) => ofVolume(first(hashes), volume + 1)));
    return { record: record(NO_HASHES), volumes };
  }

  async #volume(packed: Packed, volume: number, record: (hashes: Hashes) => Uint8Array): Promise<VolumeLayout> {
    const { documents, dockerPlatform } = this.#options;
    const roots = this.#reached.filter((each) => isComplete(each, packed, volume)).map(({ root }) => root);
    const docker = await composeDockerFiles(roots, documents, { dockerPlatform });
    const descriptor = (digest: Digest): Descriptor => this.#known.get(digest) as Descriptor;
    const whole = [...packed.whole].filter(([, at]) => at === volume).map(([digest]) => descriptor(digest));
    const slices = sorted(packed.cut).flatMap(([digest, parts]) =>
      parts
        .filter((part) => part.volume === volume)
        .map(({ start, length }) => ({ descriptor: descriptor(digest), start, length })),
    );
    return new VolumeLayout({
      volume,
      images: countImages(roots.map(({ entry }) => entry)),
      files: (hashes) => headFiles(roots, docker, record(hashes)),
      blobs: [...this.#everywhere, ...whole],
      slices,
      sums: true,
    });
  }

  /** As the first volume has it. */
  #record(packed: Packed, sliceDigest: SliceDigest): BundleRecord {
    const stored = ({ digest, size }: Descriptor | Parcel): { digest: Digest; size: number } => ({ digest, size });
    const placement: Placement = {
      everywhere: this.#everywhere.map(stored),
      blobs: this.#parcels.flatMap((parcel) => {
        const at = packed.whole.get(parcel.digest);
        return at === undefined ? [] : [{ ...stored(parcel), volume: at + 1 }];
      }),
      cut: sorted(packed.cut).map(([digest, parts]) => ({
        digest,
        size: this.#known.get(digest)?.size ?? 0,
        slices: parts.map((part) => ({
          digest: sliceDigest(digest, part.start),
          size: part.length,
          volume: part.volume + 1,
        })),
      })),
    };
    const record: BundleRecord = {
      ...this.#options.base,
      set: { id: UNKNOWN_DIGEST, volume: 1, volumes: packed.count },
      roots: this.#options.roots.map(({ entry }) => entry),
      placement,
    };
    return { ...record, set: { id: setIdOf(record), volume: 1, volumes: packed.count } };
  }
}

const NOTHING_FOR_DOCKER = {
  manifest: undefined,
  repositories: undefined,
  config: undefined,
  left: [],
  others: 0,
  contents: [],
};
/** Stands for a digest that is not known yet, and is as long. */
const UNKNOWN_DIGEST: Digest = `sha256:${'0'.repeat(64)}`;

type SliceDigest = (digest: Digest, start: number) => Digest;
const noSlices: SliceDigest = () => UNKNOWN_DIGEST;

/** Slices have their digests when they have flowed. */
function sliceDigestsOf(hashes: Hashes): SliceDigest {
  const digests = new Map<string, Digest>(
    [...hashes]
      .filter(([{ isSlice }]) => isSlice)
      .map(([{ descriptor, start }, hex]) => [`${descriptor.digest} ${start}`, `sha256:${hex}`]),
  );
  return (digest, start) => digests.get(`${digest} ${start}`) ?? UNKNOWN_DIGEST;
}

/** Computes for the argument that came last, as long as the same comes again. */
function oncePer<A extends object, T>(compute: (argument: A) => T): (argument: A) => T {
  let last: { readonly argument: A; readonly value: T } | undefined;
  return (argument) => {
    if (last?.argument !== argument) last = { argument, value: compute(argument) };
    return last.value;
  };
}

/** The volumes' records differ in their number alone, and may be large. */
function ofVolume(first: string, volume: number): Uint8Array {
  return Buffer.from(first.replace('"volume":1,"volumes":', `"volume":${volume},"volumes":`));
}

function sorted<T>(map: ReadonlyMap<Digest, T>): readonly (readonly [Digest, T])[] {
  return [...map].toSorted(([a], [b]) => compare(a, b));
}

/** Whether all that the bundle has of an image lies in one volume. */
function isComplete({ contents }: Reached, { whole, cut }: Packed, volume: number): boolean {
  return contents.every((digest) => !cut.has(digest) && whole.get(digest) === volume);
}

/** What the archive holds of an image. */
async function reach(root: RootEntry, known: ReadonlyMap<Digest, Descriptor>, documents: Documents): Promise<Reached> {
  const found = new Set<Digest>();
  const contents: Digest[] = [];
  const waiting = [root.root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const descriptor = known.get(next.digest);
    if (descriptor === undefined || found.has(next.digest)) continue;
    found.add(next.digest);
    if (!isDocumentType(descriptor.mediaType)) {
      contents.push(next.digest);
      continue;
    }
    // One by one: a document may have more children than a call takes arguments.
    for (const child of children(await documents.document(descriptor))) waiting.push(child.descriptor);
  }
  return { root, contents };
}
