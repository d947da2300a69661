import { OclError } from '../core/errors.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { type YamlPath } from '../io/yaml.ts';
import { stepName } from './references.ts';
import { type HostInput } from './schema.ts';
import { type SyncStep } from './settings.ts';
import { expandTemplate, type Surroundings } from './template/template.ts';
import { goDuration } from './template/time.ts';
import { GoStruct, TemplateError, type Value } from './template/values.ts';

/** Ends the reading of a file because of what stands at a place in it. */
export type Fail = (path: YamlPath, why: string) => never;

const HOST_TEXTS = ['registry', 'user', 'pass', 'token', 'regcert', 'clientCert', 'clientKey'] as const;

/**
 * An entry of `creds` with its templates expanded; those know the environment and files alone (spec/regsync.md 1.5).
 * Regsync leaves `token` out, which has to stand in clear there.
 */
export function expandHost(host: HostInput, path: YamlPath, surroundings: Surroundings, fail: Fail): HostInput {
  const expanded = { ...host };
  for (const key of HOST_TEXTS) {
    const text = host[key];
    if (text) expanded[key] = expandAt(text, null, [...path, key], surroundings, fail);
  }
  return expanded;
}

/**
 * A step with the templates of its ends expanded, in regsync's order: `source`, `referrerSource`, `target`, `referrerTarget`.
 * Each sees the text of those before it, except that the expanded target is not seen by `referrerTarget` (spec/regsync.md 1.5).
 */
export function expandStep(step: SyncStep, path: YamlPath, surroundings: Surroundings, fail: Fail): SyncStep {
  const data = (seen: SyncStep): GoStruct => new GoStruct('the data', { Sync: stepData(seen) });
  const expand = (key: 'source' | 'referrerSource' | 'referrerTarget', seen: SyncStep): string =>
    expandAt(step[key], data(seen), [...path, key], surroundings, fail);
  const withSource = { ...step, source: expand('source', step) };
  const seen = { ...withSource, referrerSource: expand('referrerSource', withSource) };
  const targets = step.targets.map((target) => expandAt(target, data(seen), [...path, 'target'], surroundings, fail));
  return { ...seen, targets, referrerTarget: expand('referrerTarget', seen) };
}

/** The backup of a step, expanded for one image: `.Ref` is the target (spec/regsync.md 1.9). @throws OCL_CONFIG_INVALID */
export function expandBackup(step: SyncStep, target: Reference, surroundings: Surroundings): string {
  const seen = stepData(step);
  const data = new GoStruct('the data', { Ref: referenceData(target), Sync: seen, Step: seen });
  return expandAt(step.backup, data, ['backup'], surroundings, (_, why) => {
    throw new OclError('OCL_CONFIG_INVALID', `Cannot back up ${formatReference(target)}: ${stepName(step)}: ${why}`);
  });
}

function referenceData(reference: Reference): GoStruct {
  const text = formatReference(reference);
  const isRegistry = reference.kind === 'registry';
  return new GoStruct('the reference', {
    Scheme: isRegistry ? 'reg' : 'ocidir',
    Reference: text,
    Registry: isRegistry ? reference.registry : '',
    Repository: isRegistry ? reference.repository : '',
    Tag: reference.tag ?? '',
    Digest: reference.digest ?? '',
    Path: isRegistry ? '' : reference.path,
    CommonName: () => text,
    IsSet: () => true,
    IsSetRepo: () => true,
    IsZero: () => false,
  });
}

function expandAt(text: string, data: Value, path: YamlPath, surroundings: Surroundings, fail: Fail): string {
  try {
    return expandTemplate(text, data, surroundings);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const where = error.at === undefined ? '' : ` at character ${error.at + 1}`;
    return fail(path, `the template of ${String(path.at(-1))} cannot be expanded: ${error.message}${where}`);
  }
}

/** A step as templates see it: Go's names of regsync's fields. */
function stepData(step: SyncStep): GoStruct {
  const own = step.tagSets.at(-1);
  const filter = ({ allow, deny, semverRange }: Filter): GoStruct =>
    new GoStruct('the tag filter', { Allow: allow, Deny: deny, SemverRange: semverRange ?? [] });
  return new GoStruct('the step', {
    Source: step.source,
    Target: step.targets[0] ?? '',
    Type: step.type,
    Tags: filter(own ?? { allow: [], deny: [] }),
    TagSets: step.tagSets.map(filter),
    Repos: new GoStruct('the filter of repositories', { Allow: step.repos.allow, Deny: step.repos.deny }),
    DigestTags: step.digestTags,
    Referrers: step.referrers,
    ReferrerFilters: step.referrerFilters.map(
      ({ artifactType, annotations }) =>
        new GoStruct('the filter of referrers', {
          ArtifactType: artifactType ?? '',
          Annotations: new Map(Object.entries(annotations)),
        }),
    ),
    ReferrerSrc: step.referrerSource,
    ReferrerTgt: step.referrerTarget,
    Platform: step.platform,
    Platforms: step.platforms,
    FastCheck: step.fastCheck,
    ForceRecursive: step.forceRecursive,
    IncludeExternal: step.includeExternal,
    Backup: step.backup,
    Interval: goDuration(step.interval),
    Schedule: step.schedule,
    RateLimit: new GoStruct('the rate limit', {
      Min: step.rateLimit.min,
      Retry: goDuration(step.rateLimit.retry),
    }),
    MediaTypes: step.mediaTypes,
  });
}

interface Filter {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly semverRange?: readonly string[];
}
