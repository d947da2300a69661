import { lex, type Token } from './lex.ts';
import { GoFloat, TemplateError, type Value } from './values.ts';

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'break' | 'continue' }
  | BlockNode;

export interface BlockNode {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

export interface Pipe {
  /** Variables that the value goes to; `range` may have two. */
  readonly variables: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly Command[];
  readonly at: number;
}

/** The first is called with the others, when it can be called. */
export type Command = readonly Operand[];

export type Operand = {
  /** Fields that are read from it, one after the other. */
  readonly fields: readonly string[];
  readonly at: number;
} & (
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable' | 'function'; readonly name: string }
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'pipe'; readonly pipe: Pipe }
);

/** Blocks and parentheses inside each other. */
const MAX_DEPTH = 100;

/** @throws TemplateError */
export function parseTemplate(template: string): readonly Node[] {
  return new Parser(lex(template)).run();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  #loops = 0;
  /** Variables that are known here; an action may use those of the blocks around it. */
  readonly #variables: string[] = ['$'];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  run(): readonly Node[] {
    const { nodes, ended } = this.#list();
    if (ended !== 'end of file') throw new TemplateError(`{{${ended}}} closes nothing`, this.#peek().at);
    return nodes;
  }

  /** Nodes up to what ends them: `end`, `else`, or the end of the template. */
  #list(): { nodes: readonly Node[]; ended: string } {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError('blocks are nested too deep', this.#peek().at);
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'end') return this.#ended(nodes, 'end of file');
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#space();
      const word = this.#peek().kind === 'word' ? this.#peek().text : '';
      if (word === 'end' || word === 'else') {
        this.#take();
        return this.#ended(nodes, word);
      }
      nodes.push(this.#action(word, token.at));
    }
  }

  #ended(nodes: readonly Node[], ended: string): { nodes: readonly Node[]; ended: string } {
    this.#depth--;
    return { nodes, ended };
  }

  #action(word: string, at: number): Node {
    if (word === 'if' || word === 'with' || word === 'range') {
      this.#take();
      return this.#block(word, at);
    }
    if (word === 'break' || word === 'continue') {
      if (this.#loops === 0) throw new TemplateError(`{{${word}}} stands outside of a range`, at);
      this.#take();
      this.#close();
      return { kind: word };
    }
    if (['template', 'define', 'block'].includes(word)) throw new TemplateError(`{{${word}}} is not known here`, at);
    const pipe = this.#pipe('close', 1);
    return { kind: 'action', pipe };
  }

  #block(kind: 'if' | 'with' | 'range', at: number): Node {
    const known = this.#variables.length;
    const pipe = this.#pipe('close', kind === 'range' ? 2 : 1);
    if (kind === 'range') this.#loops++;
    const first = this.#list();
    if (kind === 'range') this.#loops--;
    this.#variables.length = known + (pipe.declares ? pipe.variables.length : 0);
    if (first.ended === 'end of file') throw new TemplateError(`{{${kind}}} has no {{end}}`, at);
    const otherwise = first.ended === 'else' ? this.#else(kind, at) : [];
    if (first.ended === 'end') this.#close();
    this.#variables.length = known;
    return { kind, pipe, body: first.nodes, otherwise };
  }

  /** `{{else}}`, or `{{else if …}}`, which stands for a block of its own and shares the end. */
  #else(kind: 'if' | 'with' | 'range', at: number): readonly Node[] {
    this.#space();
    const token = this.#peek();
    if (token.kind === 'word' && token.text === kind && kind !== 'range') {
      this.#take();
      return [this.#block(kind, at)];
    }
    this.#close();
    const { nodes, ended } = this.#list();
    if (ended !== 'end') throw new TemplateError(`{{else}} of {{${kind}}} is followed by the ${ended}`, at);
    this.#close();
    return nodes;
  }

  #pipe(until: 'close' | ')', mostVariables: number): Pipe {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError('parentheses are nested too deep', this.#peek().at);
    this.#space();
    const { at } = this.#peek();
    const { variables, declares } = this.#declaration(mostVariables);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command());
      const token = this.#take();
      if (token.kind === 'pipe') continue;
      if (token.kind !== until) throw new TemplateError(`${shown(token)} is not expected`, token.at);
      break;
    }
    if (declares) this.#variables.push(...variables);
    this.#depth--;
    return { variables, declares, commands, at };
  }

  /** `$x := `, `$x = `, `$i, $x := `; nothing when the tokens are something else. */
  #declaration(most: number): { variables: readonly string[]; declares: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    while (variables.length < most && this.#peek().kind === 'variable') {
      variables.push(this.#take().text);
      this.#space();
      const { kind, at } = this.#peek();
      if (kind === 'declare' || kind === 'assign') {
        this.#take();
        const unknown = kind === 'assign' ? variables.find((name) => !this.#variables.includes(name)) : undefined;
        if (unknown !== undefined) throw new TemplateError(`${unknown} is not declared`, at);
        return { variables, declares: kind === 'declare' };
      }
      if (kind !== 'comma') break;
      this.#take();
      this.#space();
    }
    this.#next = start;
    return { variables: [], declares: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#space();
      const { kind } = this.#peek();
      if (kind === 'pipe' || kind === ')' || kind === 'close') break;
      operands.push(this.#operand());
      if (!['space', 'pipe', ')', 'close'].includes(this.#peek().kind))
        throw new TemplateError(`${shown(this.#peek())} is not expected`, this.#peek().at);
    }
    const [first] = operands;
    if (first === undefined) throw new TemplateError('a value is missing', this.#peek().at);
    if (first.kind === 'value' && first.value === null) throw new TemplateError('nil is no command', first.at);
    if (first.kind === 'value' && first.fields.length === 0 && operands.length > 1)
      throw new TemplateError('a value takes no arguments', first.at);
    return operands;
  }

  #operand(): Operand {
    const token = this.#take();
    const { at, text } = token;
    switch (token.kind) {
      case 'field':
        return { kind: 'dot', fields: this.#fields(text === '.' ? [] : [text.slice(1)]), at };
      case 'variable':
        if (!this.#variables.includes(text)) throw new TemplateError(`${text} is not declared`, at);
        return { kind: 'variable', name: text, fields: this.#fields([]), at };
      case 'word': {
        const constant = CONSTANTS.get(text);
        if (constant !== undefined) return { kind: 'value', value: constant, fields: [], at };
        return { kind: 'function', name: text, fields: this.#fields([]), at };
      }
      case 'string':
        return { kind: 'value', value: text, fields: this.#fields([]), at };
      case 'char':
        return { kind: 'value', value: text.codePointAt(0) ?? 0, fields: [], at };
      case 'number':
        return { kind: 'value', value: readNumber(text, at), fields: [], at };
      case '(':
        return { kind: 'pipe', pipe: this.#pipe(')', 0), fields: this.#fields([]), at };
      default:
        throw new TemplateError(`${shown(token)} is not expected`, at);
    }
  }

  #fields(first: readonly string[]): readonly string[] {
    const fields = [...first];
    while (this.#peek().kind === 'field' && this.#peek().text !== '.') fields.push(this.#take().text.slice(1));
    return fields;
  }

  #close(): void {
    this.#space();
    const token = this.#take();
    if (token.kind !== 'close') throw new TemplateError(`${shown(token)} is not expected`, token.at);
  }

  #space(): void {
    if (this.#peek().kind === 'space') this.#next++;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: 0 };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }
}

const CONSTANTS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['true', true],
  ['false', false],
  ['nil', null],
]);

function readNumber(text: string, at: number): Value {
  const plain = text.replaceAll('_', '');
  const sign = plain.startsWith('-') ? -1 : 1;
  const digits = plain.replace(/^[+-]/, '');
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  const value = sign * Number(digits);
  if (Number.isNaN(value)) throw new TemplateError(`${text} is no number`, at);
  return /^0[xXoObB]/.test(digits) || !/[.eE]/.test(digits) ? value : new GoFloat(value);
}

function shown(token: Token): string {
  if (token.kind === 'end') return 'the end of the template';
  return token.kind === 'close' ? '"}}"' : JSON.stringify(token.text);
}
