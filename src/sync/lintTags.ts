import { type YamlPath } from '../io/yaml.ts';
import { type Warn } from './lintKeys.ts';
import { type TagFilterInput } from './schema.ts';
import { parseVersion } from './semver.ts';

/** Filters of tags through which nothing can come, as far as a look at them tells. */
export function lintTagFilter(filter: TagFilterInput | null | undefined, path: YamlPath, warn: Warn): void {
  const allow = filter?.allow ?? [];
  for (const [index, pattern] of allow.entries()) {
    if (namesRepository(pattern))
      warn(
        [...path, 'allow', index],
        `the pattern ${JSON.stringify(pattern)} fits no tag: patterns are for the tag alone, without the repository`,
      );
  }
  for (const [index, pattern] of (filter?.deny ?? []).entries()) {
    if (/^(?:\.\*|\.\+|\(\.\*\)|\*)$/.test(pattern))
      warn([...path, 'deny', index], `the pattern ${JSON.stringify(pattern)} denies every tag: nothing is copied`);
  }
  if (!filter?.newest || (filter.newestBy ?? 'semver') !== 'semver') return;
  const names = allow.map(plainTag);
  if (names.length > 0 && names.every((name) => name !== undefined && parseVersion(name) === undefined))
    warn(
      [...path, 'newest'],
      'newest goes by versions, and none of the tags under allow is one; write newestBy: date, or take newest away',
    );
}

/** Tags have neither colons nor slashes; groups and classes of expressions may. */
function namesRepository(pattern: string): boolean {
  return /[:/]/.test(pattern.replaceAll(/\(\?[A-Za-z-]*:/g, '(').replaceAll(/\[\[?[^\]]*\]?\]/g, ''));
}

/** The tag that a pattern stands for, when it stands for one. */
function plainTag(pattern: string): string | undefined {
  const text = pattern.replaceAll(/\\([.-])/g, '$1');
  return /^[A-Za-z0-9_.-]+$/.test(text) ? text : undefined;
}

/** Whether a source, its templates not expanded, names one image: what follows its last slash has a colon or an @. */
export function hasTag(source: string): boolean {
  return /[:@][^/]*$/.test(source.trim().replace(/^(?:[a-z]+:\/\/|oci:|oci-archive:|docker-archive:)/, ''));
}
