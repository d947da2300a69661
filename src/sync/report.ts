import { type OclError } from '../core/errors.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { type Listed, type SyncJob } from './list.ts';
import { type ImageOutcome, type SyncObserver } from './outcome.ts';
import { type GoneTag } from './pruneGone.ts';
import { type SyncStep } from './settings.ts';
import { stepKey } from './stepKey.ts';

/** Counts of images, but for `pruned`, which counts tags. */
export interface Counts {
  readonly copied: number;
  readonly current: number;
  readonly skipped: number;
  readonly failed: number;
  readonly pruned: number;
  /** Bytes that flowed. */
  readonly bytes: number;
  /** Milliseconds that its images took; images that are copied side by side count each. */
  readonly ms: number;
}

const NONE: Counts = { copied: 0, current: 0, skipped: 0, failed: 0, pruned: 0, bytes: 0, ms: 0 };

/** Something that a step asks for: one image, or all that it would find where it could not be listed. */
export interface Item {
  /** The step's key. */
  readonly step: string;
  readonly line: number;
  readonly image?: string | undefined;
  readonly target?: string | undefined;
}

export interface Failure extends Item {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly side?: string | undefined;
}

/** Counts of what came from one host; what comes from this machine is `files`. */
export interface RegistryCounts extends Counts {
  readonly registry: string;
}

/** Keeps count of a run, so that what is left of it can be told at any moment. */
export class Tally implements SyncObserver {
  readonly failures: Failure[] = [];
  readonly #registries = new Map<string, Counts>();
  readonly #open = new Set<SyncJob>();
  readonly #unlisted: Set<SyncStep>;
  #total = NONE;

  /** @param steps what is to be run */
  constructor(steps: readonly SyncStep[]) {
    this.#unlisted = new Set(steps);
  }

  get total(): Counts {
    return this.#total;
  }

  /** By host, in its order. */
  get registries(): readonly RegistryCounts[] {
    return [...this.#registries]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([registry, counts]) => ({ registry, ...counts }));
  }

  /** What was neither done nor failed. */
  get left(): readonly Item[] {
    const steps = [...this.#unlisted].map((step) => ({ step: stepKey(step), line: step.place.line }));
    return [...steps, ...[...this.#open].map(itemOf)];
  }

  listed({ steps, jobs, failed }: Listed): void {
    for (const step of steps) this.#unlisted.delete(step);
    for (const job of jobs) this.#open.add(job);
    for (const { step, image, error } of failed) {
      this.#total = sum(this.#total, { failed: 1 });
      this.failures.push({ ...failureOf(error), step: stepKey(step), line: step.place.line, image });
    }
  }

  settled({ job, outcome, bytes, ms, error }: ImageOutcome): void {
    this.#open.delete(job);
    this.#count(registryOf(job.from), { [outcome]: 1, bytes, ms });
    if (error !== undefined) this.failures.push({ ...failureOf(error), ...itemOf(job) });
  }

  pruned({ step, target, image, to }: GoneTag, error?: OclError): void {
    this.#count(registryOf(to), error === undefined ? { pruned: 1 } : { failed: 1 });
    if (error !== undefined)
      this.failures.push({ ...failureOf(error), step: stepKey(step), line: step.place.line, image, target });
  }

  #count(registry: string, more: Partial<Counts>): void {
    this.#total = sum(this.#total, more);
    this.#registries.set(registry, sum(this.#registries.get(registry) ?? NONE, more));
  }
}

export function sum(a: Counts, b: Partial<Counts>): Counts {
  return {
    copied: a.copied + (b.copied ?? 0),
    current: a.current + (b.current ?? 0),
    skipped: a.skipped + (b.skipped ?? 0),
    failed: a.failed + (b.failed ?? 0),
    pruned: a.pruned + (b.pruned ?? 0),
    bytes: a.bytes + (b.bytes ?? 0),
    ms: a.ms + (b.ms ?? 0),
  };
}

function itemOf({ step, image, to }: SyncJob): Item {
  return { step: stepKey(step), line: step.place.line, image, target: formatReference(to) };
}

function failureOf({ code, message, hint, side }: OclError): Pick<Failure, 'code' | 'message' | 'hint' | 'side'> {
  return { code, message, hint, side };
}

function registryOf(reference: Reference): string {
  return reference.kind === 'registry' ? reference.registry : 'files';
}
