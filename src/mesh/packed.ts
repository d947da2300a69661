import { type Descriptor } from '../core/descriptor.ts';
import { isCode, OclError, type ErrorCode } from '../core/errors.ts';
import { artifactTypeOf } from '../core/graph.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { isManifestType } from '../core/mediaTypes.ts';
import { wantedName, type FileReference, type Reference } from '../core/reference.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { type EntityKind } from './entity.ts';
import { kindOfArtifactType, kindOfName, MESH_ANNOTATION, MESH_BUNDLE } from './mediaTypes.ts';

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
    yield* packedBelow(source, await source.resolve(wantedName(input) ?? 'latest'), input);
    return;
  }
  const seen = new Set<string>();
  for await (const { source, place } of localSources(input, stores))
    for (const root of await rootsOf(source, wantedName(input)))
      for await (const packed of packedBelow(source, root, place)) {
        if (seen.has(packed.root.digest)) continue;
        seen.add(packed.root.digest);
        yield packed;
      }
}

/** What a manifest says that its entity is. */
export function packedFacts(
  document: ManifestDocument,
): Pick<PackedRoot, 'kind' | 'name' | 'version' | 'modelVersion'> | undefined {
  const kind = kindOfArtifactType(artifactTypeOf(document)) ?? kindOfName(document.annotations?.[MESH_ANNOTATION.kind]);
  const name = document.annotations?.[MESH_ANNOTATION.name];
  if (kind === undefined || name === undefined) return undefined;
  return {
    kind,
    name,
    version: document.annotations?.[MESH_ANNOTATION.version],
    modelVersion: document.annotations?.[MESH_ANNOTATION.modelVersion],
  };
}

/** An entity, or those that a bundle names. */
async function* packedBelow(from: Source, root: Descriptor, input: Reference): AsyncGenerator<PackedRoot> {
  const { document } = await loadDocument(root, from);
  if (document.kind === 'index') {
    if (document.artifactType !== MESH_BUNDLE.artifactType) return;
    for (const entry of document.manifests)
      if (entry.annotations?.[MESH_BUNDLE.role] !== 'image' && isManifestType(entry.mediaType))
        yield* packedBelow(from, entry, input);
    return;
  }
  const facts = packedFacts(document);
  if (facts !== undefined) yield { ...facts, from, root, reference: { ...input, digest: root.digest } };
}

const NO_STORE: ReadonlySet<ErrorCode> = new Set([
  'OCL_NOT_FOUND',
  'OCL_ARCHIVE_INVALID',
  'OCL_LAYOUT_INVALID',
  'OCL_UNSUPPORTED',
  'OCL_UNSAFE',
]);

/** Each with the reference that leads to it alone: of a library one layout. */
async function* localSources(
  input: FileReference,
  stores: Stores,
): AsyncGenerator<{ readonly source: LocalSource; readonly place: FileReference }> {
  try {
    const library = await stores.library(input);
    for (const repository of await library.repositories()) {
      const source = await library.source(repository);
      const path = library.whole === undefined ? `${input.path.replace(/\/+$/, '')}/${repository}` : input.path;
      if (source !== undefined) yield { source, place: { ...input, path } };
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
