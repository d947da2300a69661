import { isRego, isWasm } from './detect.ts';
import { parseDocument, type MeshDocument, type ParseDocument } from './document.ts';
import { type Entity } from './entity.ts';

/** The bytes of the file that says what the entity is. */
export function mainBytes({ files, main }: Entity): Uint8Array {
  return files.find(({ path }) => path === main)?.bytes ?? new Uint8Array();
}

/** The document in the main file; undefined for Rego and WebAssembly. @throws OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function mainDocument(entity: Entity, parse: ParseDocument = parseDocument): MeshDocument | undefined {
  const bytes = mainBytes(entity);
  if (isWasm(bytes) || (entity.kind === 'policy' && isRego(bytes))) return undefined;
  return parse(bytes, entity.origin);
}
