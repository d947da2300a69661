import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { isReferrersTag, type Digest } from '../core/digest.ts';
import { toOclError, OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { redact } from '../core/redact.ts';
import { formatReference, isRepository, isTag, parseReference, type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { createdAt } from '../artifact/created.ts';
import { feedSources } from './feeds.ts';
import { eachLimited } from './limit.ts';
import { type OpenRepositories } from './openStores.ts';
import { type ReadDocument } from './pulls/budgetedSource.ts';
import {
  checkTarget,
  imageKey,
  imageReference,
  registryHost,
  repositoryBelow,
  repositoryReference,
  sourceOf,
  sourceRepository,
  stepName,
  targetsOf,
  withTag,
  type RepositoryReference,
} from './references.ts';
import { type SyncStep } from './settings.ts';
import { TagFilter } from './tagFilter.ts';

/** One image that a step asks for. */
export interface SyncJob {
  readonly step: SyncStep;
  /** The source's full name, as events, reports and errors call the image. */
  readonly image: string;
  readonly from: Reference;
  readonly to: Reference;
}

/** A step or a repository that could not be listed. */
export interface FailedListing {
  readonly step: SyncStep;
  readonly image: string;
  readonly error: OclError;
}

/** Lists the repositories of a registry, in its order. */
export type Catalog = (registry: string, signal?: AbortSignal) => AsyncIterable<string>;

export interface ListContext {
  readonly clock: Clock;
  readonly stores: Stores;
  readonly open: OpenRepositories;
  readonly emit: Emit;
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly catalog?: Catalog | undefined;
  /** Reads the documents that tell how old an image is, within the limits of its source; without it they are just read. */
  readonly read?: ReadDocument | undefined;
}

/** One repository of a step, as its source lists it. */
export interface ListedRepository {
  readonly step: SyncStep;
  readonly from: RepositoryReference;
  readonly targets: readonly RepositoryReference[];
  /** All that could be mirrored, before the filters; undefined: the repository itself does not pass them. */
  readonly tags: readonly string[] | undefined;
}

export interface Listed {
  /** What was asked for. */
  readonly steps: readonly SyncStep[];
  /** In the order of the steps; each target once. */
  readonly jobs: readonly SyncJob[];
  readonly failed: readonly FailedListing[];
  /** The repositories of the steps that prune. */
  readonly repositories: readonly ListedRepository[];
}

/** What the steps ask for. Nothing is looked up yet but the lists of repositories and tags. */
export async function listJobs(steps: readonly SyncStep[], context: ListContext): Promise<Listed> {
  const lists: (readonly SyncJob[])[] = [];
  const failed: FailedListing[] = [];
  const repositories: ListedRepository[] = [];
  await eachLimited(steps.entries(), context.parallel, context.signal, async ([index, step]) => {
    try {
      lists[index] = await listStep(step, context, { failed, repositories });
    } catch (error) {
      failed.push({ step, image: step.source === '' ? stepName(step) : redact(step.source), error: toOclError(error) });
    }
  });
  if (context.signal?.aborted === true) throw toOclError(context.signal.reason);
  return { steps, jobs: lastOfEachTarget(lists.flat(), context.emit), failed, repositories };
}

/** What is learnt besides. */
interface Found {
  readonly failed: FailedListing[];
  readonly repositories: ListedRepository[];
}

async function listStep(step: SyncStep, context: ListContext, found: Found): Promise<readonly SyncJob[]> {
  switch (step.type) {
    case 'image':
      return toTargets(step, imageReference(sourceOf(step)));
    case 'feed':
      return toTargets(step, await feedReference(step, context));
    case 'repository': {
      const from = repositoryReference(sourceOf(step));
      const targets = targetsOf(step).map(repositoryReference);
      return await listTags(step, { from, targets }, new TagFilter(step.tagSets), context, found);
    }
    case 'registry':
      return await listRepositories(step, context, found);
    default:
      throw new OclError(
        'OCL_CONFIG_INVALID',
        `Cannot run the step at ${stepName(step)}: its type is ${JSON.stringify(step.type)}`,
        { hint: 'the types are image, repository, registry and feed' },
      );
  }
}

function toTargets(step: SyncStep, from: Reference): readonly SyncJob[] {
  return targetsOf(step).map((target) => {
    const to = imageReference(target);
    checkTarget(to);
    return job(step, from, to);
  });
}

/** The first of the places of a feed that has it. */
async function feedReference(step: SyncStep, { open }: ListContext): Promise<Reference> {
  const places = feedSources(step).map(imageReference);
  let failure: unknown;
  for (const place of places) {
    try {
      await open.resolve(place);
      return place;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function job(step: SyncStep, from: Reference, to: Reference): SyncJob {
  return { step, image: formatReference(from), from, to };
}

async function listTags(
  step: SyncStep,
  { from, targets }: { readonly from: RepositoryReference; readonly targets: readonly RepositoryReference[] },
  filter: TagFilter,
  context: ListContext,
  found: Found,
): Promise<readonly SyncJob[]> {
  for (const target of targets) checkTarget(target);
  const all = await context.open.tags(from);
  // Where referrers travel, the target keeps lists of its own, which a copy of the source's would replace.
  const usable = all.filter((tag) => isTag(tag) && !(step.referrers && isReferrersTag(tag)));
  if (step.prune !== undefined) found.repositories.push({ step, from, targets, tags: usable });
  const { names, differing } = await filter.applyWithAges(usable, {
    now: () => context.clock.now(),
    createdAt: datesOf(step, from, context),
  });
  const name = formatReference(from);
  if (names.length === 0) {
    const some = usable.slice(0, 10).join(', ');
    notice(
      context,
      step,
      usable.length === 0
        ? `${name} has no tags`
        : `none of the ${usable.length} tags of ${name} passes the filters; it has ${some}${usable.length > 10 ? ', …' : ''}`,
    );
  }
  if (differing.length > 0)
    notice(
      context,
      step,
      `regsync would choose otherwise for ${differing.slice(0, 10).join(', ')} of ${name}: it takes some prereleases for equal`,
    );
  return names.flatMap((tag) => targets.map((to) => job(step, withTag(from, tag), withTag(to, tag))));
}

/** Dates of tags. Each content is looked at once: several tags point at it, and `since` and `newest` both ask. */
function datesOf(
  step: SyncStep,
  repository: RepositoryReference,
  { open, read }: ListContext,
): (tag: string) => Promise<number | undefined> {
  const known = new Map<Digest, Promise<number | undefined>>();
  return async (tag) => {
    const from = withTag(repository, tag);
    const root = await open.resolve(from);
    const source = await open.source(from);
    const pulled = { image: formatReference(from), from, rateLimit: step.rateLimit };
    const near = read && { document: async (it: Descriptor) => await read(it, source, pulled) };
    const date = known.get(root.digest) ?? createdAt(root, source, near);
    known.set(root.digest, date);
    return await date;
  };
}

async function listRepositories(step: SyncStep, context: ListContext, found: Found): Promise<readonly SyncJob[]> {
  const [source, bases] = [sourceOf(step), targetsOf(step)];
  const filter = new TagFilter(step.tagSets);
  const host = registryHost(source);
  const all = host === undefined ? await listLibrary(source, context) : await listCatalog(host, context);
  const { names } = new TagFilter([step.repos]).apply(all);
  if (names.length === 0)
    notice(context, step, `none of the ${all.length} repositories of ${source} passes the filters`);
  const ends = (repository: string): Omit<ListedRepository, 'step' | 'tags'> => ({
    from: host === undefined ? repositoryBelow(source, repository) : sourceRepository(host, repository),
    targets: bases.map((base) => repositoryBelow(base, repository)),
  });
  if (step.prune !== undefined) {
    const passing = new Set(names);
    for (const repository of all)
      if (!passing.has(repository) && isRepository(repository))
        found.repositories.push({ step, ...ends(repository), tags: undefined });
  }
  const lists: (readonly SyncJob[])[] = [];
  await eachLimited(names.entries(), context.parallel, context.signal, async ([index, repository]) => {
    try {
      lists[index] = await listTags(step, ends(repository), filter, context, found);
    } catch (error) {
      found.failed.push({
        step,
        image: redact(`${source.replace(/\/+$/, '')}/${repository}`),
        error: toOclError(error),
      });
    }
  });
  return lists.flat();
}

async function listCatalog(host: string, { catalog, signal }: ListContext): Promise<readonly string[]> {
  if (catalog === undefined)
    throw new OclError('OCL_UNSUPPORTED', `Cannot list the repositories of ${host}: this run has no catalog`, {
      hint: 'use type: repository',
    });
  const names: string[] = [];
  for await (const name of catalog(host, signal)) names.push(name);
  return names;
}

async function listLibrary(source: string, { stores }: ListContext): Promise<readonly string[]> {
  const library = await stores.library(parseReference(source));
  try {
    return await library.repositories();
  } finally {
    await library.close();
  }
}

function notice(context: ListContext, step: SyncStep, message: string): void {
  context.emit({ type: 'notice', level: 'warning', message: `${stepName(step)}: ${message}` });
}

/** Two images for one name: in regsync the later overwrites the earlier, so the earlier is not copied at all. */
function lastOfEachTarget(jobs: readonly SyncJob[], emit: Emit): readonly SyncJob[] {
  const last = new Map<string, SyncJob>();
  for (const one of jobs) last.set(imageKey(one.to), one);
  return jobs.filter((one) => {
    const winner = last.get(imageKey(one.to));
    if (winner === one || winner === undefined) return true;
    if (winner.image !== one.image || winner.step !== one.step) {
      emit({
        type: 'notice',
        level: 'warning',
        message: `${stepName(winner.step)}: ${formatReference(one.to)} is written by two steps; ${winner.image} is copied, ${one.image} of line ${one.step.place.line} is not`,
      });
    }
    return false;
  });
}
