import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Descriptor } from '../core/descriptor.ts';
import { artifactTypeOf, isAttestationEntry, isImage } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { type Manifest } from '../core/manifest.ts';
import { formatReference, wantedName, type Reference } from '../core/reference.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { readHead } from '../io/fileHead.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { looksLikeArchive, openFile } from './archiveTree.ts';
import { originOf, rootsOf } from './fromArtifact.ts';
import { layerFiles } from './layerFiles.ts';
import { kindOfArtifactType, MESH } from './mediaTypes.ts';
import { directoryTree, type Tree } from './tree.ts';
import { type ValidateInput } from './validate.ts';

export interface OpenedInput {
  readonly input: ValidateInput;
  /** Its files lie on this disk under the names that findings give them, and can be written. */
  readonly onDisk: boolean;
}

export interface InputOptions {
  readonly stores: Stores;
  readonly tmpDir: string;
  readonly onNote: (note: string) => void;
}

/**
 * What is examined as one, one after the other: a file, a directory, an archive, or of an artifact the layer that Meshery reads.
 * Each is open until the next is asked for. @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_LIMIT, OCL_UNSAFE; as the stores
 */
export async function* openInputs(reference: Reference, options: InputOptions): AsyncGenerator<OpenedInput> {
  if (reference.kind !== 'path' || wantedName(reference) !== undefined) {
    yield* artifacts(reference, options);
    return;
  }
  const { path } = reference;
  if ((await stat(path)).isDirectory()) {
    yield* directory(path, options);
    return;
  }
  if (!looksLikeArchive(await readHead(path))) {
    const read = async (): Promise<Uint8Array> => await readSmallFile(path, LIMITS.meshFile, path);
    const input: ValidateInput = { form: 'file', files: [{ path: basename(path) }], read, nameOf: () => path };
    yield { input, onDisk: true };
    return;
  }
  const opened = await openFile(path, options.tmpDir);
  if (opened.kind === 'tree') yield* archive(opened.tree);
  else yield* artifacts({ kind: opened.kind === 'docker' ? 'docker-archive' : 'archive', path }, options);
}

async function* directory(root: string, options: InputOptions): AsyncGenerator<OpenedInput> {
  const tree = await directoryTree(root);
  for (const note of tree.notes) options.onNote(note);
  if (tree.paths.length > 0) yield { input: inputOf(tree, 'directory', (path) => join(root, path)), onDisk: true };
  for (const path of tree.layouts) yield* artifacts({ kind: 'layout', path }, options);
}

async function* archive(tree: Tree): AsyncGenerator<OpenedInput> {
  try {
    yield { input: inputOf(tree, 'archive', (path) => `${tree.name}: ${path}`), onDisk: false };
  } finally {
    await tree.close();
  }
}

function inputOf(tree: Tree, form: ValidateInput['form'], nameOf: (path: string) => string): ValidateInput {
  return { form, files: tree.paths.map((path) => ({ path })), read: async (path) => await tree.read(path), nameOf };
}

async function* artifacts(reference: Reference, { stores }: InputOptions): AsyncGenerator<OpenedInput> {
  const source = await stores.source(reference);
  const name = wantedName(reference);
  const roots =
    name === undefined && isLocal(source) ? await rootsOf(source) : [await source.resolve(name ?? 'latest')];
  const wanted = name !== undefined || roots.length === 1;
  for (const root of roots)
    yield* artifact(source, root, name === undefined ? originOf(source, root) : formatReference(reference), wanted);
}

async function* artifact(
  source: Source,
  root: Descriptor,
  origin: string,
  wanted: boolean,
  depth = 0,
): AsyncGenerator<OpenedInput> {
  const { document } = await loadDocument(root, source);
  if (document.kind === 'index') {
    if (depth >= LIMITS.indexDepth) return;
    for (const entry of document.manifests)
      if (!isAttestationEntry(entry)) yield* artifact(source, entry, `${origin}@${entry.digest}`, false, depth + 1);
    return;
  }
  const [layer] = document.layers;
  if (layer === undefined || !(wanted || saysItIsOne(document))) return;
  // Meshery reads no other layer.
  const { files } = await layerFiles(layer, source);
  const byPath = new Map(files.map((file) => [file.path, file.bytes]));
  const input: ValidateInput = {
    form: 'archive',
    files: [...byPath.keys()].toSorted((a, b) => (a < b ? -1 : 1)).map((path) => ({ path })),
    read: (path) => Promise.resolve(byPath.get(path) ?? new Uint8Array()),
    nameOf: (path) => `${origin}: ${path}`,
  };
  yield { input, onDisk: false };
}

function saysItIsOne(manifest: Manifest): boolean {
  if (isImage(manifest)) return false;
  return kindOfArtifactType(artifactTypeOf(manifest)) !== undefined || manifest.config?.mediaType === MESH.fluxConfig;
}

function isLocal(source: Source): source is LocalSource {
  return 'roots' in source;
}
