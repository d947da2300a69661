import { type Clock } from '../core/clock.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, onSide, toOclError, type OclError } from '../core/errors.ts';
import { silent, type Emit } from '../core/events.ts';
import { type Source, type Stores } from '../core/store.ts';
import { type Journal } from './journal/journal.ts';
import { eachLimited } from './limit.ts';
import { listJobs, type Catalog, type Listed } from './list.ts';
import { OpenStores } from './openStores.ts';
import { type MayPull } from './pulls/budget.ts';
import { BudgetedSources } from './pulls/budgetedSource.ts';
import { findGone, type Asked, type GoneTag } from './pruneGone.ts';
import { bareRepository, covers, repositoryKey } from './references.ts';
import { compareVersions, parseVersion } from './semver.ts';
import { type SyncConfig, type SyncStep } from './settings.ts';

export interface PruneOptions {
  readonly clock: Clock;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly catalog?: Catalog | undefined;
  /** Waits until the limits of a source allow to read how old an image is. */
  readonly mayPull?: MayPull | undefined;
  readonly journal: Journal;
  /** What was listed for the steps of a run or plan. The other steps of the file are listed where they may want something as well. */
  readonly listed: readonly Listed[];
  /** When `listed` began, in milliseconds since the epoch; without it now. What was mirrored later is left alone. */
  readonly listedAt?: number | undefined;
  /** A repository may lose all that was mirrored to it. */
  readonly allowEmpty?: boolean | undefined;
}

/** A gone tag that is at its target as we put it there. */
export interface PruneTag extends GoneTag {
  /** When it was first found gone; milliseconds since the epoch. */
  readonly since: number;
}

export interface PrunePlan {
  /** To be taken away now. */
  readonly remove: readonly PruneTag[];
  /** Gone, and left for its grace, or among those that are kept. */
  readonly stay: readonly PruneTag[];
  /** No longer ours: not there any more, or somebody else's by now. */
  readonly lost: readonly LostTag[];
  readonly back: readonly string[];
  /** Tags whose target could not be asked. */
  readonly failed: readonly { readonly tag: GoneTag; readonly error: OclError }[];
}

export interface LostTag {
  readonly tag: GoneTag;
  readonly outcome: 'absent' | 'altered';
}

const NOTHING: PrunePlan = { remove: [], stay: [], lost: [], back: [], failed: [] };

/** Whether any of the steps takes tags away; only lists can tell that one is gone. */
export function prunes(steps: readonly SyncStep[]): boolean {
  return steps.some(({ prune, type }) => prune !== undefined && (type === 'repository' || type === 'registry'));
}

/**
 * Which tags a run would take away from its targets: put there by this journal's runs, no longer asked for by any step of the file, and with the
 * digest that was put there. Nothing is written. A repository is left alone, with a warning, when what is wanted of it is not known for certain.
 */
export async function planPrune(config: SyncConfig, stores: Stores, options: PruneOptions): Promise<PrunePlan> {
  const { clock, journal, emit = silent, signal, allowEmpty = false, listedAt = clock.now() } = options;
  if (!prunes(config.steps)) return NOTHING;
  const open = new OpenStores(stores, { clock, emit });
  try {
    const asked = await askOthers(config, stores, open, options);
    const { gone, refused, back } = findGone(journal, asked, { allowEmpty, listedAt, steps: config.steps });
    for (const { repository, reason } of refused)
      emit({ type: 'notice', level: 'warning', message: `nothing is pruned from ${repository}: ${reason}` });
    const now = clock.now();
    const present: PruneTag[] = [];
    const lost: LostTag[] = [];
    const failed: { tag: GoneTag; error: OclError }[] = [];
    await eachLimited(gone, config.parallel, signal, async (tag) => {
      try {
        const digest = await digestAt(tag, () => open.source(tag.to));
        if (digest === tag.digest) present.push({ ...tag, since: goneSince(journal, tag, now) });
        else lost.push({ tag, outcome: digest === undefined ? 'absent' : 'altered' });
      } catch (error) {
        failed.push({ tag, error: onSide(error, 'target') });
      }
    });
    if (signal?.aborted === true) throw toOclError(signal.reason);
    return { ...divide(present, now), lost, back, failed };
  } finally {
    await open.close();
  }
}

/** The steps that were not listed and write to the same repositories may want what others do not. */
async function askOthers(
  { steps, parallel }: SyncConfig,
  stores: Stores,
  open: OpenStores,
  { clock, signal, catalog, listed, mayPull }: PruneOptions,
): Promise<Asked> {
  const known = new Set(listed.flatMap((one) => one.steps));
  const targets = listed.flatMap(({ repositories }) => repositories.flatMap((one) => one.targets.map(repositoryKey)));
  const keys = [...new Set(targets)];
  const others = steps.filter((step) => !known.has(step) && keys.some((key) => covers(step, key)));
  const { read } = new BudgetedSources(mayPull, signal);
  const more = await listJobs(others, { clock, stores, open, emit: silent, parallel, signal, catalog, read });
  return {
    // Only what was asked for is pruned.
    steps: listed.flatMap((one) => one.steps),
    repositories: listed.flatMap((one) => one.repositories),
    jobs: [...listed, more].flatMap(({ jobs }) => jobs),
    failed: [...listed, more].flatMap(({ failed }) => failed),
  };
}

/** Undefined: the tag, or all of its repository, is not there. */
export async function digestAt({ to }: GoneTag, source: () => Promise<Source>): Promise<Digest | undefined> {
  try {
    return (await (await source()).resolve(to.tag)).digest;
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}

function goneSince(journal: Journal, { target }: GoneTag, now: number): number {
  const record = journal.latest('gone', target);
  return record === undefined ? now : Date.parse(record.time);
}

/** Of each repository the newest stay that its step wants kept, and of the others those within their grace. */
function divide(present: readonly PruneTag[], now: number): Pick<PrunePlan, 'remove' | 'stay'> {
  const groups = new Map<string, PruneTag[]>();
  for (const tag of present) {
    const key = repositoryKey(bareRepository(tag.to));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [tag]);
    else group.push(tag);
  }
  const remove: PruneTag[] = [];
  const stay: PruneTag[] = [];
  for (const group of groups.values()) {
    for (const [index, tag] of group.toSorted(newestFirst).entries()) {
      const { keep, grace } = tag.step.prune ?? { keep: 0, grace: 0 };
      (index < keep || now - tag.since < grace ? stay : remove).push(tag);
    }
  }
  const byName = (a: PruneTag, b: PruneTag): number => (a.target < b.target ? -1 : 1);
  return { remove: remove.toSorted(byName), stay: stay.toSorted(byName) };
}

/** Versions before other names; those by when they were copied; equals by name. */
function newestFirst(a: PruneTag, b: PruneTag): number {
  const [left, right] = [parseVersion(a.to.tag), parseVersion(b.to.tag)];
  if (left === undefined || right === undefined) {
    if (left !== right) return left === undefined ? 1 : -1;
    if (a.copied !== b.copied) return b.copied - a.copied;
  } else {
    const order = compareVersions(right, left);
    if (order !== 0) return order;
  }
  return a.to.tag < b.to.tag ? 1 : -1;
}
