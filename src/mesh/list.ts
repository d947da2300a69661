import { stat } from 'node:fs/promises';
import { deprecationOf, type Deprecation } from '../artifact/deprecation.ts';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { artifactTypeOf } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { entryName } from '../core/names.ts';
import {
  formatReference,
  wantedName,
  type FileReference,
  type Reference,
  type RegistryReference,
} from '../core/reference.ts';
import { type Source } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { kindOfArtifactType, kindOfName, MESH, MESH_ANNOTATION, MESH_BUNDLE } from './mediaTypes.ts';
import { readEntities, type ReadOptions } from './read.ts';

/** An entity as a listing shows it. */
export interface ListedEntity {
  /** What to type for it; of a file, where it lies. */
  readonly reference: string;
  /** Further tags of the same content, such as `latest`. */
  readonly aliases: readonly string[];
  readonly kind: EntityKind | 'bundle';
  readonly name: string;
  readonly version: string | undefined;
  readonly modelVersion: string | undefined;
  readonly schemaVersion: string | undefined;
  /** Bytes of the manifest and all that it names; of files, their own. */
  readonly size: number;
  readonly created: string | undefined;
  /** Of a packed entity. */
  readonly digest: Digest | undefined;
  /** What was said of it last, where anything was. */
  readonly deprecation: Deprecation | undefined;
}

export interface ListOptions extends ReadOptions {
  /** Something that cannot be read and may be an entity. */
  readonly onProblem: (reference: string, error: OclError) => void;
}

/** The entities of one repository of a registry, or the one that the reference names. */
export async function listRepository(
  reference: RegistryReference,
  options: ListOptions,
): Promise<readonly ListedEntity[]> {
  const source = await options.stores.source(reference);
  const wanted = reference.digest ?? reference.tag;
  const tags: string[] = [];
  if (wanted === undefined) for await (const tag of source.tags()) tags.push(tag);
  const named: Named[] = [];
  for (const tag of wanted === undefined ? tags : [wanted]) {
    const full = wanted === undefined ? { ...reference, tag } : reference;
    const root = await tried(formatReference(full), options, () => source.resolve(tag));
    if (root !== undefined) named.push({ root, tag, reference: formatReference(full), at: full });
  }
  return await describeAll(source, named, options);
}

/**
 * The entities of a layout, a library or an archive by what their manifests say; undefined where the place is no store, or holds
 * artifacts alone that do not say what they are.
 */
async function listLocal(reference: FileReference, options: ListOptions): Promise<readonly ListedEntity[] | undefined> {
  const library = await existing(async () => await options.stores.library(reference));
  const repositories = library === undefined ? [] : await existing(async () => await library.repositories());
  if (library === undefined || repositories === undefined || repositories.length === 0) return undefined;
  const listed: ListedEntity[] = [];
  const wanted = reference.digest ?? reference.tag;
  for (const repository of repositories) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    const roots = wanted === undefined ? await source.roots() : [await source.resolve(wanted)];
    const path = library.whole === undefined ? `${reference.path.replace(/\/+$/, '')}/${repository}` : reference.path;
    const named = roots.map((root): Named => {
      const { tag, imageName } = entryName(root);
      const name = library.whole === undefined ? tag : (imageName ?? tag);
      const full: Reference = {
        ...reference,
        kind: reference.kind,
        path,
        tag: name,
        digest: name === undefined ? root.digest : undefined,
      };
      return { root, tag: name ?? root.digest, reference: formatReference(full), at: full };
    });
    listed.push(...(await describeAll(source, named, options)));
  }
  return listed.length === 0 && wanted === undefined ? undefined : listed;
}

/** The entities of a place on disk: of the stores in it, and of the files beside them. @throws OCL_NOT_FOUND when there are none */
export async function listDisk(reference: FileReference, options: ListOptions): Promise<readonly ListedEntity[]> {
  const packed = (await listLocal(reference, options)) ?? [];
  const one =
    reference.kind !== 'path' || wantedName(reference) !== undefined || !(await stat(reference.path)).isDirectory();
  if (packed.length > 0 && one) return packed;
  try {
    return [...packed, ...(await listFiles(reference, { ...options, filesAlone: packed.length > 0 }))];
  } catch (error) {
    if (packed.length > 0 && isCode(error, 'OCL_NOT_FOUND')) return packed;
    throw error;
  }
}

/** The entities in files, by reading them. */
async function listFiles(reference: Reference, options: ListOptions): Promise<readonly ListedEntity[]> {
  const listed: ListedEntity[] = [];
  for await (const entity of readEntities(reference, options)) listed.push(ofFiles(entity));
  return listed;
}

function ofFiles(entity: Entity): ListedEntity {
  const { kind, name, version, modelVersion, schemaVersion, origin, files } = entity;
  return {
    reference: origin,
    aliases: [],
    kind,
    name,
    version,
    modelVersion,
    schemaVersion,
    size: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
    created: undefined,
    digest: undefined,
    deprecation: undefined,
  };
}

interface Named {
  readonly root: Descriptor;
  readonly tag: string;
  readonly reference: string;
  readonly at: Reference;
}

/** Each content once: under the tag of its version, with its other tags. */
async function describeAll(
  source: Source,
  named: readonly Named[],
  options: ListOptions,
): Promise<readonly ListedEntity[]> {
  const byDigest = new Map<Digest, Named[]>();
  for (const each of named) byDigest.set(each.root.digest, [...(byDigest.get(each.root.digest) ?? []), each]);
  const listed: ListedEntity[] = [];
  for (const names of byDigest.values()) {
    const [first] = names;
    if (first === undefined) continue;
    const facts = await tried(first.reference, options, async () => await describe(source, first, options));
    if (facts === undefined) continue;
    const own = names.find(({ tag }) => isVersionTag(tag, facts)) ?? first;
    const aliases = names.filter((each) => each !== own).map(({ tag }) => tag);
    listed.push({ ...facts, reference: own.reference, aliases: aliases.toSorted() });
  }
  return listed;
}

/** `1.2.0`, and of a model `v1.29.1-v1.0.0`; `+` is written `_`. */
function isVersionTag(tag: string, { version }: Pick<ListedEntity, 'version'>): boolean {
  const text = version?.replaceAll('+', '_');
  return text !== undefined && (tag === text || tag.endsWith(`-${text}`) || tag.endsWith(`:${text}`));
}

type Facts = Omit<ListedEntity, 'reference' | 'aliases'>;

/** What a manifest says; of what Meshery itself has pushed, which says nothing, what its files say. */
async function describe(source: Source, { root, at }: Named, options: ListOptions): Promise<Facts | undefined> {
  const { document } = await loadDocument(root, source);
  if (document.subject !== undefined) return undefined;
  const { annotations = {} } = document;
  const base = {
    size: sizeOf(root, document),
    created: annotations[ANNOTATION.created],
    digest: root.digest,
    deprecation: await deprecationOf(source, root, document),
  };
  const kind = kindOf(document);
  if (kind !== undefined)
    return {
      ...base,
      kind,
      name: annotations[MESH_ANNOTATION.name] ?? annotations[ANNOTATION.title] ?? '',
      version: annotations[MESH_ANNOTATION.version] ?? annotations['org.opencontainers.image.version'],
      modelVersion: annotations[MESH_ANNOTATION.modelVersion],
      schemaVersion: annotations[MESH_ANNOTATION.schemaVersion],
    };
  if (document.kind === 'index' || document.config?.mediaType !== MESH.fluxConfig) return undefined;
  for await (const entity of readEntities({ ...at, digest: root.digest }, options))
    return { ...ofFiles(entity), ...base };
  return undefined;
}

function kindOf(document: ManifestDocument): ListedEntity['kind'] | undefined {
  const type = artifactTypeOf(document);
  if (type === MESH_BUNDLE.artifactType) return 'bundle';
  return kindOfArtifactType(type) ?? kindOfName(document.annotations?.[MESH_ANNOTATION.kind]);
}

/** Of a bundle the parts are not counted: their sizes are those of manifests. */
function sizeOf(root: Descriptor, document: ManifestDocument): number {
  if (document.kind === 'index') return root.size;
  return root.size + (document.config?.size ?? 0) + document.layers.reduce((sum, { size }) => sum + size, 0);
}

async function tried<T>(reference: string, options: ListOptions, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
    options.onProblem(reference, toOclError(error));
    return undefined;
  }
}

async function existing<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    if (isCode(error, 'OCL_ARCHIVE_INVALID') || isCode(error, 'OCL_LAYOUT_INVALID')) return undefined;
    throw error;
  }
}
