import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { artifactTypeOf } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { type Manifest } from '../core/manifest.ts';
import { formatReference, wantedName, type Reference } from '../core/reference.ts';
import { type Source, type Stores } from '../core/store.ts';
import { onlyRoot } from '../artifact/onlyRoot.ts';
import { loadDocument } from '../copy/documents.ts';
import { safeName, shown } from '../io/tarName.ts';
import { readVerified } from '../io/verify.ts';
import { type Entity, type MeshFile } from './entity.ts';
import { groupSightings, type Group } from './group.ts';
import { kindOfArtifactType, MESH_ANNOTATION } from './mediaTypes.ts';
import { survey } from './survey.ts';
import { openDirectory, readBoundedFile, memoryTree, type Tree } from './tree.ts';

export interface ReadOptions {
  readonly stores: Stores;
  /** A part of the input that cannot be read, while others can. Without it the first such part ends the reading. */
  readonly onBroken?: ((error: OclError) => void) | undefined;
  /** What was left out on the way. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** What Meshery gives an entity that has no version yet (meshkit `GetNextVersion`). */
const FIRST_VERSION = '0.0.1';

/**
 * The entities of an input, one after the other: a file, a directory with any number of them, or artifacts in a layout, archive or
 * registry. What they are is told by their contents.
 * @throws OCL_NOT_FOUND when there is none in it; OCL_DOCUMENT_INVALID, OCL_LIMIT, OCL_UNSAFE; what the stores throw
 */
export async function* readEntities(input: Reference, options: ReadOptions): AsyncGenerator<Entity> {
  const path = await localPath(input);
  if (path === undefined) {
    yield await readArtifact(input, options);
    return;
  }
  let found = 0;
  const tree = await openTree(path);
  for await (const entity of entitiesOf(tree, options)) {
    found++;
    yield entity;
  }
  for (const layout of tree.layouts) {
    found++;
    yield await readArtifact({ kind: 'layout', path: layout }, options);
  }
  if (found === 0)
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot find an entity of Meshery in ${path}: none of its ${tree.files.length} files is one`,
    );
}

/** A path that is no store of images. */
async function localPath(input: Reference): Promise<string | undefined> {
  return input.kind === 'path' && input.tag === undefined && input.digest === undefined ? input.path : undefined;
}

async function openTree(path: string): Promise<Tree> {
  if ((await stat(path)).isDirectory()) return await openDirectory(path);
  return memoryTree(dirname(path), [{ path: basename(path), bytes: await readBoundedFile(path) }]);
}

async function* entitiesOf(tree: Tree, options: ReadOptions): AsyncGenerator<Entity> {
  const { groups, broken } = groupSightings(await survey(tree));
  for (const note of tree.notes) options.onNote?.(`${tree.name}: ${note}`);
  for (const { error } of broken) {
    if (options.onBroken === undefined) throw error;
    options.onBroken(error);
  }
  for (const group of groups) yield await entityOf(tree, group);
}

async function entityOf(tree: Tree, group: Group): Promise<Entity> {
  const { kind, base, facts, notes } = group;
  const start = base === '' ? 0 : base.length + 1;
  const files: MeshFile[] = [];
  let size = 0;
  for (const path of group.paths) {
    const bytes = await tree.read(path);
    size += bytes.length;
    if (size > LIMITS.meshEntity)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot read ${tree.name}/${base}: its files are more than ${LIMITS.meshEntity} bytes together`,
      );
    files.push({ path: path.slice(start), bytes });
  }
  const main = group.main.slice(start);
  return {
    kind,
    name: facts?.name ?? stemOf(main),
    version: facts?.version ?? FIRST_VERSION,
    modelVersion: facts?.modelVersion,
    id: facts?.id,
    schemaVersion: facts?.schemaVersion,
    files,
    main,
    origin: `${tree.name}/${group.main}`,
    notes,
  };
}

function stemOf(path: string): string {
  return basename(path).replace(/\.[^.]+$/, '') || path;
}

async function readArtifact(reference: Reference, { stores }: ReadOptions): Promise<Entity> {
  const source = await stores.source(reference);
  const root = await onlyRoot(source, wantedName(reference));
  const { document } = await loadDocument(root, source);
  const kind = kindOfArtifactType(artifactTypeOf(document));
  if (kind === undefined || document.kind === 'index')
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${formatReference(reference)}: it is no entity of Meshery`);
  const files = await filesOf(document, source);
  const { annotations = {} } = document;
  const main = annotations[MESH_ANNOTATION.main] ?? files[0]?.path ?? '';
  return {
    kind,
    name: annotations[MESH_ANNOTATION.name] ?? stemOf(main),
    version: annotations[MESH_ANNOTATION.version] ?? FIRST_VERSION,
    modelVersion: annotations[MESH_ANNOTATION.modelVersion],
    id: annotations[MESH_ANNOTATION.id],
    schemaVersion: annotations[MESH_ANNOTATION.schemaVersion],
    files,
    main,
    origin: formatReference(reference),
    notes: [],
  };
}

async function filesOf(manifest: Manifest, source: Source): Promise<readonly MeshFile[]> {
  const files: MeshFile[] = [];
  for (const layer of manifest.layers) {
    const path = safeName(layer.annotations?.[ANNOTATION.title] ?? '');
    if (path === '' || files.some((file) => file.path === path))
      throw new OclError(
        'OCL_DOCUMENT_INVALID',
        `Cannot read ${layer.digest}: ${shown(path)} names no file of its own`,
      );
    files.push({ path, bytes: await readLayer(layer, source) });
  }
  return files;
}

async function readLayer(layer: Descriptor, source: Source): Promise<Uint8Array> {
  return await readVerified(await source.open(layer), layer, LIMITS.meshFile);
}
