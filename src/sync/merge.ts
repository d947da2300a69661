import { MEDIA } from '../core/mediaTypes.ts';
import { type DefaultsInput, type OverridableInput, type SyncInput, type TagFilterInput } from './schema.ts';
import { type ConfigPlace, type Hook, type ReferrerFilter, type SyncStep } from './settings.ts';
import { type TagSet } from './tagFilter.ts';

/** Docker schema 1 and artifact manifests have to be asked for. */
const DEFAULT_MEDIA_TYPES: readonly string[] = [
  MEDIA.dockerManifest,
  MEDIA.dockerIndex,
  MEDIA.ociManifest,
  MEDIA.ociIndex,
];
/** The least time between two looks at a rate limit, and the default, in milliseconds. */
const RATE_LIMIT_FLOOR = 5 * 60_000;

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
    target: step.target ?? '',
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

function tagSets(step: SyncInput): readonly TagSet[] {
  const sets = (step.tagSets ?? []).map((set) => tagSet(set ?? {}));
  const own = tagSet(step.tags ?? {});
  const isEmpty = own.allow.length + own.deny.length + own.semverRange.length === 0;
  return isEmpty ? sets : [...sets, own];
}

function tagSet(input: TagFilterInput): TagSet {
  return { allow: input.allow ?? [], deny: input.deny ?? [], semverRange: input.semverRange ?? [] };
}

function referrerFilter(input: NonNullable<OverridableInput['referrerFilters']>[number]): ReferrerFilter {
  return { artifactType: input?.artifactType || undefined, annotations: input?.annotations ?? {} };
}

type HookInput = NonNullable<OverridableInput['hooks']>['pre'];

function hooks(step: OverridableInput, defaults: OverridableInput): SyncStep['hooks'] {
  const hook = (name: 'pre' | 'post' | 'unchanged'): Hook | undefined =>
    readHook(step.hooks?.[name] ?? defaults.hooks?.[name]);
  return { pre: hook('pre'), post: hook('post'), unchanged: hook('unchanged') };
}

function readHook(input: HookInput): Hook | undefined {
  return input ? { type: input.type ?? '', params: input.params ?? [] } : undefined;
}
