import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, OclError } from '../core/errors.ts';
import { isTag } from '../core/reference.ts';
import { type RootName, type Source } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { loadDocument } from '../copy/documents.ts';
import { MESH_ANNOTATION } from './mediaTypes.ts';
import {
  aliasesOf,
  aliasNames,
  isSameRelease,
  parseReleaseTag,
  releaseBefore,
  releasesOf,
  releaseTag,
  type Release,
} from './release.ts';
import { type Shelf } from './shelves.ts';
import { nextVersion, parseLooseVersion, parseVersion, type Version } from './version.ts';

/** The release that one follows: what its manifest says of it. */
export interface Chain {
  readonly version: string;
  readonly digest: Digest;
}

/** An entity that can become a release. */
export interface Publishable {
  /** As messages call it. */
  readonly name: string;
  /** Undefined where the document says none: then each new content gets the version after the last. */
  readonly version: string | undefined;
  /** Of a model: the version of its software, which is a part of the tag. */
  readonly modelVersion: string | undefined;
  /** The same arguments always give the same digest. What was packed before is given as it is. */
  build(release: { readonly version: string; readonly previous: Chain | undefined }): {
    readonly from: Source;
    readonly root: Descriptor;
  };
}

export interface Published {
  readonly name: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** `replaced`: the tag had another content, and that was forced. */
  readonly outcome: 'published' | 'unchanged' | 'replaced';
  /** What the tag had before it was replaced. */
  readonly replaced: Digest | undefined;
  readonly previous: Chain | undefined;
  /** Moving names that point to another release now. */
  readonly aliases: Readonly<Record<string, string>>;
}

export interface PublishOptions {
  readonly copier: Copier;
  /** A version that is there with another content is replaced. */
  readonly force: boolean;
}

/** Publishers who work at the same time see each other's releases at the latest after so many looks. */
const LOOKS = 5;

/**
 * Publishes one entity as an immutable version, and moves `latest`, `1`, `1.2` to the greatest release.
 * @throws OCL_EXISTS when the version is there with another content, naming both digests
 */
export async function publish(item: Publishable, shelf: Shelf, options: PublishOptions): Promise<Published> {
  const paired = item.modelVersion !== undefined;
  const source = await shelf.source();
  const releases = await releasesAt(source, paired);
  const target = await chooseRelease(item, releases, source);
  const before = releases.find((release) => isSameRelease(release, target));
  const found = before === undefined ? undefined : await foundAs(item, before, source);
  if (before !== undefined && found?.same === true) {
    const aliases = await moveAliases(before, shelf, options);
    return {
      ...facts(item, shelf, before.tag),
      digest: found.digest,
      outcome: 'unchanged',
      replaced: undefined,
      previous: found.chain,
      aliases,
    };
  }
  const previous = await chainBefore(target, releases, source);
  const { from, root } = item.build({ version: target.version.text, previous });
  if (found !== undefined && !options.force)
    throw new OclError(
      'OCL_EXISTS',
      `Cannot publish ${item.name} ${target.version.text}: ${shelf.name}:${target.tag} is ${found.digest}, and this is ${root.digest}`,
      { hint: 'give it a version of its own: ocl mesh bump FILE; or replace what is there with --force' },
    );
  const name = shelf.nameOf(target.tag);
  await copyTo(shelf, { from, root, name, image: `${shelf.name}:${target.tag}` }, options.copier);
  const aliases = await moveAliases(target, shelf, options);
  return {
    ...facts(item, shelf, target.tag),
    digest: root.digest,
    outcome: found === undefined ? 'published' : 'replaced',
    replaced: found?.digest,
    previous,
    aliases,
  };
}

function facts(item: Publishable, shelf: Shelf, tag: string): Pick<Published, 'name' | 'repository' | 'tag'> {
  return { name: item.name, repository: shelf.name, tag };
}

/** The releases that are in a repository, the oldest first; none where there is none. */
export async function releasesAt(source: Source | undefined, paired: boolean): Promise<readonly Release[]> {
  return releasesOf(await listTags(source), paired);
}

async function listTags(source: Source | undefined): Promise<readonly string[]> {
  if (source === undefined) return [];
  const tags: string[] = [];
  try {
    for await (const tag of source.tags()) tags.push(tag);
  } catch (error) {
    if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
  }
  return tags;
}

/** The version that the document says; else that of the last release when nothing has changed since, or the one after it. */
async function chooseRelease(
  item: Publishable,
  releases: readonly Release[],
  source: Source | undefined,
): Promise<Release> {
  if (item.version !== undefined) return asRelease(item, item.version);
  const last = releases.at(-1);
  if (last === undefined) return asRelease(item, nextVersion(undefined));
  const { same } = await foundAs(item, last, source);
  return same ? last : asRelease(item, nextVersion(last.version));
}

function asRelease(item: Publishable, text: string): Release {
  const version = versionOf(item, text);
  const model = item.modelVersion === undefined ? undefined : parseLooseVersion(item.modelVersion);
  const tag = releaseTag(version, model);
  const release = isTag(tag) ? parseReleaseTag(tag, model !== undefined) : undefined;
  if (release === undefined)
    throw new OclError('OCL_UNSUPPORTED', `Cannot publish ${item.name} ${text}: ${JSON.stringify(tag)} is no tag`);
  return { ...release, version, model };
}

function versionOf(item: Publishable, text: string): Version {
  const version = parseVersion(text);
  if (version !== undefined) return version;
  throw new OclError(
    'OCL_DOCUMENT_INVALID',
    `Cannot publish ${item.name}: its version ${JSON.stringify(text)} is not of Semantic Versioning (1.2.3)`,
    { hint: 'write one like 1.0.0 into the document; from then on ocl mesh bump counts it up' },
  );
}

interface Found {
  readonly digest: Digest;
  readonly chain: Chain | undefined;
  /** Whether this content, with the chain that the release has, gives that very manifest. */
  readonly same: boolean;
}

/** A release that came in between since must not make the same content another one: the chain that is there is taken. */
async function foundAs(item: Publishable, release: Release, shelved: Source | undefined): Promise<Found> {
  // Whoever knows a release has found it there.
  const source = shelved as Source;
  const there = await source.resolve(release.tag);
  const { document } = await loadDocument(there, source);
  const chain = chainOf(document.annotations);
  const { root } = item.build({ version: release.version.text, previous: chain });
  return { digest: there.digest, chain, same: root.digest === there.digest };
}

/** What a release says of the one before it. */
export function chainAnnotations(previous: Chain | undefined): Readonly<Record<string, string>> {
  if (previous === undefined) return {};
  return {
    [MESH_ANNOTATION.previousVersion]: previous.version,
    [MESH_ANNOTATION.previousDigest]: previous.digest,
  };
}

export function chainOf(annotations: Readonly<Record<string, string>> | undefined): Chain | undefined {
  const version = annotations?.[MESH_ANNOTATION.previousVersion];
  const digest = annotations?.[MESH_ANNOTATION.previousDigest];
  return version === undefined || digest === undefined ? undefined : { version, digest: digest as Digest };
}

async function chainBefore(
  target: Release,
  releases: readonly Release[],
  source: Source | undefined,
): Promise<Chain | undefined> {
  const before = releaseBefore(releases, target);
  if (before === undefined || source === undefined) return undefined;
  const { digest } = await source.resolve(before.tag);
  return { version: before.tag, digest };
}

interface Copied {
  readonly from: Source;
  readonly root: Descriptor;
  readonly name: RootName;
  readonly image: string;
}

async function copyTo(shelf: Shelf, copied: Copied, copier: Copier): Promise<void> {
  await copier.copy({ ...copied, to: shelf.sink, select: { referrers: true, digestTags: true } });
  await shelf.sink.commit();
}

/**
 * Points the aliases of one release where they belong, going by the tags that are there now. Whoever publishes at the same time does the
 * same, so it is looked again until nothing is to be done.
 */
async function moveAliases(
  release: Release,
  shelf: Shelf,
  { copier }: PublishOptions,
): Promise<Readonly<Record<string, string>>> {
  const moved = new Map<string, string>();
  const names = aliasNames(release);
  for (let look = 0; look < LOOKS && names.length > 0; look++) {
    const source = await shelf.source();
    if (source === undefined) break;
    const all = aliasesOf(await releasesAt(source, release.model !== undefined));
    let changed = false;
    for (const alias of names) {
      const tag = all.get(alias);
      if (tag === undefined) continue;
      const root = await source.resolve(tag);
      if ((await existing(source, alias))?.digest === root.digest) continue;
      const name = shelf.nameOf(alias);
      await copyTo(shelf, { from: source, root, name, image: `${shelf.name}:${alias}` }, copier);
      moved.set(alias, tag);
      changed = true;
    }
    if (!changed) break;
  }
  return Object.fromEntries(moved);
}

async function existing(source: Source, tag: string): Promise<Descriptor | undefined> {
  try {
    return await source.resolve(tag);
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}
