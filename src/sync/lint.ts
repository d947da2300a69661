import * as z from 'zod';
import { YamlScalar, type YamlPath } from '../io/yaml.ts';
import { regsyncNumber, regsyncText } from './scalars.ts';
import { ScheduleError } from './schedule/cronText.ts';
import { readSchedule } from './schedule/schedule.ts';
import { type FileInput } from './schema.ts';
import { lintRange } from './semver.ts';
import { lintPattern } from './tagFilter.ts';

/** Receives what a person should know about an entry of the file. */
export type Warn = (path: YamlPath, message: string) => void;

/** Keys that are read and merged and have no effect yet, and what happens instead. */
const NOT_YET: Readonly<Record<string, string>> = {
  interval: 'each step runs once',
  schedule: 'each step runs once',
  ratelimit: 'images are copied without looking at the limit',
  prune: 'nothing is taken away',
  referrerSlow: 'it is ignored, as in regsync',
  blobLimit: 'it is ignored',
  cacheCount: 'it is ignored',
  cacheTime: 'it is ignored',
  userAgent: 'requests name ocl',
  api: 'it is ignored, as in regsync',
  scheme: 'it is ignored, as in regsync; write tls: disabled for http',
};

const DURATIONS: ReadonlySet<string> = new Set(['interval', 'retry', 'cacheTime', 'credExpire']);

/** Everything about a file that loads and may not mean what its author thinks. */
export function lintFile(raw: unknown, file: FileInput, schema: z.ZodType, warn: Warn): void {
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
    if (step.type === 'repository' && hasTag(step.source))
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
    if (key === 'fastCopy') warn([...path, key], 'fastCopy is read as fastCheck; regsync ignores it');
    const instead = NOT_YET[key];
    if (instead !== undefined) warn([...path, key], `${key} is not acted upon yet: ${instead}`);
  }
}

/** Whether a source names one image: what follows its last slash has a colon or an @. */
function hasTag(source: string | null | undefined): boolean {
  return /[:@][^/]*$/.test((source ?? '').replace(/^[a-z-]+:\/\//, ''));
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

/** Unquoted scalars that regsync's parser would turn into another text, and durations that it would refuse. */
function compareScalars(raw: unknown, parsed: unknown, path: YamlPath, warn: Warn): void {
  if (raw instanceof YamlScalar) {
    const theirs = regsyncText(raw.text);
    if (typeof parsed === 'string' && theirs !== raw.text)
      warn(path, `${raw.text} is kept as it is written, but regsync reads ${theirs}; put it between quotes`);
    if (typeof parsed === 'number' && DURATIONS.has(String(path.at(-1))) && regsyncNumber(raw.text) !== undefined)
      warn(path, 'a bare number counts nanoseconds, and regsync refuses it here; write a unit, like 60s');
    return;
  }
  if (typeof raw !== 'object' || raw === null || typeof parsed !== 'object' || parsed === null) return;
  const entries = Array.isArray(raw) ? [...raw.entries()] : Object.entries(raw);
  for (const [key, value] of entries)
    compareScalars(value, (parsed as Record<string | number, unknown>)[key], [...path, key], warn);
}

function findUnknown(schema: unknown, raw: unknown, path: YamlPath, warn: Warn): void {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    findUnknown(schema.unwrap(), raw, path, warn);
  } else if (schema instanceof z.ZodUnion) {
    for (const option of schema.options) findUnknown(option, raw, path, warn);
  } else if (schema instanceof z.ZodArray && Array.isArray(raw)) {
    for (const [index, item] of raw.entries()) findUnknown(schema.element, item, [...path, index], warn);
  } else if (schema instanceof z.ZodObject && typeof raw === 'object' && raw !== null) {
    for (const [key, value] of Object.entries(raw)) {
      if (Object.hasOwn(schema.shape, key)) findUnknown(schema.shape[key], value, [...path, key], warn);
      else if (!key.startsWith('x-'))
        warn(
          [...path, key],
          `the key ${JSON.stringify(key)} is unknown and ignored${didYouMean(key, Object.keys(schema.shape))}`,
        );
    }
  }
}

function didYouMean(key: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({
      name,
      far: key.toLowerCase() === name.toLowerCase() ? 0 : distance(key.toLowerCase(), name.toLowerCase()),
    }))
    .filter(({ name, far }) => far <= (name.length > 4 ? 2 : 1))
    .toSorted((a, b) => a.far - b.far)[0];
  return near === undefined ? '' : `; did you mean ${JSON.stringify(near.name)}?`;
}

/** Edits between two short texts (Levenshtein). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
