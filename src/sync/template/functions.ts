import { print, printed, printf, toJson } from './format.ts';
import { goTime, parseTime } from './time.ts';
import { GoFloat, GoNamed, GoStruct, isTrue, numberOf, TemplateError, typeName, type Value } from './values.ts';

/** What templates may ask of the world around them. */
export interface Surroundings {
  /** The value of a variable of the environment; empty when it is not set. */
  readonly env: (name: string) => string;
  /** The text of a file; empty when it cannot be read. */
  readonly file: (path: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Call = (args: readonly Value[], surroundings: Surroundings) => Value;

/** regclient's functions and Go's own (spec/regsync.md 1.5). */
export const FUNCTIONS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ['default', ([fallback = '', value = null]) => (isTrue(value) ? value : fallback)],
  ['env', ([name = ''], { env }) => env(text(name, 'env'))],
  ['file', ([path = ''], { file }) => file(text(path, 'file')).trim()],
  ['join', ([list = [], separator = '']) => textsOf(list, 'join').join(text(separator, 'join'))],
  ['split', ([value = '', separator = '']) => text(value, 'split').split(text(separator, 'split'))],
  ['lower', ([value = '']) => text(value, 'lower').toLowerCase()],
  ['upper', ([value = '']) => text(value, 'upper').toUpperCase()],
  ['trimSpace', ([value = '']) => text(value, 'trimSpace').trim()],
  ['json', ([value = null]) => `${toJson(value)}\n`],
  ['jsonPretty', ([value = null]) => `${toJson(value, 2)}\n`],
  ['printPretty', ([value = null]) => printed(value)],
  [
    'time',
    (_, { now }) =>
      new GoStruct('time', {
        Now: () => goTime(now(), 'local'),
        Parse: (layout = '', value = '') => parseTime(text(layout, 'Parse'), text(value, 'Parse')),
      }),
  ],
  ['print', (args) => print(args)],
  ['println', (args) => `${args.map(printed).join(' ')}\n`],
  ['printf', ([format = '', ...args]) => printf(text(format, 'printf'), args)],
  ['index', ([value = null, ...keys]) => keys.reduce<Value>(item, value)],
  ['slice', ([value = '', from = 0, to]) => slice(value, from, to)],
  ['len', ([value = null]) => length(value)],
  ['eq', ([first = null, ...others]) => others.some((other) => equal(first, other))],
  ['ne', ([a = null, b = null]) => !equal(a, b)],
  ['lt', ([a = null, b = null]) => compare(a, b) < 0],
  ['le', ([a = null, b = null]) => compare(a, b) <= 0],
  ['gt', ([a = null, b = null]) => compare(a, b) > 0],
  ['ge', ([a = null, b = null]) => compare(a, b) >= 0],
  ['not', ([value = null]) => !isTrue(value)],
  ['and', (args) => args.find((value) => !isTrue(value)) ?? args.at(-1) ?? null],
  ['or', (args) => args.find(isTrue) ?? args.at(-1) ?? null],
  ['html', (args) => escaped(print(args), HTML)],
  ['js', (args) => escaped(print(args), JS)],
  [
    'urlquery',
    (args) =>
      encodeURIComponent(print(args))
        .replaceAll('%20', '+')
        .replaceAll(/[!'()*]/g, percent),
  ],
  [
    'call',
    ([value = null]) => {
      throw new TemplateError(`${typeName(value)} cannot be called`);
    },
  ],
]);

function text(value: Value, name: string): string {
  if (typeof value === 'string') return value;
  throw new TemplateError(`${name} wants a text, not ${typeName(value)}`);
}

function textsOf(value: Value, name: string): readonly string[] {
  if (!Array.isArray(value)) throw new TemplateError(`${name} wants a list, not ${typeName(value)}`);
  return value.map((each: Value) => text(each, name));
}

function item(value: Value, key: Value): Value {
  if (value instanceof Map) return (value as ReadonlyMap<string, Value>).get(text(key, 'index')) ?? '';
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    return bytes[position(key, bytes.length - 1, 'index')] ?? 0;
  }
  if (Array.isArray(value)) return (value[position(key, value.length - 1, 'index')] as Value | undefined) ?? null;
  throw new TemplateError(`index cannot look into ${typeName(value)}`);
}

function slice(value: Value, from: Value, to: Value | undefined): Value {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    const end = to === undefined ? bytes.length : position(to, bytes.length, 'slice');
    return bytes.subarray(position(from, end, 'slice'), end).toString('utf8');
  }
  if (!Array.isArray(value)) throw new TemplateError(`slice cannot cut ${typeName(value)}`);
  const end = to === undefined ? value.length : position(to, value.length, 'slice');
  return value.slice(position(from, end, 'slice'), end) as readonly Value[];
}

function position(key: Value, last: number, name: string): number {
  if (typeof key !== 'number') throw new TemplateError(`${name} wants a whole number, not ${typeName(key)}`);
  if (key < 0 || key > last) throw new TemplateError(`${name}: there is nothing at ${key}`);
  return key;
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value, 'utf8');
  if (value instanceof Map) return value.size;
  if (Array.isArray(value)) return value.length;
  throw new TemplateError(`len cannot measure ${typeName(value)}`);
}

function equal(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  const [x, y] = [comparable(a), comparable(b)];
  if (typeof x !== typeof y || isFloat(a) !== isFloat(b))
    throw new TemplateError(`${typeName(a)} and ${typeName(b)} cannot be compared`);
  return x === y;
}

function compare(a: Value, b: Value): number {
  const [x, y] = [comparable(a), comparable(b)];
  if (typeof x !== typeof y || typeof x === 'boolean' || isFloat(a) !== isFloat(b))
    throw new TemplateError(`${typeName(a)} and ${typeName(b)} cannot be compared`);
  if (x === y) return 0;
  return x < y ? -1 : 1;
}

function comparable(value: Value): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  const number = numberOf(value);
  if (number === undefined) throw new TemplateError(`${typeName(value)} cannot be compared`);
  return number;
}

function isFloat(value: Value): boolean {
  return value instanceof GoFloat && !(value instanceof GoNamed);
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

function escaped(value: string, by: Readonly<Record<string, string>>): string {
  return value.replaceAll(/[&<>"'\\=]/g, (char) => by[char] ?? char);
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}
