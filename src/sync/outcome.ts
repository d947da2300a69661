import { type Digest } from '../core/digest.ts';
import { type OclError } from '../core/errors.ts';
import { type Listed, type SyncJob } from './list.ts';
import { type GoneTag } from './pruneGone.ts';

/** How one image ended. */
export interface ImageOutcome {
  readonly job: SyncJob;
  readonly outcome: 'copied' | 'current' | 'skipped' | 'failed';
  /** Why, in words. */
  readonly reason: string;
  /** What belongs at the target; undefined when it could not be found out. */
  readonly digest: Digest | undefined;
  /** What was there before. */
  readonly before: Digest | undefined;
  /** Bytes that flowed. */
  readonly bytes: number;
  readonly ms: number;
  readonly error?: OclError | undefined;
}

/** Who wants to know what becomes of a run, such as its journal. */
export interface SyncObserver {
  /** An image is about to be copied whose tag is not there yet, or points elsewhere. */
  starting?(job: SyncJob, digest: Digest): void;
  /** What the steps of a wave ask for; `failed` names those that could not be listed. */
  listed?(listed: Listed): void;
  /** An image has ended for good: what was copied is durable and visible. */
  settled?(outcome: ImageOutcome): void;
  /** A tag that is no longer asked for was taken away from its target, or could not be. */
  pruned?(tag: GoneTag, error?: OclError): void;
}

/** Tells several. */
export function observers(...all: readonly (SyncObserver | undefined)[]): Required<SyncObserver> {
  return {
    listed: (listed) => all.forEach((one) => one?.listed?.(listed)),
    starting: (job, digest) => all.forEach((one) => one?.starting?.(job, digest)),
    settled: (outcome) => all.forEach((one) => one?.settled?.(outcome)),
    pruned: (tag, error) => all.forEach((one) => one?.pruned?.(tag, error)),
  };
}
