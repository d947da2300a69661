// eslint-disable-next-line no-control-regex -- colours are control characters
const COLOUR = /\u001B\[[0-9;]*m/g;

/** Columns that a text takes on a terminal, colours left out. Each character counts one, for what is printed here is plain text. */
export default function textWidth(text: string): number {
  return Array.from(text.replaceAll(COLOUR, '')).length;
}
