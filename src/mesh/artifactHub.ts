import { OclError } from '../core/errors.ts';
import { formatYaml } from '../io/yaml.ts';

export const CHANGE_KINDS = ['added', 'changed', 'deprecated', 'removed', 'fixed', 'security'] as const;

export const CATEGORIES = [
  'ai-machine-learning',
  'database',
  'integration-delivery',
  'monitoring-logging',
  'networking',
  'security',
  'storage',
  'streaming-messaging',
  'skip-prediction',
] as const;

/** What a package of Artifact Hub says of itself. Members that are not given, empty or false are left out of the file. */
export interface PackageFacts {
  /** The name as people write it; the package's own name is made from it. */
  readonly name: string;
  /** A semantic version. */
  readonly version: string;
  /** RFC 3339, with seconds. */
  readonly createdAt: string;
  readonly description?: string | undefined;
  readonly category?: string | undefined;
  readonly license?: string | undefined;
  readonly readme?: string | undefined;
  readonly install?: string | undefined;
  readonly keywords?: readonly string[] | undefined;
  readonly provider?: string | undefined;
  /** Where the file itself can be had. */
  readonly downloadUrl?: string | undefined;
  readonly maintainers?: readonly { readonly name: string; readonly email: string }[] | undefined;
  readonly changes?:
    | readonly { readonly kind: (typeof CHANGE_KINDS)[number]; readonly description: string }[]
    | undefined;
  /** References of container images that the package needs. */
  readonly images?: readonly string[] | undefined;
  readonly deprecated?: boolean | undefined;
  readonly prerelease?: boolean | undefined;
  /** Of the manifest, where the file lies outside of it: inside, it would have to name itself. */
  readonly digest?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What Meshery itself writes into the file, for packages that say nothing else. */
const MESHERY = {
  description: 'A Meshery Design',
  homeURL: 'https://docs.meshery.io/concepts/logical/designs',
  logoURL:
    'https://raw.githubusercontent.com/meshery/meshery.io/0b8585231c6e2b3251d38f749259360491c9ee6b/assets/images/brand/meshery-logo.svg',
  install: 'mesheryctl design import -f',
  catalog: { name: 'Meshery Catalog', url: 'https://meshery.io/catalog' },
} as const;

/** The order of keys, as Meshery writes them; those that it does not know stand where they belong. */
const ORDER: readonly string[] = [
  'version',
  'name',
  'alternativeName',
  'category',
  'displayName',
  'createdAt',
  'description',
  'logoPath',
  'logoURL',
  'digest',
  'license',
  'homeURL',
  'appVersion',
  'publisherID',
  'containersImages',
  'containsSecurityUpdates',
  'operator',
  'deprecated',
  'prerelease',
  'keywords',
  'links',
  'readme',
  'install',
  'changes',
  'maintainers',
  'provider',
  'ignore',
  'recommendations',
  'screenshots',
  'annotations',
];

/**
 * The `artifacthub-pkg.yml` of a design or other entity: the keys and their order as Meshery writes them, booleans as booleans.
 * Every text stands between quotes, so that no reader takes a version for a number.
 * @param before what another such file says; it stays where the facts say nothing
 * @throws OCL_USAGE for a version or time that Artifact Hub would refuse
 */
export function composePackageFile(facts: PackageFacts, before: Readonly<Record<string, unknown>> = {}): string {
  const { name, version, createdAt, provider, downloadUrl, maintainers = [], changes = [], images = [] } = facts;
  const refuse = (what: string, value: string, why: string): OclError =>
    new OclError('OCL_USAGE', `Cannot describe ${JSON.stringify(name)} for Artifact Hub: ${what} "${value}" ${why}`);
  if (!isPackageVersion(version)) throw refuse('the version', version, 'is no semantic version');
  if (!isTime(createdAt)) throw refuse('the time', createdAt, 'is not in the form of RFC 3339');
  const value: Readonly<Record<string, unknown>> = {
    name: packageName(name),
    displayName: name,
    description: MESHERY.description,
    logoURL: MESHERY.logoURL,
    homeURL: MESHERY.homeURL,
    links: [...(downloadUrl ? [{ name: 'download', url: downloadUrl }] : []), MESHERY.catalog],
    install: MESHERY.install,
    ...before,
    version,
    createdAt,
    ...unlessEmpty('description', facts.description),
    ...unlessEmpty('category', facts.category),
    ...unlessEmpty('digest', facts.digest),
    ...unlessEmpty('license', facts.license),
    ...(images.length === 0 ? {} : { containersImages: images.map((image) => ({ name: imageTitle(image), image })) }),
    ...(facts.deprecated === undefined ? {} : { deprecated: facts.deprecated || undefined }),
    ...(facts.prerelease === undefined ? {} : { prerelease: facts.prerelease || undefined }),
    ...unlessEmpty('keywords', facts.keywords),
    ...unlessEmpty('readme', facts.readme),
    ...unlessEmpty('install', facts.install),
    ...unlessEmpty('changes', changes),
    ...unlessEmpty('maintainers', maintainers),
    ...(provider ? { provider: { name: provider } } : {}),
    ...(Object.keys(facts.annotations ?? {}).length === 0 ? {} : { annotations: facts.annotations }),
  };
  const keys = ORDER.filter((key) => value[key] !== undefined);
  return formatYaml(Object.fromEntries(keys.map((key) => [key, value[key]])));
}

/** Whose a repository is, by what Artifact Hub's control panel says of it. */
export interface RepositoryFacts {
  /** The UUID that it shows for the repository. */
  readonly repositoryId?: string | undefined;
  readonly owners?: readonly { readonly name: string; readonly email: string }[] | undefined;
}

/** The `artifacthub-repo.yml` that proves whose the repository is. @param before what another such file says; it stays where the facts say nothing */
export function composeRepositoryFile(
  { repositoryId, owners }: RepositoryFacts,
  before: Readonly<Record<string, unknown>> = {},
): string {
  return formatYaml({ ...before, ...unlessEmpty('repositoryID', repositoryId), ...unlessEmpty('owners', owners) });
}

/** Lower case, white space as one dash each: how Meshery makes the name of a package. What no directory may be called is replaced too. */
export function packageName(name: string): string {
  const kebab = name
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, '-')
    .replaceAll(/[^\p{L}\p{N}._-]+-*/gu, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return kebab === '' ? 'untitled' : kebab;
}

/** What Artifact Hub takes as a version: a `v` before it and missing parts behind it are forgiven. */
export function isPackageVersion(text: string): boolean {
  return /^v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/.test(
    text,
  );
}

/** RFC 3339 as Go reads it: a date, a `T`, a time with seconds, a zone. */
export function isTime(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text.replace(',', '.')))
  );
}

/** The last part of a repository, for people: `postgres` of `docker.io/bitnami/postgres:16`. */
function imageTitle(image: string): string {
  return image.replace(/@.*$/, '').replace(/^.*\//, '').replace(/:.*$/, '');
}

function unlessEmpty<K extends string, V extends string | readonly unknown[]>(
  key: K,
  value: V | undefined,
): Partial<Record<K, V>> {
  return value === undefined || value.length === 0 ? {} : ({ [key]: value } as Record<K, V>);
}
