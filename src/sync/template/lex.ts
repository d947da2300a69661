import { TemplateError } from './values.ts';

/** What stands between the delimiters, in pieces; text outside of them is one piece. */
export interface Token {
  readonly kind:
    | 'text'
    | 'open'
    | 'close'
    | 'space'
    | 'word'
    | 'field'
    | 'variable'
    | 'string'
    | 'number'
    | 'char'
    | 'declare'
    | 'assign'
    | 'pipe'
    | 'comma'
    | '('
    | ')'
    | 'end';
  /** The text, or the value of a string. */
  readonly text: string;
  /** Characters before it in the template. */
  readonly at: number;
}

const OPEN = '{{';
const CLOSE = '}}';
const SPACE = ' \t\r\n';

/** The pieces of a template (Go text/template; spec/regsync.md 1.5). @throws TemplateError */
export function lex(template: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trim = false;
  while (at < template.length) {
    const open = template.indexOf(OPEN, at);
    const end = open < 0 ? template.length : open;
    const trims = open >= 0 && template[open + 2] === '-' && isSpace(template[open + 3]);
    let text = template.slice(at, end);
    if (trim) text = text.replace(/^[ \t\r\n]+/, '');
    if (trims) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, at });
    if (open < 0) break;
    const inside = open + (trims ? 4 : 2);
    const comment = commentEnd(template, inside);
    const action = comment ?? new Action(template, inside, tokens).run();
    at = action.next;
    trim = action.trim;
  }
  tokens.push({ kind: 'end', text: '', at: template.length });
  return tokens;
}

interface Ended {
  readonly next: number;
  /** The close delimiter takes the white space after it away. */
  readonly trim: boolean;
}

/** A comment fills its delimiters: `{{/* … *\/}}`. */
function commentEnd(template: string, start: number): Ended | undefined {
  if (!template.startsWith('/*', start)) return undefined;
  const end = template.indexOf('*/', start + 2);
  if (end < 0) throw new TemplateError('a comment is not closed', start);
  const rest = /^(\s-)?\}\}/.exec(template.slice(end + 2, end + 6));
  if (rest === null) throw new TemplateError('a comment ends before its closing delimiter', end);
  return { next: end + 2 + rest[0].length, trim: rest[1] !== undefined };
}

class Action {
  readonly #template: string;
  readonly #tokens: Token[];
  #at: number;

  constructor(template: string, at: number, tokens: Token[]) {
    this.#template = template;
    this.#at = at;
    this.#tokens = tokens;
  }

  run(): Ended {
    this.#push('open', OPEN, 0);
    for (;;) {
      const rest = this.#template.slice(this.#at);
      const close = /^(?:[ \t\r\n]-)?\}\}/.exec(rest);
      if (close !== null) {
        this.#push('close', CLOSE, 0);
        return { next: this.#at + close[0].length, trim: close[0].length > CLOSE.length };
      }
      if (rest === '') throw new TemplateError('an action is not closed', this.#at);
      this.#next(rest);
    }
  }

  #next(rest: string): void {
    const first = rest[0] ?? '';
    for (const [kind, pattern] of PATTERNS) {
      const match = pattern.exec(rest);
      if (match === null) continue;
      this.#push(kind, match[0], match[0].length);
      return;
    }
    if (first === '"') return this.#quoted(rest, /^"(?:[^"\\\n]|\\.)*"/, 'string', unquote);
    if (first === '`') return this.#quoted(rest, /^`[^`]*`/, 'string', (raw) => raw.slice(1, -1));
    if (first === "'") return this.#quoted(rest, /^'(?:[^'\\\n]|\\.)+'/, 'char', unquote);
    throw new TemplateError(`${JSON.stringify(first)} is not expected`, this.#at);
  }

  #quoted(rest: string, pattern: RegExp, kind: 'string' | 'char', read: (raw: string, at: number) => string): void {
    const match = pattern.exec(rest);
    if (match === null) throw new TemplateError('a quoted text is not closed', this.#at);
    this.#push(kind, read(match[0], this.#at), match[0].length);
  }

  #push(kind: Token['kind'], text: string, length: number): void {
    this.#tokens.push({ kind, text, at: this.#at });
    this.#at += length;
  }
}

/** In the order in which they are tried. */
const PATTERNS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['space', /^[ \t\r\n]+/],
  ['declare', /^:=/],
  ['assign', /^=/],
  ['pipe', /^\|/],
  ['comma', /^,/],
  ['(', /^\(/],
  [')', /^\)/],
  [
    'number',
    /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)(?![\p{L}_])/u,
  ],
  ['variable', /^\$[\p{L}\p{N}_]*/u],
  ['field', /^\.[\p{L}_][\p{L}\p{N}_]*/u],
  ['field', /^\./],
  ['word', /^[\p{L}_][\p{L}\p{N}_]*/u],
];

function isSpace(char: string | undefined): boolean {
  return char !== undefined && SPACE.includes(char);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** The value of a Go string or character in quotes. */
function unquote(raw: string, at: number): string {
  return raw
    .slice(1, -1)
    .replaceAll(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs,
      (all, ...groups: string[]) => {
        const [hex, short, long, octal, single = ''] = groups;
        const code = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? '', 16) : Number.parseInt(octal, 8);
        if (single === '' && code <= 0x10ffff) return String.fromCodePoint(code);
        const known = ESCAPES[single];
        if (known === undefined) throw new TemplateError(`${JSON.stringify(all)} is no escape`, at);
        return known;
      },
    );
}
