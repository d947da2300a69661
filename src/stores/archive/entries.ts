import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isImage } from '../../core/graph.ts';
import { isIndexType } from '../../core/mediaTypes.ts';
import { composeEntry, fullName, severalRepositories } from '../../core/names.ts';
import { isTag, parseImageName } from '../../core/reference.ts';
import { type NamedRoot, type RootName } from '../../core/store.ts';
import { shown } from '../../io/tarName.ts';
import { type Documents } from './documents.ts';

/** A root with its name, and as it stands in `index.json`. */
export interface RootEntry extends NamedRoot {
  readonly entry: Descriptor;
}

/**
 * The entries of `index.json`, each name once and in one order.
 * @throws OCL_AMBIGUOUS when two contents have one name
 */
export async function composeEntries(
  names: readonly NamedRoot[],
  documents: Documents,
  platform: Platform,
): Promise<readonly RootEntry[]> {
  const roots = sortRoots(names);
  for (const { root } of roots) {
    if (!documents.has(root))
      throw new OclError(
        'OCL_INTERNAL',
        `Cannot lay out the archive: its root ${root.digest} is not among its contents`,
      );
  }
  const several = severalRepositories(roots.map(({ name }) => name));
  const found: RootEntry[] = [];
  for (const { root, name } of roots)
    found.push({
      root,
      name,
      entry: indexEntry(composeEntry(root, name, { several }), await platformOf(root, documents, platform)),
    });
  return found;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A full name that came as the tag is a full name all the same. */
function withImageName(name: RootName): RootName {
  if (name.imageName !== undefined) return { ...name, imageName: fullName(name.imageName) };
  const isFull = name.tag !== undefined && !isTag(name.tag) && parseImageName(name.tag)?.tag !== undefined;
  return isFull && name.tag !== undefined ? { tag: name.tag, imageName: fullName(name.tag) } : name;
}

/** Each name once, those without a name last and only where nothing else names them. */
function sortRoots(names: readonly NamedRoot[]): readonly NamedRoot[] {
  const found = new Map<string, NamedRoot>();
  const named = new Set<Digest>();
  for (const { root, name: given } of names) {
    const name = withImageName(given);
    const key = name.imageName ?? name.tag;
    if (key === undefined) continue;
    const other = found.get(key);
    if (other !== undefined && other.root.digest !== root.digest) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot give two images the name ${shown(key)}: ${other.root.digest} and ${root.digest}`,
      );
    }
    if (other === undefined) found.set(key, { root, name });
    named.add(root.digest);
  }
  const unnamed = new Map<Digest, NamedRoot>(
    names.filter(({ root }) => !named.has(root.digest)).map(({ root }) => [root.digest, { root, name: {} }]),
  );
  const last = '\u{10ffff}';
  return [...found.values(), ...unnamed.values()].toSorted(
    (a, b) =>
      compare(a.name.imageName ?? last, b.name.imageName ?? last) ||
      compare(a.name.tag ?? last, b.name.tag ?? last) ||
      compare(a.root.digest, b.root.digest),
  );
}

/** Readers choose by the platform of an entry; a root that comes from a registry has none yet (image-spec descriptor.md: SHOULD be set). */
async function platformOf(root: Descriptor, documents: Documents, wanted: Platform): Promise<Platform | undefined> {
  if (root.platform !== undefined || isIndexType(root.mediaType)) return root.platform;
  const image = await documents.image(root, wanted);
  if (image === undefined || image.descriptor.digest !== root.digest || !isImage(image.manifest)) return undefined;
  return (await documents.facts(image.manifest))?.platform;
}

/** Keys in one order, whatever order they came in. */
function indexEntry(entry: Descriptor, platform: Platform | undefined): Descriptor {
  const { mediaType, digest, size, annotations, artifactType } = entry;
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: inOrder(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

function inOrder(platform: Platform): Platform {
  return {
    architecture: platform.architecture,
    os: platform.os,
    'os.version': platform['os.version'],
    'os.features': platform['os.features'],
    variant: platform.variant,
  };
}
