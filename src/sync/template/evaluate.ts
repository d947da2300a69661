import { FUNCTIONS, type Surroundings } from './functions.ts';
import { printed } from './format.ts';
import { type BlockNode, type Command, type Node, type Operand, type Pipe } from './parse.ts';
import { GoStruct, isTrue, TemplateError, typeName, type Method, type Value } from './values.ts';

/** Characters that a template may make. */
const MAX_OUTPUT = 1 << 20;
/** Actions that are carried out at most, those of loops each time. */
const MAX_STEPS = 100_000;

/** Why a list of nodes ended before its end. */
type Left = 'break' | 'continue' | undefined;

/** The text that a template makes of its data. @throws TemplateError */
export function evaluate(nodes: readonly Node[], data: Value, surroundings: Surroundings): string {
  return new Evaluation(data, surroundings).run(nodes);
}

class Evaluation {
  readonly #surroundings: Surroundings;
  readonly #variables: [name: string, value: Value][];
  readonly #data: Value;
  #output = '';
  #steps = 0;

  constructor(data: Value, surroundings: Surroundings) {
    this.#data = data;
    this.#surroundings = surroundings;
    this.#variables = [['$', data]];
  }

  run(nodes: readonly Node[]): string {
    this.#list(nodes, this.#data);
    return this.#output;
  }

  #list(nodes: readonly Node[], dot: Value): Left {
    for (const node of nodes) {
      const left = this.#node(node, dot);
      if (left !== undefined) return left;
    }
    return undefined;
  }

  #node(node: Node, dot: Value): Left {
    this.#step();
    switch (node.kind) {
      case 'text':
        this.#write(node.text);
        return undefined;
      case 'break':
      case 'continue':
        return node.kind;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#write(value === null ? '<no value>' : printed(value));
        return undefined;
      }
      default:
        return this.#scoped(() => this.#block(node, dot));
    }
  }

  #block(node: BlockNode, dot: Value): Left {
    if (node.kind === 'range') return this.#range(node, dot);
    const value = this.#pipe(node.pipe, dot);
    return isTrue(value) ? this.#list(node.body, node.kind === 'with' ? value : dot) : this.#list(node.otherwise, dot);
  }

  #range(node: BlockNode, dot: Value): Left {
    const { variables, declares } = node.pipe;
    const entries = entriesOf(this.#value(node.pipe, dot), node.pipe.at);
    if (entries.length === 0) return this.#list(node.otherwise, dot);
    const [first, second] = variables;
    for (const [key, value] of entries) {
      this.#step();
      const left = this.#scoped(() => {
        if (second !== undefined) this.#set(second, value, declares);
        if (first !== undefined) this.#set(first, second === undefined ? value : key, declares);
        return this.#list(node.body, value);
      });
      if (left === 'break') break;
    }
    return undefined;
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    const value = this.#value(pipe, dot);
    for (const name of pipe.variables) this.#set(name, value, pipe.declares);
    return value;
  }

  #value(pipe: Pipe, dot: Value): Value {
    let value: Value | undefined;
    for (const command of pipe.commands) value = this.#command(command, dot, value);
    return value ?? null;
  }

  /** @param last what the command before gave, which is the last argument of this one */
  #command(command: Command, dot: Value, last: Value | undefined): Value {
    const [first, ...rest] = command;
    if (first === undefined) return null;
    const args = (): readonly Value[] => [
      ...rest.map((operand) => this.#operand(operand, dot, [])),
      ...(last === undefined ? [] : [last]),
    ];
    // `and` and `or` stop at the first operand that decides.
    if (first.kind === 'function' && first.fields.length === 0 && (first.name === 'and' || first.name === 'or'))
      return this.#shortCircuit(first.name, rest, dot, last, first.at);
    if (first.kind === 'function' && first.fields.length === 0) return this.#call(first.name, args(), first.at);
    const given = args();
    if (first.fields.length === 0 && given.length > 0) throw new TemplateError('a value takes no arguments', first.at);
    return this.#operand(first, dot, given);
  }

  #shortCircuit(
    name: 'and' | 'or',
    operands: readonly Operand[],
    dot: Value,
    last: Value | undefined,
    at: number,
  ): Value {
    let value: Value | undefined;
    for (const operand of operands) {
      value = this.#operand(operand, dot, []);
      if (isTrue(value) === (name === 'or')) return value;
    }
    value = last ?? value;
    if (value === undefined) throw new TemplateError(`${name} needs a value`, at);
    return value;
  }

  /** @param args for the last field, when that is a method */
  #operand(operand: Operand, dot: Value, args: readonly Value[]): Value {
    let value = this.#base(operand, dot);
    for (const [i, field] of operand.fields.entries()) {
      value = member(value, field, i === operand.fields.length - 1 ? args : [], operand.at);
    }
    return value;
  }

  #base(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'variable':
        return this.#variables.findLast(([name]) => name === operand.name)?.[1] ?? null;
      case 'value':
        return operand.value;
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
      case 'function':
        return this.#call(operand.name, [], operand.at);
    }
  }

  #call(name: string, args: readonly Value[], at: number): Value {
    const known = FUNCTIONS.get(name);
    if (known === undefined) throw new TemplateError(`there is no function ${JSON.stringify(name)}`, at);
    return located(at, () => known(args, this.#surroundings));
  }

  #set(name: string, value: Value, declares: boolean): void {
    const known = declares ? undefined : this.#variables.findLast(([each]) => each === name);
    if (known === undefined) this.#variables.push([name, value]);
    else known[1] = value;
  }

  /** What is declared inside is forgotten afterwards. */
  #scoped<T>(action: () => T): T {
    const { length } = this.#variables;
    const result = action();
    this.#variables.length = length;
    return result;
  }

  #step(): void {
    if (++this.#steps > MAX_STEPS) throw new TemplateError(`more than ${MAX_STEPS} actions`);
  }

  #write(text: string): void {
    this.#output += text;
    if (this.#output.length > MAX_OUTPUT) throw new TemplateError(`it makes more than ${MAX_OUTPUT} characters`);
  }
}

function member(value: Value, name: string, args: readonly Value[], at: number): Value {
  if (value instanceof Map) return (value as ReadonlyMap<string, Value>).get(name) ?? null;
  const found: Value | Method | undefined = value instanceof GoStruct ? value.members.get(name) : undefined;
  if (found === undefined) throw new TemplateError(`${typeName(value)} has no ${JSON.stringify(name)}`, at);
  if (typeof found === 'function') return located(at, () => found(...args));
  if (args.length > 0) throw new TemplateError(`${name} takes no arguments`, at);
  return found;
}

function entriesOf(value: Value, at: number): readonly (readonly [Value, Value])[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value.map((item: Value, i) => [i, item] as const);
  if (value instanceof Map) return [...(value as ReadonlyMap<string, Value>)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (typeof value === 'number') {
    if (value > MAX_STEPS) throw new TemplateError(`range over ${value}`, at);
    return Array.from({ length: Math.max(0, value) }, (_, i) => [i, i] as const);
  }
  throw new TemplateError(`range cannot go over ${typeName(value)}`, at);
}

/** Failures of functions learn where they were called. */
function located<T>(at: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TemplateError && error.at === undefined) throw new TemplateError(error.message, at);
    throw error;
  }
}
