import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { looksLikeArchive } from './archiveTree.ts';
import { factsOf, isRego, isWasm, kindOfDocument, type DocumentFacts } from './detect.ts';
import { parseDocument } from './document.ts';
import { type EntityKind } from './entity.ts';
import { type Tree } from './tree.ts';

/** What a file of a tree turned out to be. */
export interface Sighting {
  readonly path: string;
  readonly what:
    | { readonly type: 'document'; readonly kind: EntityKind; readonly facts: DocumentFacts }
    | { readonly type: 'rego' }
    | { readonly type: 'wasm' }
    /** What Artifact Hub reads of a package. */
    | { readonly type: 'package' }
    /** May hold entities of its own. */
    | { readonly type: 'archive' }
    /** Looks like an entity, and cannot be read. */
    | { readonly type: 'broken'; readonly error: OclError }
    | { readonly type: 'other' };
}

/** Directories of a model whose files Meshery reads as its parts. */
const PARTS: ReadonlySet<string> = new Set(['components', 'relationships', 'connections', 'policies']);
const PACKAGE = /^artifacthub-pkg\.ya?ml$/;
const MODEL_FILE = /^model\.(?:json|ya?ml)$/;

/** Names that stand in an entity and seldom elsewhere: what has none of them need not be parsed. */
const TELLING =
  /(?:schemaVersion|services|expression|organization_?[iI]d|user_?[iI]d|filter_?(?:[fF]ile|[rR]esource)|components)["']?\s*:/;

/** Looks at every file of a tree once, and keeps no contents. The parts of a model are not parsed. */
export async function survey(tree: Tree): Promise<readonly Sighting[]> {
  const known = new Map<string, Sighting>();
  const models = new Set<string>();
  for (const path of tree.paths) {
    if (!MODEL_FILE.test(baseName(path))) continue;
    const sighting = await look(tree, path);
    known.set(path, sighting);
    if (sighting.what.type === 'document' && sighting.what.kind === 'model') models.add(directoryOf(path));
  }
  const found: Sighting[] = [];
  for (const path of tree.paths)
    found.push(known.get(path) ?? (isPart(path, models) ? { path, what: { type: 'other' } } : await look(tree, path)));
  return found;
}

function isPart(path: string, models: ReadonlySet<string>): boolean {
  for (let directory = directoryOf(path); directory !== ''; directory = directoryOf(directory))
    if (PARTS.has(baseName(directory)) && models.has(directoryOf(directory))) return true;
  return false;
}

async function look(tree: Tree, path: string): Promise<Sighting> {
  if (PACKAGE.test(baseName(path))) return { path, what: { type: 'package' } };
  const bytes = await readOrHead(tree, path);
  if (looksLikeArchive(bytes)) return { path, what: { type: 'archive' } };
  if (isWasm(bytes)) return { path, what: { type: 'wasm' } };
  if (isRego(bytes)) return { path, what: { type: 'rego' } };
  if (!mayBeEntity(bytes)) return { path, what: { type: 'other' } };
  try {
    const { value } = parseDocument(bytes, placeOf(tree, path));
    const kind = kindOfDocument(value);
    return kind === undefined
      ? { path, what: { type: 'other' } }
      : { path, what: { type: 'document', kind, facts: factsOf(kind, value) } };
  } catch (error) {
    return { path, what: { type: 'broken', error: toOclError(error) } };
  }
}

/** What is too large for an entity may be an archive of many. */
async function readOrHead(tree: Tree, path: string): Promise<Uint8Array> {
  try {
    return await tree.read(path);
  } catch (error) {
    if (!isCode(error, 'OCL_LIMIT')) throw error;
    const head = await tree.head(path);
    return looksLikeArchive(head) ? head : new Uint8Array();
  }
}

/** A file as messages call it. */
export function placeOf(tree: Pick<Tree, 'name'>, path: string): string {
  return baseName(tree.name) === path ? tree.name : `${tree.name}/${path}`;
}

/** Whether it is worth parsing: a text with one of the telling names. */
function mayBeEntity(bytes: Uint8Array): boolean {
  if (bytes.subarray(0, 8192).includes(0)) return false;
  return TELLING.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
}

export function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
