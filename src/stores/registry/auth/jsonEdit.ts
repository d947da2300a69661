/** A member of an object, by its places in the text. */
interface Member {
  readonly name: string;
  /** Of the name's opening quote. */
  readonly start: number;
  readonly value: number;
  /** Behind the value. */
  readonly end: number;
}

interface ObjectSpan {
  readonly open: number;
  readonly close: number;
  readonly members: readonly Member[];
}

/**
 * A JSON text with one member set, and every other byte as it was: numbers, order and layout of what others wrote stay theirs.
 * @param text valid JSON, an object; objects on the path that are not there are made
 */
export function setMember(text: string, path: readonly string[], value: unknown): string {
  const root = readObject(text, skipSpace(text, 0));
  const indent = root.members.length === 0 ? '\t' : /^\s*\{[ \t]*\r?\n([ \t]+)"/.exec(text)?.[1];
  return put(text, root, path, value, indent, 1);
}

/** A JSON text without one member, and every other byte as it was. A path that leads nowhere changes nothing. */
export function removeMember(text: string, path: readonly string[]): string {
  let object = readObject(text, skipSpace(text, 0));
  for (const [depth, name] of path.entries()) {
    const at = object.members.findIndex((each) => each.name === name);
    const member = object.members[at];
    if (member === undefined) return text;
    if (depth === path.length - 1) return cut(text, object, at);
    if (text[member.value] !== '{') return text;
    object = readObject(text, member.value);
  }
  return text;
}

/** @param indent of one level; undefined: all stands on one line */
function put(
  text: string,
  object: ObjectSpan,
  [name = '', ...rest]: readonly string[],
  value: unknown,
  indent: string | undefined,
  depth: number,
): string {
  const member = object.members.find((each) => each.name === name);
  if (rest.length > 0 && member !== undefined && text[member.value] === '{')
    return put(text, readObject(text, member.value), rest, value, indent, depth + 1);
  const nested = rest.reduceRight((inner: unknown, key) => ({ [key]: inner }), value);
  const newline = (levels: number): string => (indent === undefined ? '' : `\n${indent.repeat(levels)}`);
  const written = JSON.stringify(nested, undefined, indent).replaceAll('\n', newline(depth));
  if (member !== undefined) return text.slice(0, member.value) + written + text.slice(member.end);
  const added = `${newline(depth)}${JSON.stringify(name)}:${indent === undefined ? '' : ' '}${written}`;
  const last = object.members.at(-1);
  if (last !== undefined) return `${text.slice(0, last.end)},${added}${text.slice(last.end)}`;
  return text.slice(0, object.open + 1) + added + newline(depth - 1) + text.slice(object.close);
}

function cut(text: string, object: ObjectSpan, at: number): string {
  const { members, open, close } = object;
  const before = members[at - 1];
  const after = members[at + 1];
  const member = members[at];
  if (before !== undefined && member !== undefined) return text.slice(0, before.end) + text.slice(member.end);
  if (after !== undefined && member !== undefined) return text.slice(0, member.start) + text.slice(after.start);
  return text.slice(0, open + 1) + text.slice(close);
}

function readObject(text: string, open: number): ObjectSpan {
  const members: Member[] = [];
  let at = skipSpace(text, open + 1);
  while (text[at] !== '}') {
    const start = at;
    const named = skipString(text, at);
    const value = skipSpace(text, skipSpace(text, named) + 1);
    const end = skipValue(text, value);
    members.push({ name: JSON.parse(text.slice(start, named)) as string, start, value, end });
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
    else if (text[at] !== '}') throw new TypeError('the text is no JSON object');
  }
  return { open, close: at, members };
}

function skipValue(text: string, start: number): number {
  let at = start;
  let depth = 0;
  do {
    const char = text[at] ?? '';
    if (char === '"') {
      at = skipString(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    at++;
    if (depth === 0 && char !== '}' && char !== ']') while (!/[\s,\]}]/.test(text[at] ?? ',')) at++;
  } while (depth > 0 && at < text.length);
  return at;
}

/** Behind the closing quote. */
function skipString(text: string, quote: number): number {
  for (let at = quote + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (/\s/.test(text[at] ?? '')) at++;
  return at;
}
