import { isObject } from '../core/json.ts';
import { formatYaml, YamlScalar } from '../io/yaml.ts';
import { foldAdditionalProperties } from './additional.ts';
import { type MeshDocument } from './document.ts';

/**
 * How the text of a design stands where Meshery reads it.
 * `json`: Meshery keeps members that it does not know only when it reads JSON, whatever the file is called.
 * `yaml`: for people. `given`: as it came.
 */
export type DesignText = 'json' | 'yaml' | 'given';

/** @param bytes of the file that the document was read from */
export function designText(document: MeshDocument, bytes: Uint8Array, form: DesignText): Uint8Array {
  const { syntax, wrapped, text, value } = document;
  if (!wrapped && (form === 'given' || syntax === form)) return bytes;
  if (form === 'given' || syntax === form) return Buffer.from(text);
  return Buffer.from(form === 'yaml' ? formatYaml(value) : toJson(document));
}

/** A document as JSON, numbers with the digits that their author wrote. */
export function toJson({ syntax, text, source }: MeshDocument): string {
  return syntax === 'json' ? text : write(foldAdditionalProperties(source));
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
