import { OclError, toOclError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { parseYaml, YamlScalar } from '../io/yaml.ts';

export interface MeshDocument {
  /** As it was written; unknown keys are in it. */
  readonly value: unknown;
  /** The same with what its author typed: in YAML, every unquoted scalar is a `YamlScalar`. */
  readonly source: unknown;
  readonly syntax: 'json' | 'yaml';
  /** What was parsed: the file, or the text within it. */
  readonly text: string;
  /** The file holds the document as one text, as Meshery's `?pkg=true` exports do. */
  readonly wrapped: boolean;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** What git leaves where two versions did not fit together. A published design of Meshery's catalog has it. */
const MERGE_MARKER = /^(?:<{7}|>{7})(?: .*)?$/m;

export type ParseDocument = (bytes: Uint8Array, what: string) => MeshDocument;

/** Reads each file once, however often it is asked for. */
export function documentReader(): ParseDocument {
  const known = new WeakMap<Uint8Array, MeshDocument>();
  return (bytes, what) => {
    const document = known.get(bytes) ?? parseDocument(bytes, what);
    known.set(bytes, document);
    return document;
  };
}

/**
 * A document as Meshery reads it: JSON first, YAML second, whatever the file is called (meshkit `encoding.Unmarshal`).
 * @param what names the file in errors
 * @throws OCL_DOCUMENT_INVALID, with line and column where there is one; OCL_LIMIT
 */
export function parseDocument(bytes: Uint8Array, what: string): MeshDocument {
  let text: string;
  try {
    // A byte order mark goes on the way.
    text = decoder.decode(bytes);
  } catch (error) {
    throw invalid(what, 'it is not UTF-8 text', error);
  }
  const document = parseText(text, what);
  const inner = document.value;
  return typeof inner === 'string' && /^[ \t]*["']?\w+["']?[ \t]*:/m.test(inner)
    ? { ...parseText(inner, what), wrapped: true }
    : document;
}

function parseText(text: string, what: string): MeshDocument {
  refuseMergeMarkers(text, what);
  const plain = { text, wrapped: false };
  if (!/^\s*[[{]/.test(text)) return { ...plain, ...readYaml(text, what) };
  try {
    const value = parseJson(Buffer.from(text), what);
    return { ...plain, value, source: value, syntax: 'json' };
  } catch (error) {
    // A YAML document may begin with a brace too; when it is none either, what is wrong with the JSON tells more.
    if (toOclError(error).code !== 'OCL_DOCUMENT_INVALID' || looksLikeJson(text)) throw error;
    try {
      return { ...plain, ...readYaml(text, what) };
    } catch {
      throw error;
    }
  }
}

function looksLikeJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readYaml(text: string, what: string): Pick<MeshDocument, 'value' | 'source' | 'syntax'> {
  try {
    const source = parseYaml(text, what, { scalars: 'source' }).value;
    return { value: plainOf(source, new Map()), source, syntax: 'yaml' };
  } catch (error) {
    const known = toOclError(error);
    if (known.code !== 'OCL_CONFIG_INVALID') throw known;
    throw new OclError('OCL_DOCUMENT_INVALID', known.message, { cause: known });
  }
}

/** Without what was typed. What an alias stands for stays one object. */
function plainOf(source: unknown, known: Map<object, unknown>): unknown {
  if (typeof source !== 'object' || source === null) return source;
  if (source instanceof YamlScalar) return source.value;
  const before = known.get(source);
  if (before !== undefined) return before;
  if (Array.isArray(source)) {
    const list: unknown[] = [];
    known.set(source, list);
    for (const item of source) list.push(plainOf(item, known));
    return list;
  }
  // A key such as `__proto__` is data.
  const map = Object.create(null) as Record<string, unknown>;
  known.set(source, map);
  for (const [key, member] of Object.entries(source)) map[key] = plainOf(member, known);
  return map;
}

function refuseMergeMarkers(text: string, what: string): void {
  const marker = MERGE_MARKER.exec(text);
  if (marker === null) return;
  const line = text.slice(0, marker.index).split('\n').length;
  throw new OclError(
    'OCL_DOCUMENT_INVALID',
    `Cannot read ${what}:${line}: it has the marks of a merge that was never finished (${marker[0].slice(0, 7)})`,
    { hint: 'choose one of the two versions between the marks, and take the marks out' },
  );
}

function invalid(what: string, why: string, cause: unknown): OclError {
  return new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`, { cause });
}
