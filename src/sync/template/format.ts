import { GoFloat, GoNamed, GoStruct, numberOf, TemplateError, typeName, type Value } from './values.ts';

/** What `{{ value }}` and `%v` make of a value (Go fmt). */
export function printed(value: Value): string {
  if (value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof GoFloat) return goFloat(value.value);
  if (value instanceof GoNamed) return value.name;
  if (value instanceof GoStruct)
    return value.text ?? `{${[...value.members.values()].filter(isValue).map(printed).join(' ')}}`;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Value>)].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, each]) => `${key}:${printed(each)}`).join(' ')}]`;
  }
  return `[${(value as readonly Value[]).map(printed).join(' ')}]`;
}

/** Go's `%v` of a float64. */
function goFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 6)
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  return String(value);
}

/** `print`: a space between operands when neither is a text. */
export function print(values: readonly Value[]): string {
  return values
    .map((value, i) => {
      const before = values[i - 1];
      const spaced = i > 0 && typeof value !== 'string' && typeof before !== 'string';
      return `${spaced ? ' ' : ''}${printed(value)}`;
    })
    .join('');
}

/** Columns that a verb may ask for. */
const MAX_WIDTH = 1000;

/** `printf` with the verbs %v %s %q %d %x %X %o %b %c %t %f %e %g %T %%, and their flags, width and precision. @throws TemplateError */
export function printf(format: string, args: readonly Value[]): string {
  let used = 0;
  const text = format.replaceAll(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])|%$/g,
    (all: string, flags = '', width?: string, precision?: string, verb?: string) => {
      if (verb === '%') return '%';
      if (verb === undefined) return '%!(NOVERB)';
      const size = (given: string | undefined): number | undefined =>
        given === undefined ? undefined : Number(given === '*' ? (numberOf(args[used++] ?? null) ?? 0) : given);
      const columns = size(width);
      const digits = all.includes('.') ? (size(precision) ?? 0) : undefined;
      if ((columns ?? 0) > MAX_WIDTH || (digits ?? 0) > 100) throw new TemplateError(`${all} is too wide`);
      if (used >= args.length) return `%!${verb}(MISSING)`;
      return pad(formatted(verb, args[used++] ?? null, flags, digits), flags, columns, verb);
    },
  );
  const extra = args.slice(used);
  return extra.length === 0
    ? text
    : `${text}%!(EXTRA ${extra.map((each) => `${goType(each)}=${printed(each)}`).join(', ')})`;
}

function formatted(verb: string, value: Value, flags: string, precision: number | undefined): string {
  const number = numberOf(value);
  switch (verb) {
    case 'v':
      return printed(value);
    case 's': {
      const text = number === undefined || value instanceof GoNamed ? printed(value) : wrong(verb, value);
      return precision === undefined ? text : Array.from(text).slice(0, precision).join('');
    }
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : wrong(verb, value);
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong(verb, value);
    case 'T':
      return goType(value);
    case 'd':
      return whole(verb, value, flags, 10);
    case 'o':
      return whole(verb, value, flags, 8);
    case 'b':
      return whole(verb, value, flags, 2);
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string' ? Buffer.from(value, 'utf8').toString('hex') : whole(verb, value, flags, 16);
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'c':
      return typeof value === 'number' && value >= 0 && value <= 0x10ffff
        ? String.fromCodePoint(value)
        : wrong(verb, value);
    case 'e':
    case 'f':
    case 'g': {
      if (!(value instanceof GoFloat)) return wrong(verb, value);
      const sign = flags.includes('+') && value.value >= 0 ? '+' : '';
      if (verb === 'f') return sign + value.value.toFixed(precision ?? 6);
      if (verb === 'g')
        return (
          sign +
          (precision === undefined ? printed(value) : String(Number(value.value.toPrecision(Math.max(1, precision)))))
        );
      return sign + value.value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
    }
    default:
      return wrong(verb, value);
  }
}

/** How Go shows an operand that does not fit its verb. */
function wrong(verb: string, value: Value): string {
  return `%!${verb}(${goType(value)}=${printed(value)})`;
}

function goType(value: Value): string {
  if (value === null) return '<nil>';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof GoFloat) return 'float64';
  if (Array.isArray(value)) return '[]string';
  return value instanceof Map ? 'map[string]string' : typeName(value);
}

function whole(verb: string, value: Value, flags: string, base: number): string {
  const number = value instanceof GoFloat ? undefined : numberOf(value);
  if (number === undefined) return wrong(verb, value);
  const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return `${sign}${BigInt(Math.abs(number)).toString(base)}`;
}

function pad(text: string, flags: string, width: number | undefined, verb: string): string {
  if (width === undefined) return text;
  if (flags.includes('-')) return text.padEnd(width);
  const zeros = flags.includes('0') && 'dxXobfeg'.includes(verb);
  const sign = zeros && /^[+\- ]/.test(text) ? text.charAt(0) : '';
  return zeros ? sign + text.slice(sign.length).padStart(width - sign.length, '0') : text.padStart(width);
}

/** Go's JSON of a value: names of maps sorted, `<`, `>` and `&` escaped. */
export function toJson(value: Value, indent = 0): string {
  const text = JSON.stringify(plain(value), undefined, indent) ?? 'null';
  return text.replaceAll(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function plain(value: Value): unknown {
  if (value instanceof GoFloat || value instanceof GoNamed) return value.value;
  if (value instanceof GoStruct) {
    if (value.text !== undefined) return value.text;
    return Object.fromEntries(
      [...value.members].filter(([, each]) => isValue(each)).map(([key, each]) => [key, plain(each as Value)]),
    );
  }
  if (value instanceof Map)
    return Object.fromEntries(
      [...(value as ReadonlyMap<string, Value>)]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, each]) => [key, plain(each)]),
    );
  return Array.isArray(value) ? value.map(plain) : value;
}

function isValue(member: unknown): member is Value {
  return typeof member !== 'function';
}
