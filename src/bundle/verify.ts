import { type Clock } from '../core/clock.ts';
import { type Basis } from '../core/bundleRecord.ts';
import { type Digest } from '../core/digest.ts';
import { type Emit } from '../core/events.ts';
import { countImages } from '../core/names.ts';
import { type LocalSource } from '../core/store.ts';
import { checkStore, type CheckReport } from '../copy/check.ts';

export interface VerifyOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
}

/** What a bundle, or the volumes of one that are given, were found to be. */
export interface VerifyReport extends CheckReport {
  /** Images with a name among its roots. */
  readonly images: number;
  readonly kind: 'full' | 'delta';
  readonly set?: {
    readonly id: Digest;
    readonly volumes: number;
    /** Numbers of those that are not given. */
    readonly missing: readonly number[];
    /** Images with a name, of the whole set. */
    readonly images: number;
  };
  /** What a delta takes for granted on the far side. */
  readonly requires?: {
    readonly blobs: number;
    readonly bytes: number;
    /** Names that the delta gives to images of which it brings nothing. */
    readonly unchanged: number;
    readonly basis: Basis | undefined;
  };
  readonly ms: number;
}

/**
 * Holds a bundle against everything that it says, where it lies: every digest, every slice and what it was cut from, the completeness of
 * each graph, its sums and its record. Needs no target and no network.
 * @param source a bundle that could be opened, so that its structure is sound
 */
export async function verifyBundle(source: LocalSource, options: VerifyOptions): Promise<VerifyReport> {
  const started = options.clock.now();
  const report = await checkStore(source, options);
  const { record, volumes } = source;
  const { requires } = record ?? {};
  return {
    kind: record?.kind ?? 'full',
    ...report,
    images: countImages(await source.roots()),
    ...(volumes === undefined
      ? {}
      : {
          set: {
            id: volumes.id,
            volumes: volumes.count,
            missing: volumes.absent,
            images: countImages(volumes.roots),
          },
        }),
    ...(requires === undefined
      ? {}
      : {
          requires: {
            blobs: requires.length,
            unchanged: countImages(record?.unchanged?.images ?? []),
            bytes: requires.reduce((sum, { size }) => sum + size, 0),
            basis: record?.basis,
          },
        }),
    ms: options.clock.now() - started,
  };
}
