import { createScratch } from '../artifact/scratch.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { toJsonBytes } from '../core/json.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type RootName, type Sink, type Source } from '../core/store.ts';
import { type Copier, type CopyRequest, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { type EntityKind } from './entity.ts';
import { MESH_BUNDLE } from './mediaTypes.ts';
import { entityRepository, entityTag } from './naming.ts';
import { localName } from './shelves.ts';

export type PartRole = EntityKind | 'image';

/** One thing that a bundle carries. */
export interface BundlePart {
  readonly role: PartRole;
  /** Its full name: `docker.io/library/nginx:1.27` of an image, `localhost/designs/shop:1.0.0` of what was packed here. */
  readonly name: string;
  readonly from: Source;
  readonly root: Descriptor;
}

/** What a bundle should carry, and does not. */
export interface MissingPart {
  readonly role: PartRole;
  readonly name: string;
  /** Where it was asked for, and what came of it. */
  readonly asked: readonly string[];
  /** Who needs it: `Deployment web of the design shop`. */
  readonly neededBy: readonly string[];
}

export interface BundleContents {
  /** Of the first design. */
  readonly title: string;
  readonly version: string;
  readonly parts: readonly BundlePart[];
  readonly missing: readonly MissingPart[];
}

/** The full name of a bundle where it has no other: `localhost/bundles/shop:1.0.0`. */
export function bundleName({ title, version }: BundleContents, tag?: string): string {
  const repository = entityRepository({ kind: 'design', name: title }).replace(/^designs/, 'bundles');
  return localName(repository, tag ?? entityTag({ kind: 'design', version, modelVersion: undefined }));
}

export interface WriteBundleOptions {
  readonly copier: Copier;
  readonly select: Select;
  /** The name of the index. */
  readonly name: RootName;
  /** The parts get their own names in the target as well, so that they can be imported one by one. A registry's repository has no place for those. */
  readonly named: boolean;
}

/**
 * Writes a bundle: the parts, and an index of them under one name. The same parts give the same index.
 * @returns the results of the parts in their order, that of the index last
 * @throws the first failure; the sink is not committed then
 */
export async function writeBundle(
  contents: BundleContents,
  to: Sink,
  options: WriteBundleOptions,
): Promise<readonly CopyResult[]> {
  const { copier, select } = options;
  const requests = contents.parts.map(({ from, root, name }): CopyRequest => ({
    from,
    to,
    root,
    image: name,
    select,
    name: options.named ? partName(name) : {},
  }));
  const { from, root } = bundleIndex(contents);
  const index = { from, to, root, name: options.name, image: contents.title, select: { shallow: true } };
  const results =
    to.reserve === undefined
      ? await oneByOne([...requests, index], copier)
      : await copier.copyReserved([...requests, index], to);
  await to.commit();
  return results;
}

async function oneByOne(requests: readonly CopyRequest[], copier: Copier): Promise<readonly CopyResult[]> {
  const results: CopyResult[] = [];
  for (const request of requests) results.push(await copier.copy(request));
  return results;
}

/** In a flat layout of several repositories only full names tell one `1.0` from another. What is wanted by digest alone has no tag. */
function partName(name: string): RootName {
  return name.includes('@') ? { imageName: name } : { tag: name, imageName: name };
}

function bundleIndex({ title, version, parts, missing }: BundleContents): {
  readonly from: Source;
  readonly root: Descriptor;
} {
  const bytes = toJsonBytes({
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    artifactType: MESH_BUNDLE.artifactType,
    manifests: parts.map(({ role, name, root: { mediaType, digest, size, artifactType } }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      annotations: { [MESH_BUNDLE.name]: name, [MESH_BUNDLE.role]: role },
    })),
    annotations: {
      'org.opencontainers.image.title': title,
      'org.opencontainers.image.version': version,
      ...(missing.length === 0
        ? {}
        : { [MESH_BUNDLE.missing]: JSON.stringify(missing.map(({ role, name }) => ({ role, name }))) }),
    },
  });
  const from = createScratch('the bundle');
  const root = from.putBytes(bytes, MEDIA.ociIndex);
  return { from, root: { ...root, artifactType: MESH_BUNDLE.artifactType } };
}
