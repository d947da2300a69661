import { isObject, type JsonObject } from '../core/json.ts';
import { type YamlPath } from '../io/yaml.ts';
import { type Checked } from './checked.ts';

const KEY = 'additionalproperties';

/**
 * A document as it was meant: an export of 2025 as YAML put members of `metadata` that it did not know below a key
 * `additionalproperties`, where no reader finds them. Here they are back one level up. What is there already stays as it is.
 * @returns the same value when there is nothing to move
 */
export function foldAdditionalProperties(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value.map(foldAdditionalProperties);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value);
  const folded = entries.map(([key, member]): [string, unknown] => {
    const own = key === 'configuration' ? member : foldAdditionalProperties(member);
    return [key, key === 'metadata' && isObject(own) ? lifted(own) : own];
  });
  // Built from entries, for a member may be called __proto__.
  return folded.every(([, member], index) => member === entries[index]?.[1]) ? value : Object.fromEntries(folded);
}

function lifted(metadata: JsonObject): JsonObject {
  const inner = innerOf(metadata);
  if (inner === undefined) return metadata;
  const { [KEY]: _moved, ...rest } = metadata;
  return { ...inner, ...rest };
}

/** What lies too deep; empty when the key is there and holds nothing. */
function innerOf(metadata: JsonObject): JsonObject | undefined {
  const inner = metadata[KEY];
  if (inner === null) return {};
  return isObject(inner) ? inner : undefined;
}

export function checkAdditionalProperties(document: Checked): void {
  const places: { readonly path: YamlPath; readonly keys: readonly string[]; readonly stays: boolean }[] = [];
  visitOwn(document.value, (value, path) => {
    const inner = path.at(-1) === 'metadata' && isObject(value) ? innerOf(value) : undefined;
    if (inner === undefined || !isObject(value)) return;
    const keys = Object.keys(inner);
    places.push({ path: [...path, KEY], keys, stays: keys.some((key) => key === KEY || Object.hasOwn(value, key)) });
  });
  for (const stays of [false, true]) {
    const found = places.filter((place) => place.stays === stays);
    const [first] = found;
    if (first === undefined) continue;
    const keys = [...new Set(found.flatMap((place) => place.keys))];
    const where = found.length === 1 ? 'here' : `here and in ${found.length - 1} more places`;
    const held = keys.length === 0 ? 'nothing' : keys.slice(0, 5).join(', ');
    document.add(
      'additional-properties',
      first.path,
      `${KEY} is what an old export added, ${where}; it holds ${held}`,
      stays ? 'move up what is not there yet, and take the rest away' : 'move what it holds one level up',
      ...(stays ? [] : found.map(({ path }) => ({ kind: 'lift', path }) as const)),
    );
  }
}

/** A time in the year 1 is Go's way to say none. As `deleted_at` it broke the decoder of YAML. */
export function checkYearOne(document: Checked): void {
  const places: YamlPath[] = [];
  visitOwn(document.value, (value, path) => {
    if (typeof value === 'string' && /^0001-01-01(?:[Tt ]|$)/.test(value)) places.push(path);
  });
  const [first] = places;
  if (first === undefined) return;
  const where = places.length === 1 ? '' : `, as are ${places.length - 1} more`;
  const message = `${String(first.at(-1))} is in the year 1, which stands for no time, and broke a decoder of Meshery${where}`;
  document.add(
    'year-one',
    first,
    message,
    'write null',
    ...places.map((path) => ({ kind: 'set', path, value: null }) as const),
  );
}

/** Every value of Meshery's own; what users configure is theirs. */
function visitOwn(value: unknown, found: (value: unknown, path: YamlPath) => void, path: YamlPath = []): void {
  found(value, path);
  if (Array.isArray(value)) for (const [index, item] of value.entries()) visitOwn(item, found, [...path, index]);
  else if (isObject(value))
    for (const [key, member] of Object.entries(value))
      if (key !== 'configuration') visitOwn(member, found, [...path, key]);
}
