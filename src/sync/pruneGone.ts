import { type Digest } from '../core/digest.ts';
import { formatReference, parseReference, type Reference } from '../core/reference.ts';
import { type Journal } from './journal/journal.ts';
import { type Listed, type ListedRepository } from './list.ts';
import { bareRepository, covers, imageKey, repositoryKey, stepName } from './references.ts';
import { type SyncStep } from './settings.ts';
import { stepKey } from './stepKey.ts';
import { TagFilter } from './tagFilter.ts';

/** A tag that a run of this journal put at a target, and that its file no longer asks for. */
export interface GoneTag {
  /** Full name. */
  readonly target: string;
  readonly to: Reference & { readonly tag: string };
  /** What was put there. */
  readonly digest: Digest;
  /** Where it came from. */
  readonly image: string;
  readonly step: SyncStep;
  readonly reason: string;
  /** When it was put there; milliseconds since the epoch. */
  readonly copied: number;
}

/** Why nothing is taken away from a repository. */
export interface Refusal {
  readonly repository: string;
  readonly reason: string;
}

export interface GoneTags {
  readonly gone: readonly GoneTag[];
  /** One for each repository that has gone tags and is left alone. */
  readonly refused: readonly Refusal[];
  /** Targets that were gone and are wanted again. */
  readonly back: readonly string[];
}

/** What the steps of a file ask for, as far as it is known. */
export type Asked = Pick<Listed, 'steps' | 'jobs' | 'failed' | 'repositories'>;

export interface GoneOptions {
  /** Also where the source or the filter would leave nothing of what was mirrored to a repository. */
  readonly allowEmpty: boolean;
  /** All steps of the file: what one of them mirrors, and does not prune, no other one prunes. */
  readonly steps: readonly SyncStep[];
  /** When the sources began to be listed; milliseconds since the epoch. What was mirrored later, the lists may not know. */
  readonly listedAt: number;
}

/** Looks through the journal alone; nothing is asked. */
export function findGone(journal: Journal, asked: Asked, { allowEmpty, steps, listedAt }: GoneOptions): GoneTags {
  const wanted = new Set(asked.jobs.map(({ to }) => imageKey(to)));
  const kept = new Set(asked.jobs.map(({ step, to }) => `${stepKey(step)} ${repositoryKey(to)}`));
  const listed = byStepAndTarget(asked.repositories);
  // Steps with one source and several places have one key.
  const pruning = new Map<string, SyncStep[]>();
  for (const step of asked.steps)
    if (step.prune !== undefined) pruning.set(stepKey(step), [...(pruning.get(stepKey(step)) ?? []), step]);

  const spares = keepers(steps);
  const gone: GoneTag[] = [];
  const back: string[] = [];
  const refused = new Map<string, Refusal>();
  for (const [target, record] of journal.all('ours')) {
    const { digest } = record;
    if (digest === undefined) continue;
    const to = readTarget(target);
    if (to === undefined) continue;
    if (wanted.has(imageKey(to))) {
      if (journal.latest('gone', target) !== undefined) back.push(target);
      continue;
    }
    const copied = Date.parse(record.time);
    if (copied > listedAt) continue;
    const key = repositoryKey(to);
    const step = pruning.get(record.step)?.findLast((one) => covers(one, key));
    if (step === undefined || refused.has(key)) continue;
    if (spares(record.step, key, to.tag)) {
      // Its grace begins anew when nothing spares it any more.
      if (journal.latest('gone', target) !== undefined) back.push(target);
      continue;
    }
    const found = listed.get(`${record.step} ${key}`);
    const why =
      reasonToRefuse(key, found, asked) ??
      (allowEmpty || kept.has(`${record.step} ${key}`) ? undefined : emptied(found));
    if (why !== undefined) {
      refused.set(key, { repository: formatReference(bareRepository(to)), reason: why });
      continue;
    }
    const reason = found?.all.has(to.tag) === true ? 'outside of the filter' : 'gone from the source';
    gone.push({ target, to, digest, image: record.image, step: found?.step ?? step, reason, copied });
  }
  return { gone: gone.filter(({ to }) => !refused.has(repositoryKey(to))), refused: [...refused.values()], back };
}

/**
 * Steps with one source and one target have one key, and the journal does not tell which of them brought a tag. Where one of them prunes nothing,
 * what its filter may have taken stays.
 */
function keepers(steps: readonly SyncStep[]): (key: string, repository: string, tag: string) => boolean {
  const keeping = new Map<string, { readonly step: SyncStep; readonly filter: TagFilter }[]>();
  for (const step of steps)
    if (step.prune === undefined && (step.type === 'repository' || step.type === 'registry'))
      keeping.set(stepKey(step), [
        ...(keeping.get(stepKey(step)) ?? []),
        { step, filter: new TagFilter(step.tagSets) },
      ]);
  return (key, repository, tag) =>
    keeping.get(key)?.some(({ step, filter }) => covers(step, repository) && filter.mayTake(tag)) === true;
}

interface Found {
  readonly step: SyncStep;
  readonly source: string;
  /** Every tag of the source; the filter may take none of them. */
  readonly all: ReadonlySet<string>;
  /** The repository itself does not pass the filter. */
  readonly excluded: boolean;
}

function byStepAndTarget(repositories: readonly ListedRepository[]): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const { step, from, targets, tags } of repositories) {
    const one = { step, source: formatReference(from), all: new Set(tags), excluded: tags === undefined };
    for (const target of targets) found.set(`${stepKey(step)} ${repositoryKey(target)}`, one);
  }
  return found;
}

/** As journals write it. What names no tag cannot be taken away. */
function readTarget(text: string): (Reference & { readonly tag: string }) | undefined {
  try {
    const reference = parseReference(text);
    const { tag, digest } = reference;
    return tag === undefined || digest !== undefined ? undefined : { ...reference, tag };
  } catch {
    return undefined;
  }
}

/** What cannot be listed may ask for anything. */
function reasonToRefuse(key: string, found: Found | undefined, { failed }: Asked): string | undefined {
  const failure = failed.find(({ step }) => covers(step, key));
  if (failure === undefined) return undefined;
  return `${failure.image} (${stepName(failure.step)}) could not be listed${found === undefined ? '' : ', and may ask for them'}`;
}

function emptied(found: Found | undefined): string {
  if (found === undefined) return `its source is no longer listed; --allow-empty takes its tags away`;
  const why =
    found.excluded || found.all.size > 0
      ? `the filters of ${stepName(found.step)} would leave nothing of it`
      : `${found.source} has no tags any more`;
  return `${why}; --allow-empty takes its tags away`;
}
