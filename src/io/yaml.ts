import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  parseDocument,
  Scalar,
  stringify,
  type Document,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

/** Counted from 1, as editors do. */
export interface YamlPosition {
  readonly line: number;
  readonly column: number;
}

export interface YamlWarning extends YamlPosition {
  readonly message: string;
  /** What readers differ in, and some refuse. */
  readonly about?: 'duplicate-key' | 'several-documents' | undefined;
  /** Of a duplicate. */
  readonly key?: string | undefined;
}

export type YamlPath = readonly (string | number)[];

/** An unquoted scalar with the text that its author typed: `3.10` is the number 3.1 to one reader and a version to another. */
export class YamlScalar {
  readonly text: string;
  /** What YAML 1.2's core schema makes of it. */
  readonly value: unknown;

  constructor(text: string, value: unknown) {
    this.text = text;
    this.value = value;
  }
}

/** A text that is no YAML, with the place where it stops being so. */
export class YamlError extends OclError {
  readonly at: YamlPosition;
  readonly why: string;

  constructor(file: string, at: YamlPosition, why: string) {
    const hint = /\{\{/.test(why) ? 'put the whole value between quotes' : undefined;
    super('OCL_CONFIG_INVALID', `Cannot read ${file}:${at.line}:${at.column}: ${why}`, { hint });
    this.name = 'YamlError';
    this.at = at;
    this.why = why;
  }
}

export interface YamlOptions {
  /** `plain`: JavaScript values. `source`: every unquoted scalar but null is a `YamlScalar`. Default `plain`. */
  readonly scalars?: 'plain' | 'source';
}

export interface YamlDocument {
  /** Objects have no prototype; an alias gives the very object of its anchor. Undefined when the file is empty. */
  readonly value: unknown;
  readonly warnings: readonly YamlWarning[];
  /** Where the entry at a path stands, or the nearest entry around it that is there. */
  at(path: YamlPath): YamlPosition;
}

/** Nesting of collections. */
const MAX_DEPTH = LIMITS.jsonDepth;
/** Nodes, each alias counted with all that it stands for: ten lines of anchors can stand for a billion. */
const MAX_NODES = 2_000_000;

/**
 * The first document of a YAML 1.2 text. Of equal keys the last wins, and a `<<` after explicit keys overrides them,
 * as in the parser that regsync uses; both are warned about.
 *
 * @param file names the text in errors
 * @throws OCL_CONFIG_INVALID with file, line and column; OCL_LIMIT for size, depth or expansion beyond the bounds
 */
export function parseYaml(text: string, file: string, options: YamlOptions = {}): YamlDocument {
  if (Buffer.byteLength(text) > LIMITS.configFile)
    throw tooMuch(file, `it is larger than the ${LIMITS.configFile} bytes that are accepted`);
  checkDepth(text, file);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    merge: false,
    logLevel: 'warn',
  });
  const reader = new Reader(document, lines, file, options.scalars === 'source');
  for (const error of document.errors) {
    if (error.code !== 'MULTIPLE_DOCS') throw reader.invalid(error.pos[0], error.message);
    reader.warn(error.pos[0], 'only the first document of the file is read', { about: 'several-documents' });
  }
  for (const warning of document.warnings) reader.warn(warning.pos[0], warning.message);
  const value = document.contents === null ? undefined : reader.read(document.contents, 0).value;
  return { value: value ?? undefined, warnings: reader.warnings, at: (path) => reader.at(value, path) };
}

/** A value as YAML, with every text between quotes, so that no reader takes one for something else. */
export function formatYaml(value: unknown): string {
  return stringify(value, {
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

interface Read {
  readonly value: unknown;
  /** Nodes, aliases expanded. */
  readonly nodes: number;
}

type Entries = Record<string, unknown>;

class Reader {
  readonly warnings: YamlWarning[] = [];
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #keepSource: boolean;
  readonly #anchors = new Map<string, Read>();
  readonly #places = new WeakMap<object, Map<string | number, number>>();
  readonly #top: number;

  constructor(document: Document, lines: LineCounter, file: string, keepSource: boolean) {
    this.#lines = lines;
    this.#file = file;
    this.#keepSource = keepSource;
    this.#top = document.range?.[0] ?? 0;
  }

  read(node: unknown, nodesBefore: number): Read {
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined)
        throw this.invalid(
          startOf(node),
          `the alias *${node.source} stands before its anchor, or inside it, or has none`,
        );
      return this.#bounded(target, nodesBefore, node);
    }
    const read = isMap(node)
      ? this.#map(node, nodesBefore)
      : isSeq(node)
        ? this.#list(node, nodesBefore)
        : { value: this.#scalar(node), nodes: 1 };
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, read);
    return this.#bounded(read, nodesBefore, node);
  }

  at(value: unknown, path: YamlPath): YamlPosition {
    let offset = this.#top;
    let here = value;
    for (const step of path) {
      const next = typeof here === 'object' && here !== null ? this.#places.get(here)?.get(step) : undefined;
      if (next === undefined) break;
      offset = next;
      here = (here as Entries)[step];
    }
    return this.#position(offset);
  }

  warn(offset: number, message: string, more: Pick<YamlWarning, 'about' | 'key'> = {}): void {
    this.warnings.push({ ...this.#position(offset), message, ...more });
  }

  invalid(offset: number, why: string): YamlError {
    return new YamlError(this.#file, this.#position(offset), why);
  }

  #position(offset: number): YamlPosition {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #bounded(read: Read, nodesBefore: number, node: unknown): Read {
    if (nodesBefore + read.nodes <= MAX_NODES) return read;
    const { line } = this.#position(startOf(node));
    throw tooMuch(`${this.#file}:${line}`, `with its aliases expanded it has more than ${MAX_NODES} values`);
  }

  #scalar(node: unknown): unknown {
    if (!isScalar(node)) return null;
    if (!this.#keepSource || node.value === null || node.type !== Scalar.PLAIN || node.tag !== undefined)
      return node.value;
    return new YamlScalar(node.source ?? textOf(node.value), node.value);
  }

  #list(list: YAMLSeq, nodesBefore: number): Read {
    const values: unknown[] = [];
    const places = new Map<string | number, number>();
    let nodes = 1;
    for (const item of list.items) {
      const read = this.read(isPair(item) ? null : item, nodesBefore + nodes);
      places.set(values.length, startOf(item));
      values.push(read.value);
      nodes += read.nodes;
    }
    this.#places.set(values, places);
    return { value: values, nodes };
  }

  #map(map: YAMLMap, nodesBefore: number): Read {
    const entries = Object.create(null) as Entries;
    const places = new Map<string | number, number>();
    /** Keys written here and not merged in: only these are worth a warning when they are overridden. */
    const own = new Set<string>();
    let nodes = 1;
    for (const { key, value } of map.items) {
      const name = this.#key(key);
      const read = this.read(value, nodesBefore + nodes);
      nodes += read.nodes;
      if (name === '<<' && isScalar(key) && key.type === Scalar.PLAIN) {
        this.#merge({ entries, places, own }, read.value, startOf(key));
        continue;
      }
      if (own.has(name))
        this.warn(startOf(key), `the key ${JSON.stringify(name)} stands twice in one map; the last one counts`, {
          about: 'duplicate-key',
          key: name,
        });
      own.add(name);
      entries[name] = read.value;
      places.set(name, startOf(key));
    }
    this.#places.set(entries, places);
    return { value: entries, nodes };
  }

  #key(key: unknown): string {
    if (isScalar(key)) return key.value === null ? '' : (key.source ?? textOf(key.value));
    if (isAlias(key)) {
      const target = this.#anchors.get(key.source)?.value;
      if (typeof target === 'string') return target;
      if (target instanceof YamlScalar) return target.text;
    }
    throw this.invalid(
      startOf(key),
      isMap(key) ? 'a map cannot be a key; a value that starts with {{ needs quotes' : 'only a text can be a key',
    );
  }

  #merge(
    into: { entries: Entries; places: Map<string | number, number>; own: ReadonlySet<string> },
    value: unknown,
    offset: number,
  ): void {
    if (Array.isArray(value)) {
      this.warn(offset, 'regsync refuses a list after <<; of equal keys the first map of the list counts');
      for (const item of value.toReversed()) this.#merge(into, item, offset);
      return;
    }
    if (value === null) return;
    if (typeof value !== 'object' || value instanceof YamlScalar)
      throw this.invalid(offset, '<< must be followed by a map');
    const overridden: string[] = [];
    const theirs = this.#places.get(value);
    for (const [name, entry] of Object.entries(value)) {
      if (into.own.has(name) && into.entries[name] !== entry) overridden.push(name);
      into.entries[name] = entry;
      into.places.set(name, theirs?.get(name) ?? offset);
    }
    if (overridden.length > 0)
      this.warn(
        offset,
        `<< stands after ${overridden.join(', ')} and overrides ${overridden.length === 1 ? 'it' : 'them'}, as in regsync; write << first to keep what is written here`,
      );
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function startOf(node: unknown): number {
  if (isPair(node)) return startOf(node.key);
  return ((isScalar(node) || isCollection(node) || isAlias(node)) && node.range?.[0]) || 0;
}

/** The parser recurses and has no bound of its own, so the depth is taken from the tokens first. The columns of open collections give it. */
function checkDepth(text: string, file: string): void {
  const columns: number[] = [];
  let flow = 0;
  let column = 0;
  let line = 1;
  let scalarFollows = false;
  for (const token of new Lexer().lex(text)) {
    const scalar: boolean = scalarFollows;
    scalarFollows = !scalar && token === SCALAR_FOLLOWS;
    if (!scalar && MARKERS.has(token)) continue;
    if (!scalar && (token === '[' || token === '{')) flow++;
    else if (!scalar && (token === ']' || token === '}')) flow = Math.max(0, flow - 1);
    else if (flow === 0 && token.trim() !== '' && !token.startsWith('#')) {
      while ((columns.at(-1) ?? -1) > column) columns.pop();
      if ((columns.at(-1) ?? -1) < column) columns.push(column);
    }
    if (flow + columns.length > MAX_DEPTH)
      throw tooMuch(`${file}:${line}`, `it is nested more than ${MAX_DEPTH} levels deep`);
    const lastBreak = token.lastIndexOf('\n');
    column = lastBreak < 0 ? column + token.length : token.length - lastBreak - 1;
    for (let at = token.indexOf('\n'); at >= 0; at = token.indexOf('\n', at + 1)) line++;
  }
}

/** The lexer's own control characters (yaml's `cst`): byte order mark, document start, flow error, scalar. */
const SCALAR_FOLLOWS = '\u001F';
const MARKERS: ReadonlySet<string> = new Set(['\uFEFF', '\u0002', '\u0018', SCALAR_FOLLOWS]);

function tooMuch(where: string, why: string): OclError {
  return new OclError('OCL_LIMIT', `Cannot read ${where}: ${why}`);
}
