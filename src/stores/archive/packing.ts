import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { TAR_BLOCK } from '../../io/tarHeader.ts';
import { costOf, SLICE_NAME } from './volumeLayout.ts';

/** A content that is to lie in one volume, or in parts in several. */
export interface Parcel {
  readonly digest: Digest;
  readonly size: number;
  /** Bytes that it takes in a volume as a whole, its header, filling and line of the sums included. */
  readonly cost: number;
}

/** Some bytes of a content in a volume, which is counted from 0. */
export interface Part {
  readonly volume: number;
  readonly start: number;
  readonly length: number;
}

export interface Packed {
  readonly count: number;
  /** The volume of each content that lies in one. */
  readonly whole: ReadonlyMap<Digest, number>;
  /** The parts of the others, in the order of the content. */
  readonly cut: ReadonlyMap<Digest, readonly Part[]>;
}

export interface PackOptions {
  /** Bytes for contents in each volume; the last holds for all after it. */
  readonly rooms: readonly number[];
  readonly parcels: readonly Parcel[];
  /** What belongs together, and lies in one volume where that costs no further one. */
  readonly groups: readonly (readonly Digest[])[];
}

/**
 * Packs contents into volumes: the largest first, each into the first volume that has room (first-fit decreasing), and what no volume
 * could hold in parts. Then it tries to bring what belongs together into one volume, in as many volumes as that took.
 * The same contents are always packed alike.
 * @throws OCL_LIMIT when it would be too many volumes
 */
export function pack(options: PackOptions): Packed {
  const parcels = options.parcels.toSorted((a, b) => b.size - a.size || (a.digest < b.digest ? -1 : 1));
  const plain = new Bins(options.rooms);
  for (const parcel of parcels) plain.add(parcel);
  return packGrouped({ ...options, parcels }, plain.count) ?? plain.packed();
}

/** Undefined: it would take more volumes. */
function packGrouped({ rooms, parcels, groups }: PackOptions, count: number): Packed | undefined {
  if (groups.length < 2 || count < 2) return undefined;
  const bins = new Bins(rooms, count);
  for (const parcel of parcels) if (bins.isTooLarge(parcel)) bins.add(parcel);
  const byDigest = new Map(parcels.map((parcel) => [parcel.digest, parcel]));
  const bundles = groups.map((group) => group.flatMap((digest) => byDigest.get(digest) ?? []));
  const costs = new Map(bundles.map((bundle) => [bundle, sumOf(bundle)]));
  for (const bundle of bundles.toSorted((a, b) => (costs.get(b) ?? 0) - (costs.get(a) ?? 0))) bins.addTogether(bundle);
  for (const parcel of parcels) if (!bins.has(parcel.digest)) bins.add(parcel);
  return bins.count > count ? undefined : bins.packed();
}

function sumOf(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, { cost }) => sum + cost, 0);
}

/** A volume is worth a part when it is empty, or when this share of it is free. */
const WORTH = 1 / 16;

class Bins {
  readonly #rooms: readonly number[];
  readonly #free: number[] = [];
  readonly #whole = new Map<Digest, number>();
  readonly #cut = new Map<Digest, readonly Part[]>();

  constructor(rooms: readonly number[], count = 0) {
    this.#rooms = rooms;
    for (let i = 0; i < count; i++) this.#open();
  }

  get count(): number {
    return this.#free.length;
  }

  has(digest: Digest): boolean {
    return this.#whole.has(digest) || this.#cut.has(digest);
  }

  packed(): Packed {
    return { count: Math.max(1, this.count), whole: this.#whole, cut: this.#cut };
  }

  isTooLarge({ cost }: Parcel): boolean {
    return this.#rooms.every((room) => room < cost);
  }

  add(parcel: Parcel): void {
    if (this.has(parcel.digest)) return;
    const open = this.#free.findIndex((free) => free >= parcel.cost);
    const volume = open >= 0 ? open : this.#nextFor(parcel);
    if (volume === undefined) this.#cutUp(parcel);
    else this.#place(parcel, volume);
  }

  /** Places what is not placed yet of some contents in one volume, best where the others are; or nothing, when it fits nowhere. */
  addTogether(parcels: readonly Parcel[]): void {
    const rest = parcels.filter(({ digest }) => !this.has(digest));
    const cost = sumOf(rest);
    const there = new Map<number, number>();
    for (const { digest, size } of parcels) {
      const volume = this.#whole.get(digest);
      if (volume !== undefined) there.set(volume, (there.get(volume) ?? 0) + size);
    }
    let best: number | undefined;
    for (const [volume, free] of this.#free.entries()) {
      if (free >= cost && (best === undefined || (there.get(volume) ?? -1) > (there.get(best) ?? -1))) best = volume;
    }
    if (best !== undefined) for (const parcel of rest) this.#place(parcel, best);
  }

  /** The next volume that can hold it, after as many empty ones as come before. */
  #nextFor({ cost }: Parcel): number | undefined {
    for (let next = this.count; next < Math.max(this.count + 1, this.#rooms.length); next++) {
      if (this.#roomOf(next) < cost) continue;
      while (this.count <= next) this.#open();
      return next;
    }
    return undefined;
  }

  #cutUp({ digest, size }: Parcel): void {
    const parts: Part[] = [];
    let start = 0;
    for (let volume = 0; start < size; volume++) {
      if (volume === this.count) this.#open();
      const free = this.#free[volume] ?? 0;
      const room = this.#roomOf(volume);
      const length = Math.min(size - start, sliceLength(free));
      if (length === 0 || (free < room && length < room * WORTH && length < size - start)) continue;
      parts.push({ volume, start, length });
      this.#free[volume] = free - costOf(SLICE_NAME, length);
      start += length;
    }
    this.#cut.set(digest, parts);
  }

  #place({ digest, cost }: Parcel, volume: number): void {
    this.#free[volume] = (this.#free[volume] ?? 0) - cost;
    this.#whole.set(digest, volume);
  }

  #roomOf(volume: number): number {
    return this.#rooms[Math.min(volume, this.#rooms.length - 1)] ?? 0;
  }

  #open(): void {
    if (this.count >= LIMITS.volumes)
      throw new OclError('OCL_LIMIT', `Cannot pack this into volumes: it would be more than ${LIMITS.volumes}`, {
        hint: 'name a larger --volume-size',
      });
    this.#free.push(this.#roomOf(this.count));
  }
}

/** Bytes of the largest slice that some free bytes can take; 0 when there is no room for any. */
function sliceLength(free: number): number {
  const most = Math.max(0, Math.floor((free - costOf(SLICE_NAME, 0)) / TAR_BLOCK) * TAR_BLOCK);
  // From 8 GiB on a header is longer.
  const over = Math.max(0, costOf(SLICE_NAME, most) - free);
  return most === 0 ? 0 : most - Math.ceil(over / TAR_BLOCK) * TAR_BLOCK;
}
