import * as z from 'zod';
import { parseDuration } from '../core/duration.ts';
import { YamlScalar } from '../io/yaml.ts';
import { regsyncNumber } from './scalars.ts';

/** What an editor may know of a field: JSON Schema of the value as YAML 1.2 reads it, which does not keep what was typed. */
type JsonForm = Readonly<Record<string, unknown>>;

/** A field read from one YAML scalar: `read` answers undefined when the scalar does not fit. */
function scalarField<T>(
  expected: string,
  form: JsonForm,
  read: (value: string | YamlScalar) => T | undefined,
): z.ZodType<T> {
  return z
    .unknown()
    .transform((value, context) => {
      const result = typeof value === 'string' || value instanceof YamlScalar ? read(value) : undefined;
      if (result !== undefined) return result;
      context.issues.push({ code: 'custom', message: `must be ${expected}`, input: value });
      return z.NEVER;
    })
    .meta(form);
}

/** Any scalar, as its author typed it; `~` and an empty item are the empty text. */
export const Text: z.ZodType<string> = z
  .unknown()
  .transform((value, context) => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'string') return value;
    if (value instanceof YamlScalar) return value.text;
    context.issues.push({ code: 'custom', message: 'must be a text', input: value });
    return z.NEVER;
  })
  .meta({ type: ['string', 'number', 'boolean', 'null'] });

export const Flag: z.ZodType<boolean> = scalarField('true or false', { type: 'boolean' }, (value) =>
  value instanceof YamlScalar && typeof value.value === 'boolean' ? value.value : undefined,
);

/** Numbers may be quoted. */
function numberOf(value: string | YamlScalar): number | undefined {
  return regsyncNumber(value instanceof YamlScalar ? value.text : value.trim());
}

/** Digits with what regsync's parser allows around them; YAML 1.2 takes some of these for texts. */
const DIGITS = '[+]?(0[xob])?[0-9a-fA-F_]+';

export const Integer: z.ZodType<number> = scalarField(
  'a whole number',
  numbers('integer', `[-]?${DIGITS}`),
  (value) => {
    const number = numberOf(value);
    return Number.isInteger(number) ? number : undefined;
  },
);

export const Count: z.ZodType<number> = scalarField(
  'a whole number that is not negative',
  numbers('integer', DIGITS, { minimum: 0 }),
  (value) => {
    const number = numberOf(value);
    return number !== undefined && Number.isInteger(number) && number >= 0 ? number : undefined;
  },
);

export const Decimal: z.ZodType<number> = scalarField('a number', numbers('number', '[-+]?[0-9._eE+-]+'), (value) => {
  const number = numberOf(value);
  return Number.isFinite(number) ? number : undefined;
});

function numbers(type: 'integer' | 'number', pattern: string, bounds: JsonForm = {}): JsonForm {
  return {
    anyOf: [
      { type, ...bounds },
      { type: 'string', pattern: `^${pattern}$` },
    ],
  };
}

const GO_DURATION = '[-+]?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+';

/** Milliseconds. A bare number is what Go means by one: nanoseconds. */
export const Duration: z.ZodType<number> = scalarField(
  'a duration such as 90m or 1h30m (units: h m s ms us ns; no days)',
  { anyOf: [{ type: 'string', pattern: `^(${GO_DURATION}|0)?$` }, { type: 'number' }] },
  (value) => {
    if (!(value instanceof YamlScalar)) return value === '' ? 0 : parseDuration(value);
    const number = numberOf(value);
    return number === undefined ? parseDuration(value.text) : number / 1e6;
  },
);

export const TLS_MODES = ['enabled', 'insecure', 'disabled'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export const Tls: z.ZodType<TlsMode> = scalarField(
  'enabled, insecure or disabled',
  words([...TLS_MODES, '']),
  (value) => {
    const text = (value instanceof YamlScalar ? value.text : value).toLowerCase();
    return text === '' ? 'enabled' : TLS_MODES.find((mode) => mode === text);
  },
);

/** The words for completion, and any case of them. */
function words(all: readonly string[]): JsonForm {
  const anyCase = all.map((word) => word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`));
  return { anyOf: [{ enum: all }, { type: 'string', pattern: `^(${anyCase.join('|')})$` }] };
}

/** One of a few words. */
export function oneOf<const T extends string>(...all: readonly T[]): z.ZodType<T> {
  return scalarField(all.join(' or '), words(all), (value) => {
    const text = value instanceof YamlScalar ? value.text : value;
    return all.find((word) => word === text.toLowerCase());
  });
}

const DAY = 24 * 3_600_000;

/** Milliseconds: a duration that may be long, so that days (`7d`) are units as well. Keys that regsync does not have. */
function ageOf(text: string): number | undefined {
  const [, days, rest = ''] = /^(?:([0-9]{1,6})d)?(.*)$/s.exec(text) ?? [];
  const more = rest === '' ? 0 : parseDuration(rest);
  if (more === undefined || more < 0 || text === '') return undefined;
  return Number(days ?? 0) * DAY + more;
}

const AGE = `([0-9]{1,6}d)?(${GO_DURATION}|0)?`;

export const Age: z.ZodType<number> = scalarField(
  'a duration such as 36h or 7d',
  { anyOf: [{ type: 'string', pattern: `^${AGE}$` }, { const: 0 }] },
  (value) => ageOf(value instanceof YamlScalar ? value.text : value),
);

/** A moment, or how long ago it is. */
export type SinceInput = { readonly at: number } | { readonly ago: number };

const MOMENT = '[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?';

export const Since: z.ZodType<SinceInput> = scalarField(
  'a date such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or a duration such as 90d',
  { type: 'string', pattern: `^(${MOMENT}|${AGE})$` },
  (value) => {
    const text = value instanceof YamlScalar ? value.text : value;
    if (new RegExp(`^${MOMENT}$`).test(text)) {
      const at = Date.parse(text);
      return Number.isNaN(at) ? undefined : { at };
    }
    const ago = ageOf(text);
    return ago === undefined ? undefined : { ago };
  },
);
