import { type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { answersTo, entryName, listNames, repositoryOf, severalRepositories } from '../core/names.ts';
import { formatReference, isTag, parseImageName } from '../core/reference.ts';
import { type RootName } from '../core/store.ts';
import { placeOf, rename, type Renamed, type Renaming } from './rename.ts';

/** What decides how the images of a bundle are called in their target. */
export interface NamingOptions {
  /** One layout takes all, or each repository becomes one of the target's. */
  readonly into: 'layout' | 'repositories';
  /** Entries that one layout has already: only full names tell several repositories apart. Bare tags are taken for those of the bundle. */
  readonly beside?: readonly Descriptor[] | undefined;
  /** The registry's name becomes a part of the path: `docker.io/library/alpine`. Needed where two registries have the same path. */
  readonly scoped: boolean;
  /** The repository of entries that carry no full name. */
  readonly repository: string;
  /** Names that are taken; all when empty. */
  readonly only: readonly string[];
  /** Before every repository, with a slash between; empty for none. */
  readonly prefix: string;
  readonly renaming: Renaming;
}

/** One root of a bundle, and where it goes. */
export interface Planned {
  readonly root: Descriptor;
  readonly repository: string;
  readonly name: RootName;
  readonly image: string;
  /** It has a new name. */
  readonly renamed: boolean;
  /** What its tag (`sha256-….sig`) says that it belongs to, where it goes with that and nobody knows yet where that is. */
  readonly follows?: Digest | undefined;
}

/** The roots that are taken, under the names that they get. @throws OCL_NOT_FOUND; OCL_AMBIGUOUS when two would become one; OCL_REFERENCE_INVALID */
export function chooseRoots(roots: readonly Descriptor[], options: NamingOptions): readonly Planned[] {
  const { only } = options;
  const wanted =
    only.length === 0
      ? roots
      : roots.filter((root) => only.some((name) => answersTo(root, name, pathOf(root, options))));
  if (roots.length === 0) throw new OclError('OCL_NOT_FOUND', 'Cannot import: the bundle holds nothing');
  if (wanted.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot import: the bundle has none of ${only.join(', ')}`, {
      hint: `it has ${namesToTake(roots).slice(0, 10).join(', ')}`,
    });
  if (options.into === 'layout' && options.prefix !== '')
    throw new OclError('OCL_USAGE', 'Cannot set a prefix in one layout: it has no repositories', {
      hint: 'use --rewrite, or import into a directory of layouts',
    });
  const planned =
    options.into === 'layout'
      ? inOneLayout(
          roots.map((root) => inLayout(root, options)),
          options.beside ?? [],
        ).filter(({ root }) => wanted.includes(root))
      : wanted.map((root) => inRepository(root, options));
  const { map, rewrites } = options.renaming;
  const settled =
    map.size === 0 && rewrites.length === 0 ? planned : planned.flatMap((each) => withSubject(each, planned));
  if (options.into === 'repositories') refuseCollisions(settled, options.scoped);
  refuseSharedNames(settled);
  return settled;
}

function inRepository(root: Descriptor, options: NamingOptions): Planned {
  const { scoped, prefix } = options;
  const { tag, imageName } = entryName(root);
  const whole = repositoryOf(root);
  const found = newName(root, options);
  const own = whole !== undefined && scoped ? asPath(whole) : pathOf(root, options);
  const repository = found?.repository ?? own;
  const named = found?.tag ?? tag;
  return {
    root,
    repository: prefix === '' ? repository : `${prefix}/${repository}`,
    name: named !== undefined && isTag(named) ? { tag: named, imageName } : {},
    image: imageName ?? tag ?? root.digest,
    renamed: found !== undefined,
  };
}

/** What a renaming makes of the name of a root; undefined where it leaves it. A registry that still stands before it goes as it always does. */
function newName(root: Descriptor, options: NamingOptions): Renamed | undefined {
  const { imageName } = entryName(root);
  const own = ownName(root, options);
  const renamed = own === undefined ? undefined : rename(own, options.renaming);
  if (own === undefined || renamed === undefined) return undefined;
  const registry = imageName === undefined ? undefined : parseImageName(imageName)?.registry;
  if (registry === undefined || !renamed.startsWith(`${registry}/`)) return placeOf(own, renamed);
  const path = renamed.slice(registry.length + 1);
  return placeOf(own, options.scoped ? `${asPath(registry)}/${path}` : path);
}

function ownName(root: Descriptor, { repository }: NamingOptions): string | undefined {
  const { tag, imageName } = entryName(root);
  return imageName ?? (tag === undefined ? undefined : `${repository}:${tag}`);
}

/** A registry as a part of a repository's name. */
function asPath(registry: string): string {
  return registry.replaceAll(/[:[\]]/g, '-');
}

/**
 * Signatures of the old kind have no name of their own in a map, and rules for tags would not fit them: they go wherever what they sign goes.
 * What they sign may be a part of an image, and is found only when that has arrived.
 */
function withSubject(signature: Planned, planned: readonly Planned[]): readonly Planned[] {
  const [, algorithm = '', encoded = ''] =
    /^([a-z0-9]+)-([0-9a-f]{64})/.exec(entryName(signature.root).tag ?? '') ?? [];
  const subject = `${algorithm}:${encoded}`;
  const { tag } = entryName(signature.root);
  if (!isDigest(subject) || tag === undefined) return [signature];
  const from = repositoryOf(signature.root);
  const signed = planned.filter(({ root }) => root.digest === subject && repositoryOf(root) === from);
  if (signed.length === 0) return [{ ...signature, follows: subject }];
  const places = new Map(signed.map((image) => [`${image.repository} ${imageRepository(image.name)}`, image]));
  return [...places.values()].map(({ repository, name, renamed }) => {
    const imageName = name.imageName === undefined ? undefined : `${imageRepository(name)}:${tag}`;
    return {
      ...signature,
      repository,
      renamed,
      name: { tag: name.tag?.includes('/') === true ? imageName : tag, imageName },
    };
  });
}

function imageRepository({ imageName }: RootName): string {
  return imageName?.replace(/(?::[^/:@]+)?(?:@.+)?$/, '') ?? '';
}

function inLayout(root: Descriptor, options: NamingOptions): Planned {
  const { tag, imageName } = entryName(root);
  const own = ownName(root, options);
  const renamed = own === undefined ? undefined : rename(own, options.renaming);
  return {
    root,
    repository: '',
    name: renamed === undefined ? { tag, imageName } : fullNameOf(renamed, tag),
    image: imageName ?? tag ?? root.digest,
    renamed: renamed !== undefined,
  };
}

/** A new name without a registry lies below `localhost`, as every name does that has none. */
function fullNameOf(renamed: string, tag: string | undefined): RootName {
  const parsed = parseImageName(/^(?:[^/]*[.:][^/]*|localhost)\//.test(renamed) ? renamed : `localhost/${renamed}`);
  if (parsed === undefined)
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot import as ${JSON.stringify(renamed)}: it is no image name`);
  const named = { ...parsed, tag: parsed.tag ?? tag, digest: undefined };
  return { tag: named.tag, imageName: formatReference(named) };
}

/** The repository without its registry, as `ocl ls` calls it. */
function pathOf(root: Descriptor, { repository }: NamingOptions): string {
  const whole = repositoryOf(root);
  return whole === undefined ? repository : whole.slice(whole.indexOf('/') + 1);
}

/** What `only` takes: names, and digests where there are none. */
function namesToTake(roots: readonly Descriptor[]): readonly string[] {
  const names = listNames(roots);
  return names.length > 0 ? names : roots.map(({ digest }) => digest);
}

/** In one layout several repositories can only be told apart by full names. */
function inOneLayout(planned: readonly Planned[], beside: readonly Descriptor[]): readonly Planned[] {
  const there = beside.map(entryName).filter(({ imageName }) => imageName !== undefined);
  const several = severalRepositories([...planned.map(({ name }) => name), ...there]);
  return planned.map((each) => {
    const { tag, imageName } = each.name;
    const shown = several ? (imageName ?? tag) : tag;
    return {
      ...each,
      name: { ...(shown === undefined ? {} : { tag: shown }), ...(imageName === undefined ? {} : { imageName }) },
    };
  });
}

/** Also names with their registries may meet: `a.io:5000` and `a.io-5000` are one path. */
function refuseCollisions(planned: readonly Planned[], scoped: boolean): void {
  const seen = new Map<string, string>();
  for (const { repository, root, image, renamed } of planned) {
    if (renamed || (scoped && repositoryOf(root) === undefined)) continue;
    const whole = repositoryOf(root) ?? repository;
    const other = seen.get(repository);
    if (other !== undefined && other !== whole) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot import ${image}: ${other} and ${whole} would become one repository, ${repository}`,
        {
          hint: scoped
            ? 'give one of them another name with --map'
            : 'run it again with --scoped, which keeps the registries as a part of the names',
        },
      );
    }
    seen.set(repository, whole);
  }
}

/** One name cannot mean two contents: the target would have the last one, and nobody would be told. */
function refuseSharedNames(planned: readonly Planned[]): void {
  const byName = new Map<string, Planned>();
  for (const each of planned) {
    if (each.name.tag === undefined || each.follows !== undefined) continue;
    const key = `${each.repository}:${each.name.tag}`;
    const other = byName.get(key);
    byName.set(key, each);
    if (other === undefined || other.root.digest === each.root.digest) continue;
    if (other.image !== each.image)
      throw new OclError('OCL_AMBIGUOUS', `Cannot import ${each.image}: ${other.image} would become ${key} as well`, {
        hint: 'give one of them another name with --map',
      });
    throw new OclError(
      'OCL_AMBIGUOUS',
      `Cannot import ${each.image}: the bundle has two contents of that name, ${other.root.digest} and ${each.root.digest}`,
      { hint: `take one of them: --only ${each.root.digest}` },
    );
  }
}
