import { ENTITY_KINDS, type EntityKind } from './entity.ts';

/**
 * Names that `ocl` gives to Meshery's entities in registries. They are provisional: nobody has registered them, and Meshery itself may
 * choose others. All of them are in this table; what others write is read by its aliases.
 */
export const MESH = {
  /** Files of an entity beside what Meshery reads, one a layer. */
  fileLayer: 'application/vnd.meshery.file.v1',
} as const;

/** `application/vnd.meshery.design.v1` */
export function artifactTypeOfKind(kind: EntityKind): string {
  return `application/vnd.meshery.${kind}.v1`;
}

/** The kind that an artifact type stands for, in `ocl`'s own form or one of its aliases (with `+json`, `.config`, another version). */
export function kindOfArtifactType(artifactType: string | undefined): EntityKind | undefined {
  const name = /^application\/vnd\.(?:cncf\.)?meshery\.([a-z]+?)s?(?:\.config)?\.v\d+[a-z0-9]*(?:\+[a-z]+)?$/i.exec(
    artifactType ?? '',
  )?.[1];
  const singular = name?.toLowerCase() === 'policie' ? 'policy' : name?.toLowerCase();
  return ENTITY_KINDS.find((kind) => kind === singular);
}

/** Annotations of a manifest that tell what the entity is. */
export const MESH_ANNOTATION = {
  kind: 'io.meshery.entity.kind',
  id: 'io.meshery.entity.id',
  name: 'io.meshery.entity.name',
  schemaVersion: 'io.meshery.entity.schemaVersion',
  version: 'io.meshery.entity.version',
  modelVersion: 'io.meshery.model.version',
  previousVersion: 'io.meshery.previous.version',
  previousDigest: 'io.meshery.previous.digest',
  /** The path of the file that says what it is. */
  main: 'io.meshery.entity.file',
} as const;

/** An index of a design with what it needs. */
export const MESH_BUNDLE = {
  artifactType: 'application/vnd.meshery.bundle.v1',
  /** Annotations of its entries: what a part is, and its full name. */
  role: 'io.meshery.bundle.role',
  name: 'io.meshery.bundle.name',
  /** Annotation of the index: a JSON list of what was not found when it was made, and allowed to be missing. */
  missing: 'io.meshery.bundle.missing',
} as const;
