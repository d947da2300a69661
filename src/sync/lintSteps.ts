import { OclError } from '../core/errors.ts';
import { type YamlPath } from '../io/yaml.ts';
import { type Warn } from './lintKeys.ts';
import { lintPlatform } from './lintPlatforms.ts';
import { lintSecrets } from './lintSecrets.ts';
import { hasTag, lintTagFilter } from './lintTags.ts';
import { RATE_LIMIT_FLOOR } from './merge.ts';
import {
  checkTarget,
  imageKey,
  imageReference,
  registryHost,
  repositoryBelow,
  repositoryKey,
  repositoryReference,
} from './references.ts';
import { ScheduleError } from './schedule/cronText.ts';
import { readSchedule } from './schedule/schedule.ts';
import { type DefaultsInput, type FileInput, type SyncInput } from './schema.ts';
import { HOOK_NAMES, type SyncStep } from './settings.ts';

export interface LintContext {
  readonly warn: Warn;
  /** The file is for `ocl sync server`: steps that never run are a fault. */
  readonly server: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * What only a look at the whole file tells, and what is worth a remark but not at every run.
 * @param file as it was read
 * @param steps the steps of the file, in its order, with defaults merged in and templates expanded
 */
export function lintSteps(file: FileInput, steps: readonly SyncStep[], context: LintContext): void {
  const { warn } = context;
  lintSecrets(file, warn);
  lintPriorities(file, warn);
  lintShared(file.defaults ?? {}, ['defaults'], context);
  for (const [index, input] of (file.sync ?? []).entries()) {
    const [step, path] = [steps[index], ['sync', index]];
    if (step === undefined) continue;
    lintShared(input ?? {}, path, context);
    lintEnds(step, path, warn);
    lintUseless(input ?? {}, step, path, warn);
    for (const [key, texts] of [
      ['platform', step.platform === '' ? [] : [step.platform]],
      ['platforms', step.platforms],
    ] as const) {
      for (const [at, text] of texts.entries()) {
        const found = lintPlatform(text);
        if (found !== undefined)
          warn(key === 'platform' ? [...path, key] : [...path, key, at], found.message, found.level);
      }
    }
    for (const [at, filter] of (input?.tagSets ?? []).entries()) lintTagFilter(filter, [...path, 'tagSets', at], warn);
    lintTagFilter(input?.tags, [...path, 'tags'], warn);
  }
  lintSchedules(steps, context);
  lintTargets(steps, warn);
}

/**
 * Templates that leave nothing where a registry should stand, since a variable is not set: what is left is a path.
 * @param input before its templates are expanded
 * @param step after that
 */
export function lintExpanded(input: SyncInput, step: SyncStep, path: YamlPath, warn: Warn): void {
  const targets = [input.target ?? '', ...(input.targets ?? [])];
  for (const [key, raw, ends] of [
    ['source', input.source ?? '', [step.source]],
    ['target', targets.find((target) => target.startsWith('{{')) ?? '', step.targets],
  ] as const) {
    const lost = ends.find((end) => end.startsWith('/'));
    if (raw.startsWith('{{') && lost !== undefined)
      warn(
        [...path, key],
        `the template of ${key} gives a path of this machine, ${JSON.stringify(lost)}; is a variable not set?`,
      );
  }
}

/** Regsync's documentation says the reverse of what it does. */
function lintPriorities(file: FileInput, warn: Warn): void {
  const hosts = file.creds ?? [];
  if (!hosts.some((host) => host?.mirrors?.length)) return;
  for (const [index, host] of hosts.entries()) {
    if (host?.priority)
      warn(
        ['creds', index, 'priority'],
        'lower numbers are asked first, as in regsync, whose documentation says the reverse; 0 when absent',
        'info',
      );
  }
}

/** What defaults and steps have in common. */
function lintShared(input: DefaultsInput | SyncInput, path: YamlPath, { warn, now }: LintContext): void {
  const retry = input.ratelimit?.retry;
  if (retry && retry < RATE_LIMIT_FLOOR)
    warn([...path, 'ratelimit', 'retry'], 'less than 5m is read as 5m, as in regsync');
  if (input.schedule && neverComes(input.schedule, now))
    warn([...path, 'schedule'], `the schedule ${JSON.stringify(input.schedule)} never comes`);
  for (const name of HOOK_NAMES) {
    const hook = input.hooks?.[name];
    if (!hook) continue;
    const at = [...path, 'hooks', name];
    if (!['exec', 'webhook'].includes(hook.type ?? ''))
      warn(at, 'the type must be exec or webhook: this hook will fail');
    else if ((hook.params ?? []).length === 0)
      warn(at, `params must have ${hook.type === 'exec' ? 'a program' : 'a URL'}: this hook will fail`);
  }
}

function neverComes(schedule: string, now: number): boolean {
  try {
    return readSchedule(schedule, 0)?.next(now) === undefined;
  } catch (error) {
    if (error instanceof ScheduleError) return false;
    throw error;
  }
}

/** Ends that cannot be read make a step fail as a whole. */
function lintEnds(step: SyncStep, path: YamlPath, warn: Warn): void {
  const { type } = step;
  if (step.source.trim() === '') {
    if (type !== 'feed') warn(path, 'the step has no source: it will fail');
    else if (step.feed === '') warn(path, 'the step has neither feed nor source: it will fail');
  } else if (type !== 'repository' || !hasTag(step.source)) {
    // A tag in the source of a repository is told of whenever the file is read.
    tell([...path, 'source'], () => readSource(step));
  }
  for (const target of step.targets) {
    if (target.trim() === '') warn(path, 'the step has no target: it will fail');
    else tell([...path, 'target'], () => readTarget(type, target));
  }

  function tell(at: YamlPath, read: () => unknown): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof OclError)) throw error;
      warn(at, `${error.message}: this step will fail`);
    }
  }
}

function readSource({ type, source }: SyncStep): void {
  if (type === 'repository') repositoryReference(source.trim());
  else if (type === 'registry') {
    const host = registryHost(source.trim());
    if (host === 'docker.io' || host === 'ghcr.io')
      throw new OclError('OCL_UNSUPPORTED', `Cannot list the repositories of ${host}: it has no list of them`);
  } else imageReference(source.trim());
}

/** The key of what is written: equal keys are one place. */
function readTarget(type: string, target: string): string {
  if (type === 'registry') return `${repositoryKey(repositoryBelow(target.trim(), 'x'))}/`;
  const reference = type === 'repository' ? repositoryReference(target.trim()) : imageReference(target.trim());
  checkTarget(reference);
  return type === 'repository' ? repositoryKey(reference) : imageKey(reference);
}

/** Keys that have no effect where they stand. */
function lintUseless(input: SyncInput, step: SyncStep, path: YamlPath, warn: Warn): void {
  const { type } = step;
  const listed = type === 'repository' || type === 'registry';
  const useless: readonly (readonly [keyof SyncInput, boolean, string])[] = [
    ['tags', !listed, 'it filters the tags of repositories, and this step is none'],
    ['tagSets', !listed, 'it filters the tags of repositories, and this step is none'],
    ['prune', !listed, 'only a list of tags tells that one is gone, and this step names its image'],
    ['repos', type !== 'registry', 'it filters the repositories of a registry'],
    ['feed', type !== 'feed', 'it is for type: feed'],
    ['maxAge', type !== 'feed', 'it is for type: feed'],
    ['onStale', type !== 'feed' || step.maxAge === 0, 'it is for type: feed with maxAge'],
    ['sparse', step.platforms.length === 0, 'it is for steps with platforms'],
    ['backupRequired', step.backup === '', 'there is no backup'],
    ['referrerFilters', !step.referrers, 'it needs referrers: true'],
    ['referrerSource', !step.referrers && !step.digestTags, 'it needs referrers or digestTags'],
    ['referrerTarget', !step.referrers && !step.digestTags, 'it needs referrers or digestTags'],
  ];
  for (const [key, isUseless, why] of useless)
    if (isUseless && input[key] !== undefined && input[key] !== null && input[key] !== false)
      warn([...path, key], `${key} has no effect here: ${why}`);
}

function lintSchedules(steps: readonly SyncStep[], { warn, server }: LintContext): void {
  const level = server ? 'warning' : 'info';
  const idle = [...steps.entries()].filter(([, { interval, schedule }]) => interval === 0 && schedule === '');
  if (idle.length === steps.length && steps.length > 0)
    warn(['sync'], 'no step has an interval or a schedule: ocl sync server has nothing to do', level);
  else
    for (const [index] of idle)
      warn(['sync', index], 'the step has no interval and no schedule: ocl sync server leaves it out', level);
}

/** Of steps that write one target the last alone does. */
function lintTargets(steps: readonly SyncStep[], warn: Warn): void {
  const writers = new Map<string, { readonly index: number; readonly step: SyncStep }>();
  for (const [index, step] of [...steps.entries()].toReversed()) {
    for (const target of new Set(step.targets)) {
      const key = keyOrNothing(step.type, target);
      if (key === undefined) continue;
      const later = writers.get(key);
      if (later === undefined) writers.set(key, { index, step });
      else lintTwice(step, later.step, target, ['sync', index], warn);
    }
  }
}

function lintTwice(step: SyncStep, later: SyncStep, target: string, path: YamlPath, warn: Warn): void {
  const { line } = later.place;
  const same = step.source === later.source && step.type === later.type;
  const filters = ({ tagSets, repos, platform, platforms }: SyncStep): string =>
    JSON.stringify([tagSets, repos, platform, platforms]);
  if (step.type === 'image' || step.type === 'feed')
    warn(path, `line ${line} writes ${target} again: what this step copies there is not kept`);
  else if (same && filters(step) === filters(later)) warn(path, `line ${line} has the same source, target and filters`);
  else if (!same)
    warn(path, `line ${line} writes to ${target} too: of tags that both have, the one from there is kept`);
}

function keyOrNothing(type: string, target: string): string | undefined {
  try {
    return readTarget(type, target);
  } catch {
    return undefined;
  }
}
