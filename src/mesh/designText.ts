import { isObject } from '../core/json.ts';
import { formatYaml, parseYaml, YamlScalar } from '../io/yaml.ts';
import { foldAdditionalProperties } from './additional.ts';
import { parseDocument, type MeshDocument } from './document.ts';

/**
 * How the text of a design stands where Meshery reads it.
 * `json`: Meshery keeps members that it does not know only when it reads JSON, whatever the file is called.
 * `yaml`: for people. `given`: as it came.
 */
export type DesignText = 'json' | 'yaml' | 'given';

/** @throws OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function designText(bytes: Uint8Array, what: string, form: DesignText): Uint8Array {
  const document = parseDocument(bytes, what);
  const { syntax, wrapped, text, value } = document;
  if (!wrapped && (form === 'given' || syntax === form)) return bytes;
  if (form === 'given' || syntax === form) return Buffer.from(text);
  return Buffer.from(form === 'yaml' ? formatYaml(value) : toJson(document, what));
}

/** A document as JSON, numbers with the digits that their author wrote. @throws OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function toJson({ syntax, text, value }: MeshDocument, what: string): string {
  if (syntax === 'json') return text;
  const source = parseYaml(text, what, { scalars: 'source' }).value;
  return write(foldAdditionalProperties(source ?? value));
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The depth is bounded by the parser. */
function write(value: unknown): string {
  if (value instanceof YamlScalar) return writeScalar(value);
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (isObject(value))
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`)
      .join(',')}}`;
  return JSON.stringify(value) ?? 'null';
}

function writeScalar({ text, value }: YamlScalar): string {
  if (typeof value === 'number') {
    if (JSON_NUMBER.test(text)) return text;
    return Number.isFinite(value) ? JSON.stringify(value) : JSON.stringify(text);
  }
  return JSON.stringify(value) ?? JSON.stringify(text);
}
