import { type ZodType } from 'zod';
import { type YamlPath } from '../io/yaml.ts';
import { compareScalars, findUnknown, type Warn } from './lintKeys.ts';
import { ScheduleError } from './schedule/cronText.ts';
import { readSchedule } from './schedule/schedule.ts';
import { hasTag } from './lintTags.ts';
import { type FileInput } from './schema.ts';
import { lintRange } from './semver.ts';
import { lintPattern } from './tagFilter.ts';

/** Keys that change nothing, and why that is right. */
const IGNORED: Readonly<Record<string, string>> = {
  referrerSlow: 'referrers in layouts are always found',
  blobLimit: 'contents flow through in small pieces, so that nothing has to be bounded',
  cacheCount: 'a run asks for nothing twice, and what a tag points at must be asked in every run',
  cacheTime: 'a run asks for nothing twice, and what a tag points at must be asked in every run',
  repoAuth: 'tokens are always kept for each repository',
  api: 'there is one API of registries, as in regsync',
};

/** Everything about a file that loads and may not mean what its author thinks. */
export function lintFile(raw: unknown, file: FileInput, schema: ZodType, warn: Warn): void {
  findUnknown(schema, raw, [], warn);
  compareScalars(raw, file, [], warn);
  for (const [index, host] of (file.creds ?? []).entries()) nameUnused(host, ['creds', index], warn);
  nameUnused(file.defaults, ['defaults'], warn);
  lintSchedule(file.defaults?.schedule, ['defaults', 'schedule'], warn);
  for (const [index, step] of (file.sync ?? []).entries()) {
    const path = ['sync', index];
    if (!step) continue;
    nameUnused(step, path, warn);
    lintSchedule(step.schedule, [...path, 'schedule'], warn);
    if (!['image', 'repository', 'registry', 'feed'].includes(step.type ?? ''))
      warn([...path, 'type'], 'the type must be image, repository, registry or feed: this step will fail');
    if (step.type === 'repository' && hasTag(step.source ?? ''))
      warn(
        [...path, 'source'],
        'the source of a repository step has a tag: this step will fail; use type: image, or take the tag away and name it under tags',
      );
    for (const [at, filter] of (step.tagSets ?? []).entries()) lintFilter(filter, [...path, 'tagSets', at], warn);
    lintFilter(step.tags, [...path, 'tags'], warn);
    lintFilter(step.repos, [...path, 'repos'], warn);
  }
}

function nameUnused(section: object | null | undefined, path: YamlPath, warn: Warn): void {
  for (const [key, value] of Object.entries(section ?? {})) {
    if (value === null || value === undefined || value === '' || value === false || value === 0) continue;
    const at = [...path, key];
    if (key === 'fastCopy') warn(at, 'fastCopy is read as fastCheck; regsync ignores it');
    if (key === 'scheme') warn(at, 'scheme changes nothing, as in regsync; write tls: disabled for http');
    const why = IGNORED[key];
    if (why !== undefined) warn(at, `${key} changes nothing: ${why}`, 'info');
  }
}

function lintSchedule(schedule: string | null | undefined, path: YamlPath, warn: Warn): void {
  try {
    readSchedule(schedule ?? '', 0);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    warn(path, `the schedule ${JSON.stringify(schedule)} cannot be used: ${error.message}`);
  }
}

type Patterns = {
  allow?: readonly string[] | null | undefined;
  deny?: readonly string[] | null | undefined;
  semverRange?: readonly string[] | null | undefined;
};

function lintFilter(filter: Patterns | null | undefined, path: YamlPath, warn: Warn): void {
  for (const [key, check] of [
    ['allow', lintPattern],
    ['deny', lintPattern],
    ['semverRange', lintRange],
  ] as const) {
    for (const [index, text] of (filter?.[key] ?? []).entries()) {
      const message = check(text);
      if (message !== undefined) warn([...path, key, index], message);
    }
  }
}
