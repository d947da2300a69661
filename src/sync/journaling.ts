import { randomBytes } from 'node:crypto';
import { type Clock } from '../core/clock.ts';
import { formatReference } from '../core/reference.ts';
import { digestOf } from '../io/verify.ts';
import { type Journal } from './journal/journal.ts';
import { type ImageOutcome, type SyncObserver } from './outcome.ts';
import { type Tally } from './report.ts';
import { type SyncConfig } from './settings.ts';
import { stepKey } from './stepKey.ts';

/** One run, as it goes into the journal. */
export class JournaledRun implements SyncObserver {
  /** What its records have in common. */
  readonly id = randomBytes(6).toString('hex');
  readonly #journal: Journal;
  readonly #clock: Clock;

  /** @param remember that the steps ran, for who asks later when they did */
  constructor(journal: Journal, config: SyncConfig, clock: Clock, remember: boolean) {
    this.#journal = journal;
    this.#clock = clock;
    const { file, steps } = config;
    journal.write({
      kind: 'run',
      time: this.#time(),
      run: this.id,
      config: digestOf(new TextEncoder().encode(JSON.stringify(steps))),
      file,
      ...(remember ? { steps: [...new Set(steps.map(stepKey))] } : {}),
    });
  }

  starting(job: ImageOutcome['job'], digest: NonNullable<ImageOutcome['digest']>): void {
    this.#journal.write({ kind: 'begin', time: this.#time(), target: formatReference(job.to), digest });
  }

  settled(ended: ImageOutcome): void {
    const { job, outcome, digest, before, bytes, ms, error } = ended;
    const target = formatReference(job.to);
    const ours = this.#isOurs(target, ended);
    if (this.#isKnown(target, ended, ours)) return;
    this.#journal.write({
      kind: 'image',
      time: this.#time(),
      run: this.id,
      target,
      image: job.image,
      digest,
      before,
      outcome,
      bytes,
      ms,
      ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
      line: job.step.place.line,
      step: stepKey(job.step),
      ...(ours ? { ours } : {}),
    });
  }

  async end(outcome: 'done' | 'failed' | 'cancelled', tally: Tally, ms: number): Promise<void> {
    const { copied, current, skipped, failed, pruned, bytes } = tally.total;
    this.#journal.write({
      kind: 'end',
      time: this.#time(),
      run: this.id,
      outcome,
      copied,
      current,
      skipped,
      failed,
      pruned,
      bytes,
      ms,
    });
    await this.#journal.flush();
  }

  /** Put there by us: now, or earlier with the same digest, or by a run that began to and could not say how it ended. */
  #isOurs(target: string, { outcome, digest, before }: ImageOutcome): true | undefined {
    if (digest === undefined || (outcome !== 'copied' && outcome !== 'current')) return undefined;
    if (outcome === 'copied' && before !== digest) return true;
    const known = this.#journal.latest('ours', target);
    const wasOurs = known?.digest === digest;
    const begun = this.#journal.latest('begin', target);
    const broken = begun?.digest === digest && (known === undefined || begun.time >= known.time);
    return wasOurs || broken ? true : undefined;
  }

  /** What has not changed since it was written is not written again. */
  #isKnown(target: string, { outcome, digest, job }: ImageOutcome, ours: true | undefined): boolean {
    if (outcome === 'copied' || outcome === 'failed') return false;
    if (outcome === 'current' && digest === undefined) return true;
    const last = this.#journal.latest('image', target);
    if (last === undefined || last.digest !== digest || last.step !== stepKey(job.step)) return false;
    if (outcome === 'skipped') return last.outcome === 'skipped';
    return (last.outcome === 'copied' || last.outcome === 'current') && last.ours === ours;
  }

  #time(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}
