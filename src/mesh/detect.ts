import { isObject, type JsonObject } from '../core/json.ts';
import { type EntityKind } from './entity.ts';

/** The group of a schemaVersion, all up to its last slash, and what it stands for. */
const GROUPS: Readonly<Record<string, EntityKind>> = {
  'designs.meshery.io': 'design',
  'models.meshery.io': 'model',
  'components.meshery.io': 'component',
  'relationships.meshery.io': 'relationship',
  'connections.meshery.io': 'connection',
  'policies.meshery.io': 'policy',
  'filters.meshery.io': 'filter',
  'views.meshery.io': 'view',
  'environments.meshery.io': 'environment',
  'workspaces.meshery.io': 'workspace',
};

/** What a parsed document is; undefined for one that is none of Meshery's. */
export function kindOfDocument(value: unknown): EntityKind | undefined {
  if (!isObject(value)) return undefined;
  const schemaVersion = textOf(value['schemaVersion']);
  const slash = schemaVersion?.lastIndexOf('/') ?? -1;
  const group = schemaVersion?.slice(0, Math.max(slash, 0)) ?? '';
  if (Object.hasOwn(GROUPS, group)) return GROUPS[group];
  return schemaVersion === undefined || schemaVersion === '' ? kindByShape(value) : undefined;
}

/** Filters, views, workspaces, policies and old designs say nothing of themselves: they are known by their members. */
function kindByShape(value: JsonObject): EntityKind | undefined {
  const has = (...names: readonly string[]): boolean => names.some((name) => value[name] !== undefined);
  const named = textOf(value['name']) !== undefined;
  if (named && isOldDesign(value)) return 'design';
  if (named && Array.isArray(value['components']) && !has('registrant', 'category', 'modelReference')) return 'design';
  if (isObject(value['expression']) && textOf(value['kind']) !== undefined) return 'policy';
  if (!named || !has('id')) return undefined;
  if (has('filterFile', 'filter_file', 'filterResource', 'filter_resource')) return 'filter';
  if (has('userId', 'user_id') && has('visibility')) return 'view';
  return has('organizationId', 'organization_id') ? 'workspace' : undefined;
}

/** v1alpha2: a map of services, each with a type; a Compose file has images there. */
export function isOldDesign(value: JsonObject): boolean {
  const { services } = value;
  if (!isObject(services)) return false;
  const all = Object.values(services);
  return all.length > 0 && all.every((service) => isObject(service) && textOf(service['type']) !== undefined);
}

export interface DocumentFacts {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly modelVersion: string | undefined;
  readonly id: string | undefined;
  readonly schemaVersion: string | undefined;
}

/** What a document says of itself. */
export function factsOf(kind: EntityKind, value: unknown): DocumentFacts {
  const object: JsonObject = isObject(value) ? value : {};
  const { model } = object;
  return {
    name: nameOf(kind, object),
    version: textOf(object['version']),
    modelVersion: kind === 'model' && isObject(model) ? textOf(model['version']) : undefined,
    id: textOf(object['id']),
    schemaVersion: textOf(object['schemaVersion']),
  };
}

function nameOf(kind: EntityKind, value: JsonObject): string | undefined {
  const own = textOf(value['name']);
  if (kind === 'component') {
    const { component } = value;
    return (isObject(component) ? textOf(component['kind']) : undefined) ?? textOf(value['displayName']) ?? own;
  }
  if (kind === 'relationship' || kind === 'policy') {
    const parts = ['kind', 'type', 'subType'].map((name) => textOf(value[name]));
    return parts.filter((part) => part !== undefined).join('-') || own;
  }
  return own;
}

/** A text that is not empty. YAML may have taken a version for a number. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Rego has no magic bytes; every module begins with its package, after comments. */
export function isRego(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64 << 10)).toString('utf8');
  return /^\uFEFF?(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*package[ \t]+[A-Za-z_][\w.["\]-]*[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/.test(
    text,
  );
}

/** A WebAssembly module: NUL, `asm` (WebAssembly Core Specification, 5.5.16). */
export function isWasm(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}
