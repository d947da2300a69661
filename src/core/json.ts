import { LIMITS } from './limits.ts';
import { OclError } from './errors.ts';

export type JsonObject = { readonly [key: string]: unknown };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * JSON as the image specification wants it (RFC 7493): UTF-8, no byte order mark, no name twice in an object, bounded depth.
 * `JSON.parse` alone would keep the last of two equal names without a word, and readers that differ there can be played off against each other.
 *
 * @param what names the document in errors
 * @throws OCL_DOCUMENT_INVALID, or OCL_LIMIT for nesting beyond the bound
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: it is not UTF-8 text`, { cause: error });
  }
  if (text.charCodeAt(0) === 0xfeff)
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: it starts with a byte order mark`);
  checkDepth(text, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${(error as Error).message}`, { cause: error });
  }
  const twice = findDuplicateName(text);
  if (twice !== undefined)
    throw new OclError(
      'OCL_DOCUMENT_INVALID',
      `Cannot read ${what}: the name ${JSON.stringify(twice)} stands twice in one object`,
    );
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Before JSON.parse, which recurses: a scan that needs no stack. */
function checkDepth(text: string, what: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > LIMITS.jsonDepth)
        throw new OclError('OCL_LIMIT', `Cannot read ${what}: it is nested more than ${LIMITS.jsonDepth} levels deep`);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;

/** The index of the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i;
  }
  return text.length;
}

/** The first name that stands twice in one object of a valid JSON text. */
function findDuplicateName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN_OBJECT) open.push(new Set());
    else if (code === OPEN_ARRAY) open.push(undefined);
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
    else if (code === QUOTE) {
      const end = endOfString(text, i);
      const names = open.at(-1);
      if (names !== undefined && isName(text, end)) {
        const raw = text.slice(i, end + 1);
        const name = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
        if (names.has(name)) return name;
        names.add(name);
      }
      i = end;
    }
  }
  return undefined;
}

function isName(text: string, closingQuote: number): boolean {
  let i = closingQuote + 1;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === COLON;
}

/** The bytes of a value as compact JSON, in the order of its keys. */
export function toJsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
