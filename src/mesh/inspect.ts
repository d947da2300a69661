import { isObject } from '../core/json.ts';
import { type Reference } from '../core/reference.ts';
import { at } from './checkParts.ts';
import { kindOfDocument } from './detect.ts';
import { parseDocument } from './document.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { type ReadOptions } from './read.ts';
import { readKnown, type StoreFacts } from './readKnown.ts';
import { requiredImages, requiredModels, type RequiredImage, type RequiredModel } from './requires.ts';

/** An entity as people want to see it. */
export interface MeshInspection {
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string;
  /** Of a model: the version of the software that it describes. */
  readonly modelVersion: string | undefined;
  readonly id: string | undefined;
  readonly schemaVersion: string | undefined;
  readonly origin: string;
  readonly files: number;
  /** Bytes of all files. */
  readonly size: number;
  readonly counts: PartCounts;
  readonly models: readonly RequiredModel[];
  readonly images: readonly RequiredImage[];
  /** What happened when it was read that its owner should know. */
  readonly notes: readonly string[];
}

export interface PartCounts {
  readonly components: number;
  readonly relationships: number;
  readonly connections: number;
  readonly policies: number;
}

export type MeshInspected = MeshInspection & StoreFacts;

/** Every entity of an input. @throws as `readEntities` */
export async function* inspectInput(input: Reference, options: ReadOptions): AsyncGenerator<MeshInspected> {
  for await (const { entity, ...known } of readKnown(input, options)) yield { ...inspectEntity(entity), ...known };
}

export function inspectEntity(entity: Entity): MeshInspection {
  const { kind, name, version, modelVersion, id, schemaVersion, origin, files, notes } = entity;
  return {
    kind,
    name,
    version,
    modelVersion,
    id,
    schemaVersion,
    origin,
    files: files.length,
    size: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
    counts: countParts(entity),
    models: requiredModels(entity),
    images: requiredImages(entity),
    notes,
  };
}

/** The parts of a design or model; anything else is one of itself. */
function countParts({ files, main, kind }: Entity): PartCounts {
  const counts = { components: 0, relationships: 0, connections: 0, policies: 0 };
  for (const { path, bytes } of files) {
    if (path.endsWith('.rego')) counts.policies++;
    if (!/\.(?:json|ya?ml)$/.test(path) && path !== main) continue;
    const value = valueOf(bytes, path);
    if (kind === 'design' && path === main) {
      counts.components += lengthOf(at(value, ['components']) ?? at(value, ['services']));
      counts.relationships += lengthOf(at(value, ['relationships']));
    }
    const of = kindOfDocument(value);
    if (of === 'component') counts.components++;
    else if (of === 'relationship') counts.relationships++;
    else if (of === 'connection') counts.connections++;
    else if (of === 'policy') counts.policies++;
  }
  return counts;
}

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function valueOf(bytes: Uint8Array, path: string): unknown {
  try {
    return parseDocument(bytes, path).value;
  } catch {
    return undefined;
  }
}
