import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';

/** Pulls of a source registry. */
export interface PullCount {
  readonly count: number;
  /** False: at least so many. How many an index costs is only known when it was read, which costs one itself. */
  readonly exact: boolean;
}

/** What a plan asks of one source registry. What several images or targets share comes once. */
export interface RegistryTotals {
  readonly registry: string;
  /** Copies to be made of its images. */
  readonly copies: number;
  readonly pulls: PullCount;
  /** Undefined: not all of it was measured. */
  readonly bytes: number | undefined;
}

/** What counts of a line of a plan. */
export interface Counted {
  /** Where it comes from; undefined for what is on disk. */
  readonly registry: string | undefined;
  readonly action: 'copy' | 'current' | 'skip' | 'failed' | 'prune';
  /** What would be at the target; undefined when it could not be found out. */
  readonly sourceDigest: Digest | undefined;
  /** What the copy costs its registry by itself; undefined when nobody knows. */
  readonly pulls: PullCount | undefined;
}

/** What was found out about an image beside its line. */
export interface Measured {
  /** What the target does not have; undefined when it was not measured. */
  readonly missing: readonly Descriptor[] | undefined;
  /** What has to be pulled only to know what there is to do. */
  readonly looked: readonly Descriptor[];
}

interface Sums {
  copies: number;
  /** What is missing of images that were measured: its sizes in bytes, and which of it are manifests. */
  readonly sizes: Map<Digest, number>;
  readonly documents: Set<Digest>;
  /** Images that were not measured, by their root. */
  readonly unmeasured: Map<Digest, PullCount>;
}

/** Adds up a plan, image by image. */
export class PlanTotals {
  readonly #registries = new Map<string, Sums>();

  add({ registry, action, pulls, sourceDigest }: Counted, { missing, looked }: Measured): void {
    const isCopy = action === 'copy' && sourceDigest !== undefined;
    if (registry === undefined || (!isCopy && looked.length === 0)) return;
    let sums = this.#registries.get(registry);
    if (sums === undefined) {
      sums = { copies: 0, sizes: new Map(), documents: new Set(), unmeasured: new Map() };
      this.#registries.set(registry, sums);
    }
    for (const { digest } of looked) sums.documents.add(digest);
    if (!isCopy) return;
    sums.copies++;
    if (missing === undefined) {
      const before = sums.unmeasured.get(sourceDigest);
      const own = pulls === undefined ? undefined : { ...pulls, count: pulls.count - looked.length };
      if (own !== undefined && (before?.count ?? 0) <= own.count) sums.unmeasured.set(sourceDigest, own);
      return;
    }
    for (const { digest, size, mediaType } of missing) {
      sums.sizes.set(digest, size);
      if (isDocumentType(mediaType)) sums.documents.add(digest);
    }
  }

  /** By name. */
  get registries(): readonly RegistryTotals[] {
    return [...this.#registries]
      .map(([registry, { copies, sizes, documents, unmeasured }]) => {
        const others = [...unmeasured.values()];
        const count = others.reduce((sum, pulls) => sum + pulls.count, documents.size);
        const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
        return {
          registry,
          copies,
          pulls: { count, exact: others.every(({ exact }) => exact) },
          bytes: others.length === 0 ? bytes : undefined,
        };
      })
      .toSorted((a, b) => (a.registry < b.registry ? -1 : 1));
  }
}
