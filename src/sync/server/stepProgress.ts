import { type OclError } from '../../core/errors.ts';
import { type Listed } from '../list.ts';
import { type GoneTag } from '../pruneGone.ts';
import { type ImageOutcome, type SyncObserver } from '../outcome.ts';
import { stepName } from '../references.ts';
import { type SyncStep } from '../settings.ts';
import { type ImageCounts, type StepFailure } from './state.ts';

/** Failures of one step that are kept in words; all are counted. */
const TOLD = 10;

export interface StepEnd extends ImageCounts {
  /** All of it was done, well or badly. */
  readonly ended: boolean;
  readonly failures: readonly StepFailure[];
}

interface Under {
  isListed: boolean;
  left: number;
  readonly counts: Record<'copied' | 'current' | 'skipped' | 'failed', number>;
  bytes: number;
  readonly failures: StepFailure[];
}

/** Tells when each step of a run has ended, so that one that takes long does not hold up the next runs of the others. */
export class StepProgress implements SyncObserver {
  readonly #under = new Map<SyncStep, Under>();
  #hasBegun = false;
  readonly #ended: (step: SyncStep, end: StepEnd) => void;

  constructor(steps: readonly SyncStep[], ended: (step: SyncStep, end: StepEnd) => void) {
    this.#ended = ended;
    for (const step of steps)
      this.#under.set(step, {
        isListed: false,
        left: 0,
        counts: { copied: 0, current: 0, skipped: 0, failed: 0 },
        bytes: 0,
        failures: [],
      });
  }

  /** Whether images may be under way; before that there are lists alone. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  listed({ steps, jobs, failed }: Listed): void {
    this.#hasBegun = true;
    for (const { step } of jobs) {
      const under = this.#under.get(step);
      if (under !== undefined) under.left++;
    }
    for (const { step, image, error } of failed) this.#fail(this.#under.get(step), image, error);
    for (const step of steps) {
      const under = this.#under.get(step);
      if (under === undefined) continue;
      under.isListed = true;
      this.#endEarly(step, under);
    }
  }

  settled({ job, outcome, bytes, error }: ImageOutcome): void {
    const under = this.#under.get(job.step);
    if (under === undefined) return;
    under.bytes += bytes;
    if (outcome === 'failed') this.#fail(under, job.image, error);
    else under.counts[outcome]++;
    under.left--;
    this.#endEarly(job.step, under);
  }

  pruned({ step, target }: GoneTag, error?: OclError): void {
    if (error !== undefined) this.#fail(this.#under.get(step), target, error);
  }

  /**
   * The run is over, and with it the steps that have not come to their end.
   * @param error what ended the run before its time; that it was stopped is no failure of a step
   */
  finish(error: OclError | undefined): void {
    for (const [step, under] of this.#under) {
      if (error !== undefined && error.code !== 'OCL_CANCELLED') this.#fail(under, stepName(step), error);
      this.#end(step, under.isListed && under.left === 0 && error === undefined);
    }
  }

  #fail(under: Under | undefined, image: string, error: OclError | undefined): void {
    if (under === undefined) return;
    under.counts.failed++;
    if (error !== undefined && under.failures.length < TOLD)
      under.failures.push({ image, code: error.code, message: error.message });
  }

  /** What is to be pruned is seen when all else is done. */
  #endEarly(step: SyncStep, { left }: Under): void {
    if (left === 0 && step.prune === undefined) this.#end(step, true);
  }

  #end(step: SyncStep, ended: boolean): void {
    const under = this.#under.get(step);
    if (under === undefined) return;
    this.#under.delete(step);
    this.#ended(step, { ...under.counts, bytes: under.bytes, failures: under.failures, ended });
  }
}
