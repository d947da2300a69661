import { isDeepStrictEqual } from 'node:util';
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  Scalar,
  type Document,
  type Pair,
  type YAMLMap,
} from 'yaml';
import { parseYaml, type YamlPath } from './yaml.ts';

/** A small change of a YAML or JSON text. */
export type YamlEdit =
  /** Gives the entry a value, and makes it where it is missing; all around it must be there. */
  | { readonly kind: 'set'; readonly path: YamlPath; readonly value: YamlEditValue }
  /** The entries of the map at the path go one level up, and the map goes away. */
  | { readonly kind: 'lift'; readonly path: YamlPath };

export type YamlEditValue = string | null | Readonly<Record<string, string>> | readonly [];

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text with the changes made where they belong and nothing else touched: comments, order, quotes and indentation stay.
 * Every change is proved by reading the text again; what cannot be proved is not made.
 *
 * @param file names the text in errors
 * @returns the new text, and the changes that it could not take
 * @throws as parseYaml, for a text that is no YAML
 */
export function editYaml<E extends YamlEdit>(
  text: string,
  edits: readonly E[],
  file: string,
): { readonly text: string; readonly left: readonly E[] } {
  const made = makeAll(text, edits, file);
  if (made !== undefined) return { text: made, left: [] };
  if (edits.length < 2) return { text, left: edits };
  const half = edits.length >> 1;
  const first = editYaml(text, edits.slice(0, half), file);
  const second = editYaml(first.text, edits.slice(half), file);
  return { text: second.text, left: [...first.left, ...second.left] };
}

function makeAll(text: string, edits: readonly YamlEdit[], file: string): string | undefined {
  const expected = structuredClone(parseYaml(text, file).value);
  if (!edits.every((edit) => applyTo(expected, edit))) return undefined;
  const editor = new Editor(text);
  const splices: Splice[] = [];
  for (const edit of edits) {
    const needed = edit.kind === 'set' ? editor.set(edit.path, edit.value) : editor.lift(edit.path);
    if (needed === undefined) return undefined;
    splices.push(...needed);
  }
  const made = spliced(text, splices);
  return made !== undefined && reads(made, expected, file) && (!isJson(text) || isJson(made)) ? made : undefined;
}

function reads(text: string, expected: unknown, file: string): boolean {
  try {
    return isDeepStrictEqual(structuredClone(parseYaml(text, file).value), expected);
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function spliced(text: string, splices: readonly Splice[]): string | undefined {
  const sorted = splices.toSorted((a, b) => a.start - b.start || a.end - b.end);
  let made = '';
  let at = 0;
  for (const { start, end, text: replacement } of sorted) {
    if (start < at) return undefined;
    made += text.slice(at, start) + replacement;
    at = end;
  }
  return made + text.slice(at);
}

/** What the edit does to a value. False: it does not fit there. */
function applyTo(value: unknown, { path, ...edit }: YamlEdit): boolean {
  const parent = path.slice(0, -1).reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), value);
  const key = path.at(-1);
  if (!isObject(parent) || key === undefined) return false;
  if (edit.kind === 'set') {
    parent[key] = structuredClone(edit.value);
    return true;
  }
  const inner = parent[key] ?? {};
  if (!isObject(inner) || Array.isArray(inner)) return false;
  if (Object.keys(inner).some((name) => name !== key && Object.hasOwn(parent, name))) return false;
  Reflect.deleteProperty(parent, key);
  Object.assign(parent, inner);
  return true;
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

type MapItem = Pair & { readonly key: Scalar };

class Editor {
  readonly #text: string;
  readonly #document: Document;
  readonly #json: boolean;
  readonly #eol: string;

  constructor(text: string) {
    this.#text = text;
    this.#document = parseDocument(text, { prettyErrors: false, uniqueKeys: false, merge: false, logLevel: 'silent' });
    this.#json = isJson(text);
    this.#eol = text.includes('\r\n') ? '\r\n' : '\n';
  }

  set(path: YamlPath, value: YamlEditValue): readonly Splice[] | undefined {
    const parent = this.#node(path.slice(0, -1));
    const key = path.at(-1);
    if (isMap(parent)) return this.#setInMap(parent, String(key), value);
    const item = isSeq(parent) && typeof key === 'number' ? parent.items[key] : undefined;
    return isScalar(item) ? this.#replace(item, value, parent as { flow?: boolean }) : undefined;
  }

  lift(path: YamlPath): readonly Splice[] | undefined {
    const parent = this.#node(path.slice(0, -1));
    if (!isMap(parent)) return undefined;
    const index = indexOf(parent, String(path.at(-1)));
    const pair = parent.items[index];
    if (!isItem(pair)) return undefined;
    const inner = isMap(pair.value) ? pair.value : undefined;
    if (inner === undefined || inner.items.length === 0) return this.#remove(parent, index, pair);
    const first = inner.items[0];
    if (!isItem(first) || inner.anchor !== undefined) return undefined;
    if (inner.flow !== true) return this.#dedent(pair, first, endOf(inner));
    const items = inner.items.map((item) => this.#textOf(item));
    if (items.includes(undefined)) return undefined;
    const between =
      parent.flow === true ? `,${this.#separator(parent)}` : this.#eol + ' '.repeat(this.#column(startOf(pair)));
    return [{ start: startOf(pair), end: endOf(inner), text: items.join(between) }];
  }

  #setInMap(map: YAMLMap, key: string, value: YamlEditValue): readonly Splice[] | undefined {
    const pair = map.items[indexOf(map, key)];
    if (isItem(pair)) return isScalar(pair.value) ? this.#replace(pair.value, value, map, keyEnd(pair)) : undefined;
    const entry =
      map.flow === true
        ? this.#flowEntry(map, key, value)
        : `${scalarText(key, false)}: ${this.#valueText(value, false)}`;
    const last = map.items.at(-1);
    if (last === undefined) {
      // Between the braces of an empty map.
      const start = (map.range?.[0] ?? 0) + 1;
      return map.flow === true ? [{ start, end: start, text: entry }] : undefined;
    }
    if (map.flow === true) {
      const end = isItem(last) ? valueEnd(last) : undefined;
      return end === undefined ? undefined : [{ start: end, end, text: `,${this.#separator(map)}${entry}` }];
    }
    const items = map.items.filter(isItem);
    const before = items.find((item) => String(item.key.value) > key) ?? items.at(-1);
    if (before === undefined) return undefined;
    const start = startOf(before);
    return [{ start, end: start, text: `${entry}${this.#eol}${' '.repeat(this.#column(start))}` }];
  }

  /** @param behind where the key ends: of a value that is not written the reader gives some place further on */
  #replace(node: Scalar, value: YamlEditValue, parent: { flow?: boolean }, behind?: number): readonly Splice[] {
    const [start = 0, end = start] = node.range ?? [];
    const text = this.#valueText(value, node.type === Scalar.QUOTE_DOUBLE || parent.flow === true);
    if (start < end || behind === undefined) return [{ start, end, text }];
    const colon = this.#text.indexOf(':', behind) + 1;
    return [{ start: colon, end: colon, text: ` ${text}` }];
  }

  /** An entry as its siblings write theirs. */
  #flowEntry(map: YAMLMap, key: string, value: YamlEditValue): string {
    const [first] = map.items;
    const colon =
      isItem(first) && isNode(first.value) && !isMap(first.value)
        ? this.#text.slice(first.key.range?.[1] ?? 0, first.value.range?.[0] ?? 0)
        : ': ';
    const quotes = this.#json || (isItem(first) && first.key.type !== Scalar.PLAIN);
    return `${scalarText(key, quotes)}${/^\s*:\s*$/.test(colon) ? colon : ': '}${this.#valueText(value, quotes)}`;
  }

  /** What stands between the brace of a flow map and its first entry: the same stands after each comma. */
  #separator(map: YAMLMap): string {
    const [first] = map.items;
    const white = isItem(first) ? this.#text.slice((map.range?.[0] ?? 0) + 1, startOf(first)) : ' ';
    if (/^[ \t]*$/.test(white) && map.items.length > 1) {
      const [, second] = map.items;
      const end = isItem(first) ? valueEnd(first) : undefined;
      const gap = isItem(second) && end !== undefined ? this.#text.slice(end, startOf(second)) : '';
      const after = /^\s*,(\s*)$/.exec(gap)?.[1];
      if (after !== undefined) return after;
    }
    return /^\s*$/.test(white) && (white !== '' || this.#json) ? white : ' ';
  }

  #valueText(value: YamlEditValue, quotes: boolean): string {
    if (typeof value === 'string') return scalarText(value, quotes || this.#json);
    return JSON.stringify(value);
  }

  /** Takes an entry away with its line, or with its comma. */
  #remove(parent: YAMLMap, index: number, pair: MapItem): readonly Splice[] | undefined {
    const start = startOf(pair);
    const end = valueEnd(pair) ?? keyEnd(pair);
    const next = parent.items[index + 1];
    if (isItem(next)) {
      const hasComment = this.#text.slice(end, startOf(next)).includes('#');
      return hasComment ? undefined : [{ start, end: startOf(next), text: '' }];
    }
    const previous = parent.items[index - 1];
    if (!isItem(previous)) return parent.flow === true ? [{ start, end, text: '' }] : undefined;
    const before = valueEnd(previous) ?? keyEnd(previous);
    return [{ start: before, end, text: '' }];
  }

  /** The lines of an inner block map move to the left, onto the place of its key. */
  #dedent(pair: MapItem, first: MapItem, end: number): readonly Splice[] | undefined {
    const start = startOf(first);
    const by = this.#column(start) - this.#column(startOf(pair));
    if (by <= 0) return undefined;
    const splices: Splice[] = [{ start: startOf(pair), end: start, text: '' }];
    for (
      let line = this.#text.indexOf('\n', start) + 1;
      line > 0 && line < end;
      line = this.#text.indexOf('\n', line) + 1
    ) {
      const spaces = /^ */.exec(this.#text.slice(line, line + by))?.[0].length ?? 0;
      if (spaces > 0) splices.push({ start: line, end: line + spaces, text: '' });
    }
    return splices;
  }

  #textOf(item: unknown): string | undefined {
    if (!isItem(item)) return undefined;
    const end = valueEnd(item);
    return end === undefined ? undefined : this.#text.slice(startOf(item), end);
  }

  /** Characters before it in its line. */
  #column(offset: number): number {
    return offset - (this.#text.lastIndexOf('\n', offset - 1) + 1);
  }

  #node(path: YamlPath): unknown {
    let node: unknown = this.#document.contents;
    for (const step of path) {
      node = this.#resolved(node);
      if (isMap(node)) node = node.items[indexOf(node, String(step))]?.value;
      else if (isSeq(node) && typeof step === 'number') node = node.items[step];
      else return undefined;
    }
    return this.#resolved(node);
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }
}

/** Of equal keys the last counts. */
function indexOf(map: YAMLMap, key: string): number {
  return map.items.findLastIndex((item) => isItem(item) && String(item.key.source ?? item.key.value) === key);
}

function isItem(item: unknown): item is MapItem {
  return isPair(item) && isScalar(item.key) && item.key.range !== undefined && item.key.range !== null;
}

function isNode(value: unknown): value is { readonly range?: readonly [number, number, number] | null } {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function startOf(item: MapItem): number {
  return item.key.range?.[0] ?? 0;
}

function keyEnd(item: MapItem): number {
  return item.key.range?.[1] ?? 0;
}

function valueEnd(item: MapItem): number | undefined {
  return isNode(item.value) ? (item.value.range?.[1] ?? undefined) : undefined;
}

function endOf(map: YAMLMap): number {
  return map.range?.[1] ?? 0;
}

/** Words that a YAML reader takes for something other than a text. */
const NOT_PLAIN = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

function scalarText(text: string, quotes: boolean): string {
  return !quotes && /^[A-Za-z][A-Za-z0-9_./-]*$/.test(text) && !NOT_PLAIN.test(text) ? text : JSON.stringify(text);
}
