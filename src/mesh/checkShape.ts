import { describe } from '../io/verify.ts';
import { type YamlPath } from '../io/yaml.ts';
import { type Checked } from './checked.ts';
import { type Shape } from './shapes.ts';

/** Which decoder of Meshery reads the document: `json-or-yaml` tries both, so that what one of them takes is taken. */
export type Decoder = 'json' | 'yaml' | 'json-or-yaml';

/** What Go's uuid package reads (gofrs/uuid): with dashes, without, in braces or as an URN. */
const UUID = /^(?:urn:uuid:|\{)?[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}\}?$/i;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** What YAML calls a timestamp (yaml.org/type/timestamp.html). */
const YAML_TIME =
  /^\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:[Zz]|[+-]\d\d?(?::\d\d)?))?)?$/;

/** Every value that would make the decoder give up. */
export function checkShape(document: Checked, shape: Shape, decoder: Decoder): void {
  new ShapeCheck(document, decoder).check(document.value, shape, []);
}

class ShapeCheck {
  readonly #document: Checked;
  readonly #decoder: Decoder;

  constructor(document: Checked, decoder: Decoder) {
    this.#document = document;
    this.#decoder = decoder;
  }

  check(value: unknown, shape: Shape, path: YamlPath): void {
    if (value === null || value === undefined) return;
    if (typeof shape === 'object') {
      if ('list' in shape) this.#list(value, shape.list, path);
      else if (this.#isMap(value, path))
        for (const [key, member] of Object.entries(shape.map)) this.check(value[key], member, [...path, key]);
      return;
    }
    switch (shape) {
      case 'map':
        this.#isMap(value, path);
        return;
      case 'text':
        if (typeof value === 'object' || (typeof value !== 'string' && this.#decoder === 'json'))
          this.#wrongType(path, value, 'a text');
        return;
      case 'flag':
        if (typeof value !== 'boolean' && !this.#isYamlFlag(value)) this.#wrongType(path, value, 'true or false');
        return;
      case 'count':
        if (typeof value !== 'number' || (!Number.isInteger(value) && this.#decoder === 'json'))
          this.#wrongType(path, value, 'a whole number');
        return;
      case 'id':
      case 'uuid':
      case 'uuid-or-null':
        this.#uuid(value, shape, path);
        return;
      case 'time':
      case 'time-or-null':
        this.#time(value, shape, path);
        return;
    }
  }

  #list(value: unknown, shape: Shape, path: YamlPath): void {
    if (!Array.isArray(value)) this.#wrongType(path, value, 'a list');
    else for (const [index, item] of value.entries()) this.check(item, shape, [...path, index]);
  }

  #isMap(value: unknown, path: YamlPath): value is Readonly<Record<string, unknown>> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return true;
    this.#wrongType(path, value, 'a map');
    return false;
  }

  /** YAML 1.1's booleans, which Go's decoder still takes for a field that is one. */
  #isYamlFlag(value: unknown): boolean {
    return this.#decoder !== 'json' && typeof value === 'string' && /^(?:[yn]|yes|no|on|off)$/i.test(value);
  }

  #wrongType(path: YamlPath, value: unknown, expected: string): void {
    const what = path.length === 0 ? 'the document' : path.join('.');
    const message = `${what} is ${typeName(value)}, where Meshery reads ${expected}`;
    this.#document.add('field-type', path, message, `make it ${expected}`);
  }

  #uuid(value: unknown, shape: 'id' | 'uuid' | 'uuid-or-null', path: YamlPath): void {
    if (typeof value === 'string' && UUID.test(value)) return;
    const name = path.join('.');
    if (value !== '') {
      const message = `${name} is ${short(value)}, which is no UUID`;
      this.#document.add('uuid', path, message, 'give it a UUID, or null');
      return;
    }
    const replacement = shape === 'id' ? derivedUuid(this.#document.text, name) : shape === 'uuid' ? NIL_UUID : null;
    const message = `${name} is empty, which Meshery cannot read as a UUID`;
    const fix = shape === 'id' ? 'give it a UUID of its own' : `write ${String(replacement)}`;
    this.#document.add('uuid', path, message, fix, { kind: 'set', path, value: replacement });
  }

  #time(value: unknown, shape: 'time' | 'time-or-null', path: YamlPath): void {
    const name = path.join('.');
    if (this.#readsAsTime(value, shape, path)) return;
    this.#document.add(
      'time',
      path,
      `${name} is ${short(value)}, which is no time`,
      'write it as 2025-01-31T12:00:00Z, or null',
    );
  }

  #readsAsTime(value: unknown, shape: 'time' | 'time-or-null', path: YamlPath): boolean {
    // What some providers send: {"Time": …, "Valid": …}.
    if (typeof value === 'object') return shape === 'time-or-null' && this.#decoder !== 'yaml' && !Array.isArray(value);
    if (typeof value !== 'string') return false;
    if (value === '') return shape === 'time-or-null' && this.#decoder !== 'json';
    return RFC3339.test(value) || (YAML_TIME.test(value) && !this.#document.isQuoted(path));
  }
}

/** A UUID (RFC 9562, version 8) made of the text around it: the same input gets the same one. */
export function derivedUuid(text: string, place: string): string {
  const hex = describe(Buffer.from(`${place}\n${text}`), '')
    .digest.replace(/^.*:/, '')
    .slice(0, 32);
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return short(value);
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
