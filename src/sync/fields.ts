import * as z from 'zod';
import { parseDuration } from '../core/duration.ts';
import { YamlScalar } from '../io/yaml.ts';
import { regsyncNumber } from './scalars.ts';

/** A field read from one YAML scalar: `read` answers undefined when the scalar does not fit. */
function scalarField<T>(expected: string, read: (value: string | YamlScalar) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const result = typeof value === 'string' || value instanceof YamlScalar ? read(value) : undefined;
    if (result !== undefined) return result;
    context.issues.push({ code: 'custom', message: `must be ${expected}`, input: value });
    return z.NEVER;
  });
}

/** Any scalar, as its author typed it; `~` and an empty item are the empty text. */
export const Text: z.ZodType<string> = z.unknown().transform((value, context) => {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (value instanceof YamlScalar) return value.text;
  context.issues.push({ code: 'custom', message: 'must be a text', input: value });
  return z.NEVER;
});

export const Flag: z.ZodType<boolean> = scalarField('true or false', (value) =>
  value instanceof YamlScalar && typeof value.value === 'boolean' ? value.value : undefined,
);

/** Numbers may be quoted. */
function numberOf(value: string | YamlScalar): number | undefined {
  return regsyncNumber(value instanceof YamlScalar ? value.text : value.trim());
}

export const Integer: z.ZodType<number> = scalarField('a whole number', (value) => {
  const number = numberOf(value);
  return Number.isInteger(number) ? number : undefined;
});

export const Count: z.ZodType<number> = scalarField('a whole number that is not negative', (value) => {
  const number = numberOf(value);
  return number !== undefined && Number.isInteger(number) && number >= 0 ? number : undefined;
});

export const Decimal: z.ZodType<number> = scalarField('a number', (value) => {
  const number = numberOf(value);
  return Number.isFinite(number) ? number : undefined;
});

/** Milliseconds. A bare number is what Go means by one: nanoseconds. */
export const Duration: z.ZodType<number> = scalarField(
  'a duration such as 90m or 1h30m (units: h m s ms us ns; no days)',
  (value) => {
    if (!(value instanceof YamlScalar)) return value === '' ? 0 : parseDuration(value);
    const number = numberOf(value);
    return number === undefined ? parseDuration(value.text) : number / 1e6;
  },
);

export const TLS_MODES = ['enabled', 'insecure', 'disabled'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export const Tls: z.ZodType<TlsMode> = scalarField('enabled, insecure or disabled', (value) => {
  const text = (value instanceof YamlScalar ? value.text : value).toLowerCase();
  return text === '' ? 'enabled' : TLS_MODES.find((mode) => mode === text);
});

/** One of a few words. */
export function oneOf<const T extends string>(...words: readonly T[]): z.ZodType<T> {
  return scalarField(words.join(' or '), (value) => {
    const text = value instanceof YamlScalar ? value.text : value;
    return words.find((word) => word === text.toLowerCase());
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

export const Age: z.ZodType<number> = scalarField('a duration such as 36h or 7d', (value) =>
  ageOf(value instanceof YamlScalar ? value.text : value),
);

/** A moment, or how long ago it is. */
export type SinceInput = { readonly at: number } | { readonly ago: number };

export const Since: z.ZodType<SinceInput> = scalarField(
  'a date such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or a duration such as 90d',
  (value) => {
    const text = value instanceof YamlScalar ? value.text : value;
    if (/^\d{4}-\d{2}-\d{2}(?:T[0-9:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(text)) {
      const at = Date.parse(text);
      return Number.isNaN(at) ? undefined : { at };
    }
    const ago = ageOf(text);
    return ago === undefined ? undefined : { ago };
  },
);
