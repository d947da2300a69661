import * as z from 'zod';
import { YamlScalar, type YamlPath } from '../io/yaml.ts';
import { nearest } from './lintNear.ts';
import { regsyncNumber, regsyncText } from './scalars.ts';

/** Receives what a person should know about an entry of the file. */
export type Warn = (path: YamlPath, message: string, level?: 'warning' | 'info') => void;

const DURATIONS: ReadonlySet<string> = new Set(['interval', 'retry', 'cacheTime', 'credExpire']);

/** Unquoted scalars that regsync's parser would turn into another text, and durations that it would refuse. */
export function compareScalars(raw: unknown, parsed: unknown, path: YamlPath, warn: Warn): void {
  if (raw instanceof YamlScalar) {
    const theirs = regsyncText(raw.text);
    if (typeof parsed === 'string' && theirs !== raw.text)
      warn(path, `${raw.text} is kept as it is written, but regsync reads ${theirs}; put it between quotes`);
    if (typeof parsed === 'number' && DURATIONS.has(String(path.at(-1))) && regsyncNumber(raw.text) !== undefined)
      warn(path, 'a bare number counts nanoseconds, and regsync refuses it here; write a unit, like 60s');
    return;
  }
  if (typeof raw !== 'object' || raw === null || typeof parsed !== 'object' || parsed === null) return;
  const entries = Array.isArray(raw) ? [...raw.entries()] : Object.entries(raw);
  for (const [key, value] of entries)
    compareScalars(value, (parsed as Record<string | number, unknown>)[key], [...path, key], warn);
}

export function findUnknown(schema: unknown, raw: unknown, path: YamlPath, warn: Warn): void {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    findUnknown(schema.unwrap(), raw, path, warn);
  } else if (schema instanceof z.ZodUnion) {
    for (const option of schema.options) findUnknown(option, raw, path, warn);
  } else if (schema instanceof z.ZodArray && Array.isArray(raw)) {
    for (const [index, item] of raw.entries()) findUnknown(schema.element, item, [...path, index], warn);
  } else if (schema instanceof z.ZodObject && typeof raw === 'object' && raw !== null && !(raw instanceof YamlScalar)) {
    for (const [key, value] of Object.entries(raw)) {
      if (Object.hasOwn(schema.shape, key)) findUnknown(schema.shape[key], value, [...path, key], warn);
      else if (!key.startsWith('x-')) {
        const near = nearest(key, Object.keys(schema.shape));
        const question = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
        warn([...path, key], `the key ${JSON.stringify(key)} is unknown and ignored${question}`);
      }
    }
  }
}
