import { compareVersions, parseLooseVersion, parseVersion, type Version } from './version.ts';

/** One version of an entity in a repository. */
export interface Release {
  /** What it is called there; other than the moving aliases it is never given to another content. */
  readonly tag: string;
  readonly version: Version;
  /** The version of the software that a model describes. The same version of two definitions is no clash then. */
  readonly model: Version | undefined;
}

/** `1.2.0_build.5` for `1.2.0+build.5`, which is no tag (as Helm does it); `v1.25.2-v1.0.0` where a model's own version is a part of it. */
export function releaseTag(version: Version, model?: Version): string {
  return tagText(model === undefined ? version.text : `${model.text}-${version.text}`);
}

/**
 * The releases among the tags of one repository, the oldest first.
 * @param paired true: each tag has two versions, that of the model's software before that of its definition
 */
export function releasesOf(tags: Iterable<string>, paired: boolean): readonly Release[] {
  const found: Release[] = [];
  for (const tag of tags) {
    const release = parseReleaseTag(tag, paired);
    if (release !== undefined) found.push(release);
  }
  return found.toSorted((a, b) => compareReleases(a, b) || (a.tag < b.tag ? -1 : 1));
}

/** Undefined for an alias, and for whatever else somebody has tagged. */
export function parseReleaseTag(tag: string, paired: boolean): Release | undefined {
  if (!paired) {
    const version = parseVersion(versionText(tag));
    return version === undefined ? undefined : { tag, version, model: undefined };
  }
  // The definition's version is at the end; what stands before it may be a prerelease with dashes of its own.
  for (let dash = tag.lastIndexOf('-'); dash > 0; dash = tag.lastIndexOf('-', dash - 1)) {
    const version = parseVersion(versionText(tag.slice(dash + 1)));
    const model = parseLooseVersion(versionText(tag.slice(0, dash)));
    if (version !== undefined && model !== undefined) return { tag, version, model };
  }
  return undefined;
}

/** Whether two tags stand for one version: `v1.0.0` and `1.0.0` do. */
export function isSameRelease(a: Release, b: Release): boolean {
  return (
    compareReleases(a, b) === 0 &&
    a.version.build === b.version.build &&
    (a.model?.build ?? '') === (b.model?.build ?? '')
  );
}

/**
 * The moving names of a repository, each with the tag of the release that it stands for: `latest`, `1`, `1.2`, and with models of several
 * software versions such a version itself. Prereleases have none.
 */
export function aliasesOf(releases: readonly Release[]): ReadonlyMap<string, string> {
  const greatest = new Map<string, Release>();
  for (const release of releases) {
    for (const alias of aliasNames(release)) {
      const other = greatest.get(alias);
      if (other === undefined || isAfter(release, other)) greatest.set(alias, release);
    }
  }
  return new Map([...greatest].map(([alias, { tag }]) => [alias, tag]));
}

/** The aliases that a release may get; none for a prerelease. */
export function aliasNames({ version, model }: Release): readonly string[] {
  if (version.prerelease.length > 0 || (model !== undefined && model.prerelease.length > 0)) return [];
  const [major, minor] = (model ?? version).numbers;
  const short = ['latest', `${major}`, `${major}.${minor}`];
  return model === undefined ? short : [...short, tagText(model.text)];
}

/** The greatest release that is smaller than this one, prereleases counted. */
export function releaseBefore(releases: readonly Release[], release: Release): Release | undefined {
  let before: Release | undefined;
  for (const other of releases) {
    if (compareReleases(other, release) >= 0) continue;
    if (before === undefined || isAfter(other, before)) before = other;
  }
  return before;
}

export function compareReleases(a: Release, b: Release): number {
  const models = a.model === undefined || b.model === undefined ? 0 : compareVersions(a.model, b.model);
  return models === 0 ? compareVersions(a.version, b.version) : models;
}

/** Versions that differ in their build metadata alone are told apart by their tags, so that the answer does not hang on the order of a listing. */
function isAfter(a: Release, b: Release): boolean {
  const order = compareReleases(a, b);
  return order > 0 || (order === 0 && a.tag > b.tag);
}

function tagText(version: string): string {
  return version.replaceAll('+', '_');
}

function versionText(tag: string): string {
  return tag.replaceAll('_', '+');
}
