import { evaluate } from './evaluate.ts';
import { type Surroundings } from './functions.ts';
import { parseTemplate } from './parse.ts';
import { TemplateError, type Value } from './values.ts';

export type { Surroundings } from './functions.ts';

/** Characters of a template. */
const MAX_TEMPLATE = 64 << 10;

/**
 * What a template of Go's text/template makes of its data: the language and the functions that regsync files use (spec/regsync.md 1.5).
 * @throws TemplateError
 */
export function expandTemplate(template: string, data: Value, surroundings: Surroundings): string {
  if (!template.includes('{{')) return template;
  if (template.length > MAX_TEMPLATE) throw new TemplateError(`it has more than ${MAX_TEMPLATE} characters`);
  return evaluate(parseTemplate(template), data, surroundings);
}
