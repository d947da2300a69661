import { stripVTControlCharacters } from 'node:util';

/** Columns that a text takes on a terminal, colours left out. Each character counts one, for what is printed here is plain text. */
export default function textWidth(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
