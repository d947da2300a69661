import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { artifactTypeOf, isAttestationEntry, isImage } from '../core/graph.ts';
import { parseImageConfig } from '../core/imageConfig.ts';
import { LIMITS } from '../core/limits.ts';
import { type Manifest } from '../core/manifest.ts';
import { normalMediaType } from '../core/mediaTypes.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource, type Source } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { readVerified } from '../io/verify.ts';
import { type Entity, type EntityKind, type MeshFile } from './entity.ts';
import { layerFiles } from './layerFiles.ts';
import { kindOfArtifactType, kindOfName, MESH, MESH_ANNOTATION } from './mediaTypes.ts';
import { hasOriginals, readOriginals } from './originals.ts';
import { memoryTree, type Tree } from './tree.ts';

/** What an artifact turned out to be: an entity whose files are known, or files to look through. */
export type FromArtifact =
  | { readonly type: 'entity'; readonly entity: Entity }
  | { readonly type: 'tree'; readonly tree: Tree; readonly kind: EntityKind | undefined };

/** Bytes of the layers that are read to find out whether something is an entity. */
const MAX_LAYERS = LIMITS.meshEntity;

/** The roots of a place on disk that may be entities: each content once, and nothing that only refers to another. */
export async function rootsOf(source: LocalSource): Promise<readonly Descriptor[]> {
  const seen = new Set<Digest>();
  const roots: Descriptor[] = [];
  for (const root of await source.roots()) {
    if (seen.has(root.digest)) continue;
    seen.add(root.digest);
    if ((await loadDocument(root, source)).document.subject === undefined) roots.push(root);
  }
  return roots;
}

/**
 * An artifact, or those that an index names, whichever tool wrote it.
 * @param wanted the artifact was asked for by its name, so that it is read although nothing says that it is Meshery's
 * @param seen manifests that were read before, which are passed over: a part of a bundle has a name of its own beside the index
 * @throws OCL_LIMIT, OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_DOCUMENT_INVALID; as the source
 */
export async function* readArtifact(
  source: Source,
  root: Descriptor,
  {
    origin,
    wanted,
    seen = new Set(),
    depth = 0,
  }: { readonly origin: string; readonly wanted: boolean; readonly seen?: Set<Digest>; readonly depth?: number },
): AsyncGenerator<FromArtifact> {
  const { document } = await loadDocument(root, source);
  if (document.kind === 'index') {
    if (depth >= LIMITS.indexDepth)
      throw new OclError('OCL_LIMIT', `Cannot read ${origin}: its indexes go deeper than ${LIMITS.indexDepth}`);
    for (const entry of document.manifests)
      if (!isAttestationEntry(entry))
        yield* readArtifact(source, entry, {
          origin: `${origin}@${entry.digest}`,
          wanted: false,
          seen,
          depth: depth + 1,
        });
    return;
  }
  if (seen.has(root.digest)) return;
  const kind = kindOf(document);
  if (kind !== undefined && hasOriginals(document)) {
    seen.add(root.digest);
    yield { type: 'entity', entity: entityOf(kind, document, await readOriginals(document, source), origin) };
    return;
  }
  if (kind === undefined && !wanted && !(await mayBeEntity(document, root, source))) return;
  const size = document.layers.reduce((sum, layer) => sum + layer.size, 0);
  if (size > MAX_LAYERS) {
    if (!wanted) return;
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read ${origin}: its ${size} bytes are more than the ${MAX_LAYERS} that an entity may have`,
    );
  }
  seen.add(root.digest);
  yield { type: 'tree', tree: await treeOf(document, source, origin), kind };
}

function kindOf(manifest: Manifest): EntityKind | undefined {
  return kindOfArtifactType(artifactTypeOf(manifest)) ?? kindOfName(manifest.annotations?.[MESH_ANNOTATION.kind]);
}

/** Flux's types, oras' files and directories, and images that are for no platform at all, as Meshery's exports are. */
async function mayBeEntity(manifest: Manifest, root: Descriptor, source: Source): Promise<boolean> {
  const { config, layers } = manifest;
  if (config === undefined) return false;
  if (!isImage(manifest)) {
    const isFlux = normalMediaType(config.mediaType) === MESH.fluxConfig;
    return isFlux || layers.some(({ annotations }) => annotations?.[ANNOTATION.title] !== undefined);
  }
  if (root.platform !== undefined || layers.length > 3 || config.size > LIMITS.configBytes) return false;
  const { os, architecture } = parseImageConfig(
    await readVerified(await source.open(config), config, LIMITS.configBytes),
    config.digest,
  );
  return !os && !architecture;
}

/** The files of all layers; where two have one path, the first is meant, for Meshery reads no other layer. */
async function treeOf(manifest: Manifest, source: Source, origin: string): Promise<Tree> {
  const files = new Map<string, MeshFile>();
  const passed: string[] = [];
  let bytes = 0;
  for (const layer of manifest.layers) {
    const found = await layerFiles(layer, source);
    passed.push(...found.passed);
    for (const file of found.files) {
      bytes += file.bytes.length;
      if (bytes > LIMITS.meshEntity)
        throw new OclError(
          'OCL_LIMIT',
          `Cannot read ${origin}: unpacked it is larger than the ${LIMITS.meshEntity} bytes that an entity may have`,
        );
      if (!files.has(file.path)) files.set(file.path, file);
    }
  }
  return memoryTree(origin, [...files.values()], passed);
}

function entityOf(kind: EntityKind, manifest: Manifest, files: readonly MeshFile[], origin: string): Entity {
  const { annotations = {} } = manifest;
  const main = annotations[MESH_ANNOTATION.main] ?? '';
  if (!files.some(({ path }) => path === main))
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${origin}: the file that says what it is, is missing`);
  return {
    kind,
    name: annotations[MESH_ANNOTATION.name] ?? main,
    version: annotations[MESH_ANNOTATION.version] ?? '0.0.1',
    modelVersion: annotations[MESH_ANNOTATION.modelVersion],
    id: annotations[MESH_ANNOTATION.id],
    schemaVersion: annotations[MESH_ANNOTATION.schemaVersion],
    files,
    main,
    origin,
    notes: [],
  };
}

/** As messages call an artifact of a store. */
export function originOf(source: Source, root: Descriptor): string {
  const { imageName, tag } = entryName(root);
  return `${source.name}${imageName === undefined ? `:${tag ?? root.digest}` : ` ${imageName}`}`;
}
