import { printable } from '../../core/redact.ts';

/** What a command may need to know of the thing that it is for. What is undefined leaves the commands out that need it. */
export interface CommandValues {
  /** The whole reference in a registry: `host/repo:tag`. */
  readonly ref?: string | undefined;
  readonly digest?: string | undefined;
  /** `host/repo`, without a tag. */
  readonly repo?: string | undefined;
  readonly tag?: string | undefined;
  /** The path of the layout directory that it lies in. */
  readonly layout?: string | undefined;
  /** The digest of its first layer. */
  readonly blob?: string | undefined;
}

const NAMES = ['ref', 'digest', 'repo', 'tag', 'layout', 'blob'] as const;
const KNOWN = new RegExp(`\\{\\{(${NAMES.join('|')})\\}\\}`, 'g');
/** Others, such as `{{json .SBOM}}` of Docker, are text of the command. */
const LIKE_ONE = /\{\{[A-Za-z_]+\}\}/g;
const PLAIN = /^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$/;

/** The first thing in double braces that was surely meant as a placeholder, and is none. */
export function unknownPlaceholder(template: string): string | undefined {
  return template.match(LIKE_ONE)?.find((text) => !NAMES.some((name) => text === `{{${name}}}`));
}

/**
 * Whether values can be put in for the placeholders: the command is one line without control characters, its quotes close, and
 * no placeholder stands between quotes, behind a backslash, at the beginning (where it would name the program), or in a comment.
 */
export function isWellQuoted(template: string): boolean {
  if (printable(template) !== template) return false;
  let quote: string | undefined;
  for (let i = 0; i < template.length; i++) {
    const char = template.charAt(i);
    if (quote === undefined && char === '\\') {
      i++;
      if (i >= template.length || startsPlaceholder(template, i)) return false;
    } else if (quote === undefined && (char === "'" || char === '"')) quote = char;
    else if (quote === '"' && char === '\\') i++;
    else if (char === quote) quote = undefined;
    else if (char === '`' || (quote === undefined && char === '#' && /^$|\s/.test(template.charAt(i - 1))))
      return false;
    else if (startsPlaceholder(template, i) && (quote !== undefined || !isBehindWord(template.slice(0, i))))
      return false;
  }
  return quote === undefined;
}

function startsPlaceholder(template: string, at: number): boolean {
  return NAMES.some((name) => template.startsWith(`{{${name}}}`, at));
}

/** At the beginning of a command a value would be the program, or an assignment; behind `$` it would be expanded again. */
function isBehindWord(before: string): boolean {
  return /\S\s/.test(before.replace(/^.*[|;&(]/s, '').trimStart()) && !before.endsWith('$');
}

/** The command for one thing; undefined when it needs something that is not known, or that no command line can name safely. */
export function fillCommand(template: string, values: CommandValues): string | undefined {
  let complete = true;
  const filled = template.replaceAll(KNOWN, (_all, name: (typeof NAMES)[number], offset: number) => {
    const word = quoted(name, values[name], /\s$/.test(template.slice(0, offset)));
    complete &&= word !== undefined;
    return word ?? '';
  });
  return complete ? filled : undefined;
}

function quoted(name: string, value: string | undefined, startsWord: boolean): string | undefined {
  if (value === undefined || value === '' || printable(value) !== value) return undefined;
  // A word that begins with a dash would be an option.
  const dashed = startsWord && value.startsWith('-');
  if (dashed && name !== 'layout') return undefined;
  return shellQuote(dashed ? `./${value}` : value);
}

/** One word of a POSIX shell, whatever is in it. */
export function shellQuote(value: string): string {
  return PLAIN.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
