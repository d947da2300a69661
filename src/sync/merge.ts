import { MEDIA } from '../core/mediaTypes.ts';
import { type DefaultsInput, type OverridableInput, type SyncInput, type TagFilterInput } from './schema.ts';
import {
  HOOK_NAMES,
  type ConfigPlace,
  type Hook,
  type HookName,
  type Prune,
  type ReferrerFilter,
  type SyncStep,
} from './settings.ts';
import { type TagSet } from './tagFilter.ts';

/** Docker schema 1 and artifact manifests have to be asked for. */
const DEFAULT_MEDIA_TYPES: readonly string[] = [
  MEDIA.dockerManifest,
  MEDIA.dockerIndex,
  MEDIA.ociManifest,
  MEDIA.ociIndex,
];
/** The least time between two looks at a rate limit, and the default, in milliseconds. */
export const RATE_LIMIT_FLOOR = 5 * 60_000;

/**
 * A step with the defaults merged in (spec/regsync.md 1.4): flags and hooks when they are absent, texts, numbers and lists when they are empty,
 * so that an empty text cannot take a default away; `referrerFilters: []` can.
 */
export function mergeStep(step: SyncInput, defaults: DefaultsInput, place: ConfigPlace): SyncStep {
  const flag = (name: 'digestTags' | 'referrers' | 'forceRecursive' | 'includeExternal' | 'backupRequired'): boolean =>
    step[name] ?? defaults[name] ?? false;
  const text = (name: 'backup' | 'referrerSource' | 'referrerTarget'): string => step[name] || defaults[name] || '';
  const mediaTypes = [step.mediaTypes, defaults.mediaTypes].find((list) => list?.length) ?? DEFAULT_MEDIA_TYPES;
  return {
    place,
    type: step.type ?? '',
    source: step.source ?? '',
    feed: step.feed ?? '',
    targets: targetsOf(step),
    tagSets: tagSets(step),
    repos: { allow: step.repos?.allow ?? [], deny: step.repos?.deny ?? [] },
    platform: step.platform ?? '',
    platforms: step.platforms ?? [],
    digestTags: flag('digestTags'),
    referrers: flag('referrers'),
    referrerFilters: (step.referrerFilters ?? defaults.referrerFilters ?? []).map(referrerFilter),
    referrerSource: text('referrerSource'),
    referrerTarget: text('referrerTarget'),
    fastCheck: step.fastCheck ?? step.fastCopy ?? defaults.fastCheck ?? defaults.fastCopy ?? false,
    forceRecursive: flag('forceRecursive'),
    includeExternal: flag('includeExternal'),
    mediaTypes,
    backup: text('backup'),
    backupRequired: flag('backupRequired'),
    sparse: step.sparse ?? defaults.sparse ?? 'keep',
    prune: readPrune(step.prune ?? defaults.prune ?? false),
    maxAge: step.maxAge || defaults.maxAge || 0,
    onStale: step.onStale ?? defaults.onStale ?? 'warn',
    ...timing(step, defaults),
    rateLimit: {
      min: step.ratelimit?.min || defaults.ratelimit?.min || 0,
      retry: Math.max(RATE_LIMIT_FLOOR, step.ratelimit?.retry || defaults.ratelimit?.retry || 0),
    },
    hooks: hooks(step, defaults),
  };
}

/** A step that has either takes neither from the defaults; a schedule goes before an interval. */
function timing(
  step: OverridableInput,
  defaults: OverridableInput,
): { readonly interval: number; readonly schedule: string } {
  const giver = step.schedule || step.interval ? step : defaults;
  if (giver.schedule) return { interval: 0, schedule: giver.schedule };
  return { interval: giver.interval ?? 0, schedule: '' };
}

/** A step without any target has an empty one, which is told when it runs. */
function targetsOf(step: SyncInput): readonly string[] {
  const all = [step.target ?? '', ...(step.targets ?? [])].filter((target) => target !== '');
  return all.length === 0 ? [''] : [...new Set(all)];
}

function readPrune(input: NonNullable<OverridableInput['prune']>): Prune | undefined {
  if (typeof input === 'boolean') return input ? { keep: 0, grace: 0 } : undefined;
  return { keep: input.keep ?? 0, grace: input.grace ?? 0 };
}

function tagSets(step: SyncInput): readonly TagSet[] {
  const sets = (step.tagSets ?? []).map((set) => tagSet(set ?? {}));
  const own = tagSet(step.tags ?? {});
  const isEmpty =
    own.allow.length + own.deny.length + own.semverRange.length + own.newest === 0 && own.since === undefined;
  return isEmpty ? sets : [...sets, own];
}

function tagSet(input: TagFilterInput): TagSet {
  return {
    allow: input.allow ?? [],
    deny: input.deny ?? [],
    semverRange: input.semverRange ?? [],
    newest: input.newest ?? 0,
    newestBy: input.newestBy ?? 'semver',
    since: input.since ?? undefined,
  };
}

function referrerFilter(input: NonNullable<OverridableInput['referrerFilters']>[number]): ReferrerFilter {
  return { artifactType: input?.artifactType || undefined, annotations: input?.annotations ?? {} };
}

/** Milliseconds that a hook may take when it does not say. */
const HOOK_TIMEOUT = 60_000;

function hooks(step: OverridableInput, defaults: OverridableInput): SyncStep['hooks'] {
  const read: Partial<Record<HookName, Hook>> = {};
  for (const name of HOOK_NAMES) {
    const input = step.hooks?.[name] ?? defaults.hooks?.[name];
    if (input)
      read[name] = {
        type: input.type ?? '',
        params: input.params ?? [],
        timeout: input.timeout || HOOK_TIMEOUT,
        env: input.env ?? {},
      };
  }
  return read;
}
