import { ANNOTATION, type Descriptor } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { OclError } from './errors.ts';
import { printable } from './redact.ts';
import { formatReference, isTag, parseImageName, type Reference, type RegistryReference } from './reference.ts';
import { type RootName } from './store.ts';

const LISTED = 5;

/** `docker.io/library/alpine:3.20` for `alpine:3.20`; a text that is no image name stays as it is. */
export function fullName(text: string): string {
  const parsed = parseImageName(text);
  return parsed === undefined ? text : formatReference(parsed);
}

/** The short form that Docker shows and `docker load` takes: `alpine:3.20`, `grafana/loki:3`, `ghcr.io/x/y:1`. */
export function familiarName(imageName: string): string {
  const full = fullName(imageName);
  if (full.startsWith('docker.io/library/')) return full.slice('docker.io/library/'.length);
  return full.startsWith('docker.io/') ? full.slice('docker.io/'.length) : full;
}

/**
 * The name of an entry of `index.json`: `io.containerd.image.name` is a full name; `org.opencontainers.image.ref.name` is a tag, or a
 * full name. What is neither is given as the tag, so that no name gets lost.
 */
export function entryName(descriptor: Descriptor): RootName {
  const { refName, imageName } = written(descriptor);
  const parsed = parsedName(descriptor);
  const full = parsed === undefined ? imageName : formatReference(parsed);
  const tag = refName !== undefined && (isTag(refName) || tagged(refName) === undefined) ? refName : parsed?.tag;
  const isWhole = tag !== undefined && tag === full;
  return { ...(tag === undefined || isWhole ? {} : { tag }), ...(full === undefined ? {} : { imageName: full }) };
}

/**
 * The name that content keeps in a store on disk: where it comes from, or what its entry said of that before.
 * @param tag what the source was asked for, where its reference has none
 */
export function originName(source: Reference, root: Descriptor, tag: string): string | undefined {
  if (source.kind === 'registry') return `${source.registry}/${source.repository}:${source.tag ?? tag}`;
  return entryName(root).imageName;
}

/** Tags under which cosign and older clients keep what refers to an image. */
const DIGEST_TAG = /^sha\d+-[0-9a-f]{64,}/;

/**
 * How many of some entries are images that people name, and not what refers to one: those with a tag that is not made of a digest. Where none has
 * one, those with a name by digest.
 */
export function countImages(entries: readonly Descriptor[]): number {
  const names = entries.map(entryName);
  const withTag = names.filter(({ tag }) => tag !== undefined && !DIGEST_TAG.test(tag)).length;
  return withTag > 0
    ? withTag
    : names.filter(({ tag, imageName }) => tag === undefined && imageName !== undefined).length;
}

/** `docker.io/library/alpine`, when the entry has a full name. */
export function repositoryOf(descriptor: Descriptor): string | undefined {
  const parsed = parsedName(descriptor);
  return parsed === undefined ? undefined : `${parsed.registry}/${parsed.repository}`;
}

/** The tag of an entry, when it has one that a registry would take. */
export function tagOf(descriptor: Descriptor): string | undefined {
  const { tag } = entryName(descriptor);
  return tag !== undefined && isTag(tag) ? tag : undefined;
}

/** Whether names belong to more than one repository; bare tags count as a repository of their own. */
export function severalRepositories(names: readonly RootName[]): boolean {
  const seen = new Set<string>();
  for (const { tag, imageName } of names) {
    const parsed = imageName === undefined ? undefined : parseImageName(imageName);
    if (parsed !== undefined) seen.add(`${parsed.registry}/${parsed.repository}`);
    else if (imageName !== undefined || tag !== undefined) seen.add('');
  }
  return seen.size > 1;
}

/** The names that `findEntry` takes for these entries, each once and in their order: tags, or full names when there are several repositories. */
export function listNames(descriptors: readonly Descriptor[]): readonly string[] {
  const names = descriptors.map(entryName);
  const several = severalRepositories(names);
  const listed = new Set<string>();
  for (const { tag, imageName } of names) {
    const name = several ? (imageName ?? tag) : (tag ?? imageName);
    if (name !== undefined) listed.add(name);
  }
  return [...listed];
}

/**
 * The entry that answers to a digest, a tag or an image name. The name as it is written comes first, then the image name in its full
 * form (`alpine:3.20` is `docker.io/library/alpine:3.20`), then the name without its host, as bundles are listed, then a tag at the end of
 * full names. Several entries of one digest are one answer.
 * @throws OCL_NOT_FOUND, OCL_AMBIGUOUS
 */
export function findEntry(descriptors: readonly Descriptor[], wanted: string): Descriptor {
  if (isDigest(wanted)) {
    const entry = descriptors.find(({ digest }) => digest === wanted);
    if (entry !== undefined) return entry;
  }
  for (const answers of tests(wanted)) {
    const found = descriptors.filter(answers);
    const [first] = found;
    if (first === undefined) continue;
    if (found.every(({ digest }) => digest === first.digest)) return first;
    throw ambiguous(found, wanted);
  }
  throw notFound(descriptors, wanted);
}

/**
 * Whether an entry is one of those that a person means: by its digest, its tag, an image name in full or short, or `REPOSITORY:TAG` and
 * `REPOSITORY@DIGEST` as `ocl ls` prints them. Other than `findEntry` this takes every entry that answers.
 * @param repository what the entry's repository is called where it lies, without the registry as a rule
 */
export function answersTo(entry: Descriptor, wanted: string, repository: string): boolean {
  const { tag, imageName } = entryName(entry);
  const names = new Set([entry.digest, tag, imageName, `${repository}@${entry.digest}`]);
  if (tag !== undefined) names.add(`${repository}:${tag}`);
  if (names.has(wanted)) return true;
  const full = parseImageName(wanted);
  if (full === undefined) return false;
  if (names.has(formatReference(full))) return true;
  // Where nothing says which registry it came from, any may be meant.
  return imageName === undefined && full.tag !== undefined && full.tag === tag && full.repository === repository;
}

/**
 * An entry of `index.json`: the descriptor under its names, other annotations kept.
 * With several repositories ref.name is the full name, so that tools that read nothing else can tell two `latest` apart.
 */
export function composeEntry(
  descriptor: Descriptor,
  name: RootName,
  options: { readonly several: boolean },
): Descriptor {
  const { mediaType, digest, size, platform, artifactType } = descriptor;
  const image = name.imageName === undefined ? undefined : fullName(name.imageName);
  const short = name.tag ?? (image === undefined ? undefined : (parseImageName(image)?.tag ?? image));
  const refName = options.several ? (image ?? short) : short;
  const annotations = new Map(Object.entries(descriptor.annotations ?? {}));
  setOrDelete(annotations, ANNOTATION.imageName, image);
  setOrDelete(annotations, ANNOTATION.refName, refName);
  const sorted = [...annotations].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    mediaType,
    digest,
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(sorted.length === 0 ? {} : { annotations: Object.fromEntries(sorted) }),
  };
}

function setOrDelete(map: Map<string, string>, key: string, value: string | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function written(descriptor: Descriptor): {
  readonly refName: string | undefined;
  readonly imageName: string | undefined;
} {
  const { annotations } = descriptor;
  return {
    refName: annotations?.[ANNOTATION.refName] || undefined,
    imageName: annotations?.[ANNOTATION.imageName] || undefined,
  };
}

function parsedName(descriptor: Descriptor): RegistryReference | undefined {
  const { refName, imageName } = written(descriptor);
  if (imageName !== undefined) return parseImageName(imageName);
  return refName === undefined || isTag(refName) ? undefined : tagged(refName);
}

/** An image name that says which image of its repository is meant. */
function tagged(text: string): RegistryReference | undefined {
  const parsed = parseImageName(text);
  return parsed?.tag === undefined && parsed?.digest === undefined ? undefined : parsed;
}

function tests(wanted: string): readonly ((descriptor: Descriptor) => boolean)[] {
  const parsed = parseImageName(wanted);
  const full =
    parsed === undefined
      ? undefined
      : formatReference(
          parsed.tag === undefined && parsed.digest === undefined ? { ...parsed, tag: 'latest' } : parsed,
        );
  const suffix = isTag(wanted) ? `:${wanted}` : undefined;
  return [
    (entry) => written(entry).refName === wanted || written(entry).imageName === wanted,
    (entry) => full !== undefined && entryName(entry).imageName === full,
    (entry) => withoutHost(entryName(entry).imageName) === wanted,
    (entry) =>
      suffix !== undefined &&
      [written(entry).refName, written(entry).imageName].some((name) => name?.endsWith(suffix) === true),
  ];
}

/** `team/app:1.1` of `ghcr.io/team/app:1.1`. */
function withoutHost(imageName: string | undefined): string | undefined {
  return imageName?.slice(imageName.indexOf('/') + 1);
}

function quote(text: string): string {
  return printable(JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text));
}

function some(names: readonly string[]): string {
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).map(quote).join(', ')}${more}`;
}

function ambiguous(found: readonly Descriptor[], wanted: string): OclError {
  const full = found.map((entry) => entryName(entry).imageName ?? written(entry).refName);
  const names = [...new Set(full.filter((name) => name !== undefined))];
  const distinct = names.length === found.length;
  const choices = distinct ? names : [...new Set(found.map(({ digest }) => `@${digest}`))];
  return new OclError(
    'OCL_AMBIGUOUS',
    `Cannot choose ${quote(wanted)}: ${found.length} entries answer to it: ${some(choices)}`,
    {
      hint: distinct
        ? `give the full name, like ${quote(choices[0] ?? '')}`
        : `give the digest, like ${choices[0] ?? ''}`,
    },
  );
}

function notFound(descriptors: readonly Descriptor[], wanted: string): OclError {
  const names = listNames(descriptors);
  const [only] = descriptors;
  if (names.length > 0)
    return new OclError('OCL_NOT_FOUND', `Cannot find ${quote(wanted)}: there are only ${some(names)}`, {
      hint: `use one of these names, like ${quote(names.find((name) => name.endsWith(`/${wanted}`)) ?? names[0] ?? '')}`,
    });
  if (only !== undefined) {
    return new OclError(
      'OCL_NOT_FOUND',
      `Cannot find ${quote(wanted)}: the ${descriptors.length} entries have no names`,
      { hint: `give a digest, like @${only.digest}` },
    );
  }
  return new OclError('OCL_NOT_FOUND', `Cannot find ${quote(wanted)}: there is nothing in it`);
}
