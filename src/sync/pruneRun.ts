import { type Clock } from '../core/clock.ts';
import { onSide, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { type Stores } from '../core/store.ts';
import { type Journal } from './journal/journal.ts';
import { digestAt, type LostTag, type PrunePlan, type PruneTag } from './prune.ts';
import { type GoneTag } from './pruneGone.ts';
import { bareRepository, repositoryKey } from './references.ts';

export interface PruneRunOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly journal: Journal;
  /** Under which the journal's records are written. */
  readonly run: string;
  /** A tag is gone for good, or could not be taken away. */
  readonly settled: (tag: GoneTag, error?: OclError) => void;
}

/** Does what a plan says, and writes down what it found. Contents stay: the target's own garbage collection removes them. */
export async function runPrune(plan: PrunePlan, stores: Stores, options: PruneRunOptions): Promise<void> {
  const { journal, clock, signal } = options;
  const time = new Date(clock.now()).toISOString();
  for (const target of plan.back) journal.write({ kind: 'back', time, target });
  for (const { target } of [...plan.stay, ...plan.remove])
    if (journal.latest('gone', target) === undefined) journal.write({ kind: 'gone', time, target });
  for (const lost of plan.lost) forget(lost, options);
  for (const { tag, error } of plan.failed) fail(tag, error, options);
  for (const group of byRepository(plan.remove)) {
    if (signal?.aborted === true) return;
    await removeFrom(group, stores, options);
  }
}

async function removeFrom(tags: readonly PruneTag[], stores: Stores, options: PruneRunOptions): Promise<void> {
  const { signal } = options;
  const [first] = tags;
  if (first === undefined) return;
  const removed: PruneTag[] = [];
  try {
    const source = await stores.source(bareRepository(first.to));
    const editor = await stores.editor(bareRepository(first.to));
    for (const tag of tags) {
      if (signal?.aborted === true) break;
      try {
        // Time has passed since it was planned: whoever has moved the tag meanwhile keeps it.
        const digest = await digestAt(tag, () => Promise.resolve(source));
        if (digest === undefined || digest !== tag.digest)
          forget({ tag, outcome: digest === undefined ? 'absent' : 'altered' }, options);
        else if (await editor.untag(tag.to.tag)) removed.push(tag);
        else forget({ tag, outcome: 'absent' }, options);
      } catch (error) {
        fail(tag, onSide(error, 'target'), options);
      }
    }
    await editor.commit();
    await source.close();
  } catch (error) {
    const settled = removed.length > 0 ? removed : tags;
    for (const tag of settled) fail(tag, onSide(error, 'target'), options);
    return;
  }
  for (const tag of removed) {
    const { target, reason } = tag;
    record(tag, 'removed', reason, options);
    options.emit({ type: 'notice', level: 'info', message: `${target} is taken away: ${reason}` });
    options.settled(tag);
  }
}

function forget({ tag, outcome }: LostTag, options: PruneRunOptions): void {
  record(tag, outcome, outcome === 'absent' ? 'it was not there any more' : 'somebody else has moved it', options);
}

function record(
  { target, digest }: GoneTag,
  outcome: 'removed' | 'absent' | 'altered',
  reason: string,
  { journal, run, clock }: PruneRunOptions,
): void {
  const time = new Date(clock.now()).toISOString();
  journal.write({ kind: 'pruned', time, run, target, digest, outcome, reason });
}

function fail(tag: GoneTag, error: OclError, { emit, settled, signal }: PruneRunOptions): void {
  if (signal?.aborted === true) return;
  emit({ type: 'image.failed', image: tag.target, error });
  settled(tag, error);
}

function byRepository(tags: readonly PruneTag[]): Iterable<readonly PruneTag[]> {
  const groups = new Map<string, PruneTag[]>();
  for (const tag of tags) {
    const key = repositoryKey(bareRepository(tag.to));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [tag]);
    else group.push(tag);
  }
  return groups.values();
}
