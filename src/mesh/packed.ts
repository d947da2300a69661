import { type Descriptor } from '../core/descriptor.ts';
import { isCode, OclError, type ErrorCode } from '../core/errors.ts';
import { artifactTypeOf } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { wantedName, type FileReference, type Reference } from '../core/reference.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { type EntityKind } from './entity.ts';
import { kindOfArtifactType, MESH_ANNOTATION } from './mediaTypes.ts';

/** An entity that lies in a store as an artifact already. It keeps its digest, and so its signatures and all else that refers to it. */
export interface PackedRoot {
  readonly from: Source;
  readonly root: Descriptor;
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string | undefined;
  readonly modelVersion: string | undefined;
  /** Where this very artifact is. */
  readonly reference: Reference;
}

/** The packed entities of an input, each content once; none where it is no store. */
export async function* packedRoots(input: Reference, stores: Stores): AsyncGenerator<PackedRoot> {
  if (input.kind === 'registry') {
    const source = await stores.source(input);
    const packed = await packedRoot(source, await source.resolve(wantedName(input) ?? 'latest'), input);
    if (packed !== undefined) yield packed;
    return;
  }
  const seen = new Set<string>();
  for await (const source of localSources(input, stores))
    for (const root of await rootsOf(source, wantedName(input))) {
      if (seen.has(root.digest)) continue;
      seen.add(root.digest);
      const packed = await packedRoot(source, root, input);
      if (packed !== undefined) yield packed;
    }
}

/** What a manifest says that its entity is. */
export function packedFacts(
  document: ManifestDocument,
): Pick<PackedRoot, 'kind' | 'name' | 'version' | 'modelVersion'> | undefined {
  const kind = kindOfArtifactType(artifactTypeOf(document));
  const name = document.annotations?.[MESH_ANNOTATION.name];
  if (kind === undefined || name === undefined) return undefined;
  return {
    kind,
    name,
    version: document.annotations?.[MESH_ANNOTATION.version],
    modelVersion: document.annotations?.[MESH_ANNOTATION.modelVersion],
  };
}

async function packedRoot(from: Source, root: Descriptor, input: Reference): Promise<PackedRoot | undefined> {
  const facts = packedFacts((await loadDocument(root, from)).document);
  return facts === undefined ? undefined : { ...facts, from, root, reference: { ...input, digest: root.digest } };
}

const NO_STORE: ReadonlySet<ErrorCode> = new Set([
  'OCL_NOT_FOUND',
  'OCL_ARCHIVE_INVALID',
  'OCL_LAYOUT_INVALID',
  'OCL_UNSUPPORTED',
  'OCL_UNSAFE',
]);

async function* localSources(input: FileReference, stores: Stores): AsyncGenerator<LocalSource> {
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
