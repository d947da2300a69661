import { printable } from './redact.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text from outside as it may stand in a page or in a quoted attribute: a text and nothing else. */
export function htmlText(value: string): string {
  return printable(value).replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? '');
}
