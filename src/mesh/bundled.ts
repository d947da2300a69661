import { type Descriptor } from '../core/descriptor.ts';
import { type Index } from '../core/manifest.ts';
import { parseImageName, wantedName, type Reference } from '../core/reference.ts';
import { isIndexType } from '../core/mediaTypes.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { loadDocument } from '../copy/documents.ts';
import { type Select } from '../copy/select.ts';
import { MESH_BUNDLE } from './mediaTypes.ts';
import { relocatedName, type Relocation } from './relocate.ts';

/** An image that a bundle carries. */
export interface BundledImage {
  readonly from: Source;
  readonly root: Descriptor;
  /** Its full name, as the designs of the bundle call it. */
  readonly name: string;
}

/** The images of the bundles in an input, each name once. What is no bundle has none. */
export async function bundledImages(input: Reference, stores: Stores): Promise<readonly BundledImage[]> {
  const from = await stores.source(input);
  const found = new Map<string, BundledImage>();
  for (const root of await bundleRoots(from, wantedName(input))) {
    const { document } = await loadDocument(root, from);
    if (document.kind !== 'index' || document.artifactType !== MESH_BUNDLE.artifactType) continue;
    for (const [name, entry] of imagesOf(document)) found.set(name, { from, root: entry, name });
  }
  return [...found.values()];
}

async function bundleRoots(source: Source, wanted: string | undefined): Promise<readonly Descriptor[]> {
  if (wanted !== undefined || !('roots' in source)) return [await source.resolve(wanted ?? 'latest')];
  return (await (source as LocalSource).roots()).filter(({ mediaType }) => isIndexType(mediaType));
}

function* imagesOf(index: Index): Generator<readonly [string, Descriptor]> {
  for (const entry of index.manifests) {
    const name = entry.annotations?.[MESH_BUNDLE.name];
    if (entry.annotations?.[MESH_BUNDLE.role] === 'image' && name !== undefined) yield [name, entry];
  }
}

/** Puts the images of a bundle into a registry, each under the name that `relocateImages` gives it there. */
export async function* deliverImages(
  images: readonly BundledImage[],
  relocation: Relocation,
  { stores, copier, select }: { readonly stores: Stores; readonly copier: Copier; readonly select: Select },
): AsyncGenerator<CopyResult> {
  for (const { from, root, name } of images) {
    const image = relocatedName(name, relocation);
    const reference = parseImageName(image);
    if (reference === undefined) continue;
    const to = await stores.sink(reference);
    // An image that is wanted by its digest alone has no tag there either.
    yield await copier.copy({
      from,
      to,
      root,
      name: reference.tag === undefined ? {} : { tag: reference.tag },
      image,
      select,
    });
    await to.commit();
  }
}
