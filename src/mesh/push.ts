import { artifactTypeOf } from '../core/graph.ts';
import { isCode, OclError, type ErrorCode } from '../core/errors.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { wantedName, type Reference } from '../core/reference.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { loadDocument } from '../copy/documents.ts';
import { factsOf } from './detect.ts';
import { parseDocument } from './document.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { kindOfArtifactType, MESH_ANNOTATION } from './mediaTypes.ts';
import { entityRepository, packEntity } from './pack.ts';
import { publish, type Chain, type Publishable, type Published } from './publish.ts';
import { readEntities, type ReadOptions } from './read.ts';
import { parseLooseVersion } from './version.ts';
import { type Shelves } from './shelves.ts';

export interface PushOptions extends Pick<ReadOptions, 'onNote'> {
  readonly stores: Stores;
  readonly copier: Copier;
  /** A version that is there with another content is replaced. */
  readonly force: boolean;
  /** An entity that could not be published; others go on. Without it the first one ends it. */
  readonly onFailed?: ((entity: string, error: OclError) => void) | undefined;
}

interface Item extends Publishable {
  readonly repository: string;
}

/**
 * Publishes the entities of an input, each in a repository of its own. Files are packed; what was packed before keeps its digest, and so its
 * signatures and all else that refers to it. `finish` of the shelves is the caller's.
 */
export async function* pushEntities(
  input: Reference,
  shelves: Shelves,
  options: PushOptions,
): AsyncGenerator<Published> {
  for await (const item of itemsOf(input, options)) {
    try {
      const shelf = await shelves.open(shelves.shallow ? flat(item.repository) : item.repository);
      yield await publish(item, shelf, options);
    } catch (error) {
      if (!(error instanceof OclError) || options.onFailed === undefined || error.code === 'OCL_CANCELLED') throw error;
      options.onFailed(item.name, error);
    }
  }
}

/** Docker Hub has no repositories within a namespace's own: `ns/design-shop` for `ns/designs/shop`. */
function flat(repository: string): string {
  const [kinds = '', name = ''] = repository.split('/');
  return `${kinds === 'policies' ? 'policy' : kinds.slice(0, -1)}-${name}`;
}

async function* itemsOf(input: Reference, options: PushOptions): AsyncGenerator<Item> {
  let packed = 0;
  for await (const item of packedItems(input, options.stores)) {
    packed++;
    yield item;
  }
  if (packed > 0) return;
  const { stores, onNote, onFailed } = options;
  const onBroken = onFailed === undefined ? undefined : (error: OclError): void => onFailed('a file', error);
  for await (const entity of readEntities(input, { stores, onNote, onBroken })) yield entityItem(entity);
}

function entityItem(entity: Entity): Item {
  const { kind, name, modelVersion } = entity;
  return {
    name: `the ${kind} ${name}`,
    repository: entityRepository(entity),
    version: saidVersion(entity),
    modelVersion: pairedVersion(kind, modelVersion),
    build({ version, previous }) {
      const { store, root } = packEntity({ ...entity, version }, chainAnnotations(previous));
      return { from: store, root };
    },
  };
}

/** A model's tag has the version of its software when that can be compared. */
function pairedVersion(kind: EntityKind, modelVersion: string | undefined): string | undefined {
  return kind === 'model' && parseLooseVersion(modelVersion ?? '') !== undefined ? modelVersion : undefined;
}

/** The version that the document has; the reader gives the first one to a document that says none. */
function saidVersion({ kind, files, main, origin }: Entity): string | undefined {
  const file = files.find(({ path }) => path === main);
  if (file === undefined || kind === 'filter' || main.endsWith('.rego')) return undefined;
  return factsOf(kind, parseDocument(file.bytes, origin).value).version;
}

function chainAnnotations(previous: Chain | undefined): Readonly<Record<string, string>> {
  if (previous === undefined) return {};
  return {
    [MESH_ANNOTATION.previousVersion]: previous.version,
    [MESH_ANNOTATION.previousDigest]: previous.digest,
  };
}

/** What lies in a store as an artifact already. */
async function* packedItems(input: Reference, stores: Stores): AsyncGenerator<Item> {
  if (input.kind === 'registry') {
    const source = await stores.source(input);
    const item = await packedItem(source, await source.resolve(wantedName(input) ?? 'latest'));
    if (item !== undefined) yield item;
    return;
  }
  const seen = new Set<string>();
  for await (const source of localSources(input, stores))
    for (const root of await rootsOf(source, wantedName(input))) {
      if (seen.has(root.digest)) continue;
      seen.add(root.digest);
      const item = await packedItem(source, root);
      if (item !== undefined) yield item;
    }
}

const NO_STORE: ReadonlySet<ErrorCode> = new Set([
  'OCL_NOT_FOUND',
  'OCL_ARCHIVE_INVALID',
  'OCL_LAYOUT_INVALID',
  'OCL_UNSUPPORTED',
  'OCL_UNSAFE',
]);

async function* localSources(
  input: Exclude<Reference, { kind: 'registry' }>,
  stores: Stores,
): AsyncGenerator<LocalSource> {
  try {
    const library = await stores.library(input);
    for (const repository of await library.repositories()) {
      const source = await library.source(repository);
      if (source !== undefined) yield source;
    }
  } catch (error) {
    // A file that is no store may be an entity.
    if (!(error instanceof OclError) || !NO_STORE.has(error.code) || input.kind !== 'path') throw error;
  }
}

async function rootsOf(source: LocalSource, wanted: string | undefined): Promise<readonly Descriptor[]> {
  if (wanted === undefined) return await source.roots();
  try {
    return [await source.resolve(wanted)];
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return [];
    throw error;
  }
}

async function packedItem(from: Source, root: Descriptor): Promise<Item | undefined> {
  const { document } = await loadDocument(root, from);
  const kind = kindOfArtifactType(artifactTypeOf(document));
  const name = document.annotations?.[MESH_ANNOTATION.name];
  if (kind === undefined || name === undefined) return undefined;
  return {
    name: `the ${kind} ${name}`,
    repository: entityRepository({ kind, name }),
    version: document.annotations?.[MESH_ANNOTATION.version],
    modelVersion: pairedVersion(kind, document.annotations?.[MESH_ANNOTATION.modelVersion]),
    build: () => ({ from, root }),
  };
}
