import { type BundleRecord } from '../../core/bundleRecord.ts';
import { type Tarball } from '../../io/tarball.ts';

/** One volume of a set that is given. */
export interface OpenVolume {
  readonly path: string;
  readonly tarball: Tarball;
  readonly record: SetRecord;
}

/** What a volume says of itself. */
export type SetRecord = BundleRecord & {
  readonly [K in 'set' | 'roots' | 'placement']-?: NonNullable<BundleRecord[K]>;
};
