import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject } from '../core/json.ts';
import { foldAdditionalProperties } from './additional.ts';
import { at } from './checkParts.ts';
import { kindOfDocument, textOf } from './detect.ts';
import { parseDocument } from './document.ts';
import { type Entity, type EntityKind } from './entity.ts';

/** What differs between two entities, by what they say and not by how they are written: JSON and YAML of one value are equal. */
export interface MeshDiff {
  readonly from: EntityName;
  readonly to: EntityName;
  readonly differs: boolean;
  /** What the entity says of itself, without its parts: paths such as `metadata.resolvedAliases`. */
  readonly fields: readonly string[];
  /** Components, relationships and connections. */
  readonly parts: readonly PartDiff[];
  /** Files that are no parts, such as policies and README.md. */
  readonly files: Changes<string>;
}

export interface EntityName {
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string;
  readonly origin: string;
}

export type PartKind = 'component' | 'relationship' | 'connection';

export interface PartDiff extends Changes<PartName> {
  readonly kind: PartKind;
  readonly changed: readonly (PartName & { readonly paths: readonly string[] })[];
}

export interface Changes<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  readonly changed: readonly T[];
}

export interface PartName {
  /** As people know it: `Deployment web`, `edge/non-binding/network: Pod → Service`. */
  readonly name: string;
  readonly id: string | undefined;
  readonly file: string;
}

interface Part extends PartName {
  readonly kind: PartKind;
  readonly value: JsonObject;
  /** Names by which it may be found again, the most exact first. */
  readonly keys: readonly string[];
}

interface Contents {
  readonly own: JsonObject;
  readonly parts: readonly Part[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const PART_KINDS: readonly PartKind[] = ['component', 'relationship', 'connection'];

/** Parts are known by their id, else by kind and name. What cannot be read as a document is compared by its bytes. */
export function diffEntities(from: Entity, to: Entity): MeshDiff {
  const [before, after] = [contentsOf(from), contentsOf(to)];
  const fields = [...(from.kind === to.kind ? [] : ['kind']), ...changedPaths(before.own, after.own, '')];
  const parts = PART_KINDS.map((kind) => diffParts(kind, before.parts, after.parts)).filter(isChange);
  const files = diffFiles(before.files, after.files);
  return {
    from: nameOf(from),
    to: nameOf(to),
    differs: fields.length > 0 || parts.length > 0 || isChange(files),
    fields,
    parts,
    files,
  };
}

function isChange({ added, removed, changed }: Changes<unknown>): boolean {
  return added.length + removed.length + changed.length > 0;
}

function nameOf({ kind, name, version, origin }: Entity): EntityName {
  return { kind, name, version, origin };
}

function contentsOf(entity: Entity): Contents {
  const parts: Part[] = [];
  const files = new Map<string, Uint8Array>();
  let own: JsonObject = {};
  for (const { path, bytes } of entity.files) {
    const isMain = path === entity.main;
    const value = isMain || /\.(?:json|ya?ml)$/.test(path) ? documentOf(bytes, path) : undefined;
    const kind = value === undefined ? undefined : kindOfDocument(value);
    if (value !== undefined && isMain) {
      const { components, relationships, ...rest } = value;
      own = entity.kind === 'design' ? rest : value;
      if (entity.kind === 'design')
        parts.push(...listed('component', components, path), ...listed('relationship', relationships, path));
    } else if (value !== undefined && (kind === 'component' || kind === 'relationship' || kind === 'connection'))
      parts.push(partOf(kind, value, path, false));
    else files.set(path, bytes);
  }
  return { own, parts, files };
}

function documentOf(bytes: Uint8Array, path: string): JsonObject | undefined {
  try {
    const value = foldAdditionalProperties(parseDocument(bytes, path).value);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function listed(kind: PartKind, list: unknown, file: string): readonly Part[] {
  return Array.isArray(list) ? list.filter((item) => isObject(item)).map((item) => partOf(kind, item, file, true)) : [];
}

/** In a design several components of one kind are told apart by their names, in a model there is one of each kind and version. */
function partOf(kind: PartKind, value: JsonObject, file: string, inDesign: boolean): Part {
  const text = (...path: readonly string[]): string | undefined => textOf(at(value, path));
  const id = text('id');
  const base = { kind, file, value, id: id === undefined || /^[0-]+$/.test(id) ? undefined : id.toLowerCase() };
  if (kind === 'component') {
    const [of, version, shown] = [
      text('component', 'kind') ?? 'component',
      text('component', 'version'),
      text('displayName'),
    ];
    return {
      ...base,
      name: shown === undefined ? of : `${of} ${shown}`,
      keys: keysOf([of, shown, version], [of, shown], ...(inDesign ? [] : [[of, version]])),
    };
  }
  if (kind === 'connection') {
    const [name, of] = [text('name'), text('kind')];
    return { ...base, name: name ?? of ?? 'connection', keys: keysOf([name, of], [name]) };
  }
  const type = ['kind', 'type', 'subType']
    .map((key) => text(key))
    .filter((each) => each !== undefined)
    .join('/');
  const ends = ['from', 'to'].map((end) => endsOf(value, end));
  const name = ends.some((end) => end !== '') ? `${type}: ${ends.join(' → ')}` : type;
  return {
    ...base,
    name: name === '' ? 'relationship' : name,
    keys: keysOf([JSON.stringify(value['selectors']), type], [name], [type]),
  };
}

/** The kinds at one end of a relationship's selectors. */
function endsOf(relationship: JsonObject, end: string): string {
  const { selectors } = relationship;
  const kinds = new Set<string>();
  for (const selector of Array.isArray(selectors) ? selectors : []) {
    const items = at(selector, ['allow', end]);
    for (const item of Array.isArray(items) ? items : []) {
      const kind = textOf(at(item, ['kind']));
      if (kind !== undefined) kinds.add(kind);
    }
  }
  return [...kinds].join(', ');
}

function keysOf(...keys: readonly (readonly (string | undefined)[])[]): readonly string[] {
  return keys.map((key) => JSON.stringify(key));
}

function diffParts(kind: PartKind, before: readonly Part[], after: readonly Part[]): PartDiff {
  const left = new Set(before.filter((part) => part.kind === kind));
  const right = new Set(after.filter((part) => part.kind === kind));
  const changed: (PartName & { readonly paths: readonly string[] })[] = [];
  const pair = (key: (part: Part) => string | undefined, byName: boolean): void => {
    for (const [old, now] of pairs(left, right, key)) {
      left.delete(old);
      right.delete(now);
      const paths = changedPaths(old.value, now.value, '').filter((path) => !byName || path !== 'id');
      if (paths.length > 0) changed.push({ name: now.name, id: now.id, file: now.file, paths });
    }
  };
  pair(({ id }) => id, false);
  // Equal parts first, so that the order of a list decides nothing.
  pair(({ value }) => JSON.stringify(value), true);
  for (const depth of [0, 1, 2]) pair(({ keys }) => keys[depth], true);
  const names = (parts: Iterable<Part>): readonly PartName[] =>
    [...parts].map(({ name, id, file }) => ({ name, id, file }));
  return { kind, added: names(right), removed: names(left), changed };
}

/** Those that share a key, in their order. */
function* pairs(
  left: ReadonlySet<Part>,
  right: ReadonlySet<Part>,
  key: (part: Part) => string | undefined,
): Generator<readonly [Part, Part]> {
  const waiting = new Map<string, Part[]>();
  for (const part of right) {
    const own = key(part);
    if (own !== undefined) waiting.set(own, [...(waiting.get(own) ?? []), part]);
  }
  for (const part of left) {
    const found = waiting.get(key(part) ?? '')?.shift();
    if (found !== undefined) yield [part, found];
  }
}

/** Paths at which two values differ; where one side has nothing, the path of the whole that is missing. */
function changedPaths(before: unknown, after: unknown, path: string): readonly string[] {
  if (isDeepStrictEqual(before, after)) return [];
  const here = path === '' ? [] : [path];
  const step = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) => changedPaths(before[key], after[key], step(key)));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) => changedPaths(before[index], after[index], step(index))).flat();
  }
  return here;
}

function diffFiles(before: ReadonlyMap<string, Uint8Array>, after: ReadonlyMap<string, Uint8Array>): Changes<string> {
  return {
    added: [...after.keys()].filter((path) => !before.has(path)),
    removed: [...before.keys()].filter((path) => !after.has(path)),
    changed: [...before].flatMap(([path, bytes]) => {
      const other = after.get(path);
      return other === undefined || Buffer.compare(bytes, other) === 0 ? [] : [path];
    }),
  };
}
