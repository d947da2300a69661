import { ENTITY_KINDS, type EntityKind } from './entity.ts';

/**
 * Names that `ocl` gives to Meshery's entities in registries. They are provisional: nobody has registered them, and Meshery itself may
 * choose others. All of them are in this table; what others write is read by its aliases.
 */
export const MESH = {
  /** Files of an entity beside the layer that Meshery reads: many of them in one tar file. */
  filesLayer: 'application/vnd.meshery.files.v1.tar+gzip',
  /** What flux calls a config and a layer, and Meshery's registry pushes with it. */
  fluxConfig: 'application/vnd.cncf.flux.config.v1+json',
  fluxContent: 'application/vnd.cncf.flux.content.v1',
  fluxLayer: 'application/vnd.cncf.flux.content.v1.tar+gzip',
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
  return kindOfName(singular);
}

/** A kind by its own name. */
export function kindOfName(name: string | undefined): EntityKind | undefined {
  return ENTITY_KINDS.find((kind) => kind === name);
}

/** Annotations of a manifest that tell what the entity is. */
export const MESH_ANNOTATION = {
  kind: 'io.meshery.entity.kind',
  id: 'io.meshery.entity.id',
  name: 'io.meshery.entity.name',
  schemaVersion: 'io.meshery.entity.schemaVersion',
  version: 'io.meshery.entity.version',
  previousVersion: 'io.meshery.previous.version',
  previousDigest: 'io.meshery.previous.digest',
  /** The path of the file that says what it is. */
  main: 'io.meshery.entity.file',
  /** The sha256 of the list of all its files, each a line of digest and path as `sha256sum` writes it. */
  source: 'io.meshery.source.sha256',
  modelName: 'io.meshery.model.name',
  modelVersion: 'io.meshery.model.version',
  components: 'io.meshery.design.components',
  relationships: 'io.meshery.design.relationships',
  /** JSON lists. */
  requiredModels: 'io.meshery.requires.models',
  requiredImages: 'io.meshery.requires.images',
} as const;

/** Annotations of the layer that Meshery reads. */
export const LAYER_ANNOTATION = {
  /** The digest of the tar file within, which an image config names. */
  diffId: 'io.meshery.layer.diff-id',
  /** The directory in it below which the files lie as they were given. */
  base: 'io.meshery.layer.base',
  /** A JSON list of the paths in it that were made, and are no files of the entity. */
  made: 'io.meshery.layer.made',
} as const;

/** What oras writes on a layer that is a directory. */
export const ORAS_ANNOTATION = {
  unpack: 'io.deis.oras.content.unpack',
  /** The digest of the tar file within. */
  digest: 'io.deis.oras.content.digest',
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
