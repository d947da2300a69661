import { ANNOTATION } from '../core/descriptor.ts';
import { formatReference, isRepository, isTag, type Reference } from '../core/reference.ts';
import { type RootName, type Stores } from '../core/store.ts';
import { OclError } from '../core/errors.ts';
import { buildArtifact, type BuiltArtifact } from '../artifact/build.ts';
import { type Copier } from '../copy/copier.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { artifactTypeOfKind, MESH, MESH_ANNOTATION } from './mediaTypes.ts';

/**
 * An entity as one OCI artifact, in memory. The same files always give the same digest.
 * @param more annotations beside those that the entity gives
 */
export function packEntity(entity: Entity, more: Readonly<Record<string, string>> = {}): BuiltArtifact {
  return buildArtifact({
    artifactType: artifactTypeOfKind(entity.kind),
    layers: entity.files.map(({ path, bytes }) => ({ mediaType: MESH.fileLayer, title: path, bytes })),
    annotations: { ...annotationsOf(entity), ...more },
  });
}

function annotationsOf(entity: Entity): Readonly<Record<string, string>> {
  const { kind, id, name, schemaVersion, version, modelVersion, main } = entity;
  const all: Readonly<Record<string, string | undefined>> = {
    [ANNOTATION.title]: name,
    'org.opencontainers.image.version': version,
    [MESH_ANNOTATION.kind]: kind,
    [MESH_ANNOTATION.id]: id,
    [MESH_ANNOTATION.name]: name,
    [MESH_ANNOTATION.schemaVersion]: schemaVersion,
    [MESH_ANNOTATION.version]: version,
    [MESH_ANNOTATION.modelVersion]: modelVersion,
    [MESH_ANNOTATION.main]: main,
  };
  return Object.fromEntries(Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

export interface Packed {
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string;
  readonly target: string;
  readonly digest: string;
}

/** Puts an entity where the reference says. */
export async function packInto(
  entity: Entity,
  target: Reference,
  { stores, copier }: { readonly stores: Stores; readonly copier: Copier },
): Promise<Packed> {
  const { kind, name, version } = entity;
  const built = packEntity(entity);
  const to = await stores.sink(target);
  const request = { from: built.store, to, root: built.root, name: rootName(entity, target), image: entity.name };
  if (to.reserve === undefined) await copier.copy(request);
  else await copier.copyReserved([request], to);
  await to.commit();
  return { kind, name, version, target: formatReference(target), digest: built.root.digest };
}

function rootName(entity: Entity, target: Reference): RootName {
  return target.tag === undefined ? { tag: entityTag(entity) } : { tag: target.tag };
}

const PLURAL: Readonly<Partial<Record<EntityKind, string>>> = { policy: 'policies' };

/** `designs/my-design`: where an entity lies below a registry's or layout's prefix. */
export function entityRepository({ kind, name }: Pick<Entity, 'kind' | 'name'>): string {
  const repository = `${PLURAL[kind] ?? `${kind}s`}/${slug(name)}`;
  if (isRepository(repository)) return repository;
  throw new OclError(
    'OCL_REFERENCE_INVALID',
    `Cannot name ${JSON.stringify(name)} in a registry: it has no letter or digit`,
  );
}

/** `1.2.0`, and for a model the version of its software before its own: `1.29.1-v1.0.0`. `+` is written `_`, as helm does. */
export function entityTag({ kind, version, modelVersion }: Pick<Entity, 'kind' | 'version' | 'modelVersion'>): string {
  const text = kind === 'model' && modelVersion !== undefined ? `${modelVersion}-${version}` : version;
  const tag = text
    .replaceAll('+', '_')
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[.-]+/, '');
  return isTag(tag) ? tag : 'latest';
}

/** A name as registries take it: lower case, accents off, all else a hyphen. */
function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036F]/g, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}
