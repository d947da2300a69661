import { toOclError, OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { formatReference, isTag, parseReference, type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { eachLimited } from './limit.ts';
import { type OpenStores } from './openStores.ts';
import {
  checkTarget,
  endOf,
  imageKey,
  imageReference,
  registryHost,
  repositoryBelow,
  repositoryReference,
  sourceRepository,
  stepName,
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
  readonly stores: Stores;
  readonly open: OpenStores;
  readonly emit: Emit;
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly catalog?: Catalog | undefined;
}

export interface Listed {
  /** In the order of the steps; each target once. */
  readonly jobs: readonly SyncJob[];
  readonly failed: readonly FailedListing[];
}

/** What the steps ask for. Nothing is looked up yet but the lists of repositories and tags. */
export async function listJobs(steps: readonly SyncStep[], context: ListContext): Promise<Listed> {
  const lists: (readonly SyncJob[])[] = [];
  const failed: FailedListing[] = [];
  await eachLimited(steps.entries(), context.parallel, context.signal, async ([index, step]) => {
    try {
      lists[index] = await listStep(step, context, failed);
    } catch (error) {
      failed.push({ step, image: step.source === '' ? stepName(step) : step.source, error: toOclError(error) });
    }
  });
  if (context.signal?.aborted === true) throw toOclError(context.signal.reason);
  return { jobs: lastOfEachTarget(lists.flat(), context.emit), failed };
}

async function listStep(step: SyncStep, context: ListContext, failed: FailedListing[]): Promise<readonly SyncJob[]> {
  const source = endOf(step, 'source');
  const target = endOf(step, 'target');
  switch (step.type) {
    case 'image': {
      const to = imageReference(target);
      checkTarget(to);
      return [job(step, imageReference(source), to)];
    }
    case 'repository':
      return await listTags(
        step,
        { from: repositoryReference(source), to: repositoryReference(target) },
        new TagFilter(step.tagSets),
        context,
      );
    case 'registry':
      return await listRepositories(step, { source, target }, context, failed);
    default:
      throw new OclError(
        'OCL_CONFIG_INVALID',
        `Cannot run the step at ${stepName(step)}: its type is ${JSON.stringify(step.type)}`,
        { hint: 'the types are image, repository and registry' },
      );
  }
}

function job(step: SyncStep, from: Reference, to: Reference): SyncJob {
  return { step, image: formatReference(from), from, to };
}

async function listTags(
  step: SyncStep,
  { from, to }: { readonly from: RepositoryReference; readonly to: RepositoryReference },
  filter: TagFilter,
  context: ListContext,
): Promise<readonly SyncJob[]> {
  checkTarget(to);
  const all = await context.open.tags(from);
  const usable = all.filter(isTag);
  const { names, differing } = filter.apply(usable);
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
  return names.map((tag) => job(step, withTag(from, tag), withTag(to, tag)));
}

async function listRepositories(
  step: SyncStep,
  ends: { readonly source: string; readonly target: string },
  context: ListContext,
  failed: FailedListing[],
): Promise<readonly SyncJob[]> {
  const filter = new TagFilter(step.tagSets);
  const host = registryHost(ends.source);
  const all = host === undefined ? await listLibrary(ends.source, context) : await listCatalog(host, context);
  const { names } = new TagFilter([step.repos]).apply(all);
  if (names.length === 0)
    notice(context, step, `none of the ${all.length} repositories of ${ends.source} passes the filters`);
  const lists: (readonly SyncJob[])[] = [];
  await eachLimited(names.entries(), context.parallel, context.signal, async ([index, repository]) => {
    try {
      const from = host === undefined ? repositoryBelow(ends.source, repository) : sourceRepository(host, repository);
      lists[index] = await listTags(step, { from, to: repositoryBelow(ends.target, repository) }, filter, context);
    } catch (error) {
      failed.push({ step, image: `${ends.source.replace(/\/+$/, '')}/${repository}`, error: toOclError(error) });
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
