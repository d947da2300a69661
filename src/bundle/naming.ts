import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { answersTo, entryName, listNames, repositoryOf, severalRepositories } from '../core/names.ts';
import { isTag } from '../core/reference.ts';
import { type RootName } from '../core/store.ts';

/** What decides how the images of a bundle are called in their target. */
export interface NamingOptions {
  /** One layout takes all, or each repository becomes one of the target's. */
  readonly into: 'layout' | 'repositories';
  /** The registry's name becomes a part of the path: `docker.io/library/alpine`. Needed where two registries have the same path. */
  readonly scoped: boolean;
  /** The repository of entries that carry no full name. */
  readonly repository: string;
  /** Names that are taken; all when empty. */
  readonly only: readonly string[];
}

/** One root of a bundle, and where it goes. */
export interface Planned {
  readonly root: Descriptor;
  readonly repository: string;
  readonly name: RootName;
  readonly image: string;
}

/** The roots that are taken, under the names that they get. @throws OCL_NOT_FOUND, OCL_AMBIGUOUS when two would become one */
export function chooseRoots(roots: readonly Descriptor[], options: NamingOptions): readonly Planned[] {
  const several = severalRepositories(roots.map(entryName));
  const planned = roots.map((root): Planned => {
    const { tag, imageName } = entryName(root);
    const whole = repositoryOf(root);
    const repository = whole !== undefined && options.scoped ? whole.replaceAll(/[:[\]]/g, '-') : pathOf(root, options);
    const image = imageName ?? tag ?? root.digest;
    return {
      root,
      repository,
      image,
      name:
        options.into === 'layout'
          ? layoutName(root, several)
          : tag !== undefined && isTag(tag)
            ? { tag, imageName }
            : {},
    };
  });
  const { only } = options;
  const wanted =
    only.length === 0
      ? planned
      : planned.filter(({ root }) => only.some((name) => answersTo(root, name, pathOf(root, options))));
  if (roots.length === 0) throw new OclError('OCL_NOT_FOUND', 'Cannot import: the bundle holds nothing');
  if (wanted.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot import: the bundle has none of ${only.join(', ')}`, {
      hint: `it has ${namesToTake(roots).slice(0, 10).join(', ')}`,
    });
  if (!options.scoped && options.into === 'repositories') refuseCollisions(wanted);
  return wanted;
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
function layoutName(root: Descriptor, several: boolean): RootName {
  const { tag, imageName } = entryName(root);
  return {
    ...((several ? (imageName ?? tag) : tag) === undefined ? {} : { tag: several ? (imageName ?? tag) : tag }),
    ...(imageName === undefined ? {} : { imageName }),
  };
}

function refuseCollisions(planned: readonly Planned[]): void {
  const seen = new Map<string, string>();
  for (const { repository, root, image } of planned) {
    const whole = repositoryOf(root) ?? repository;
    const other = seen.get(repository);
    if (other !== undefined && other !== whole) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot import ${image}: ${other} and ${whole} would become one repository, ${repository}`,
        { hint: 'run it again with --scoped, which keeps the registries as a part of the names' },
      );
    }
    seen.set(repository, whole);
  }
}
