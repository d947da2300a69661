/** A template that cannot be read or expanded; `at` is the offset in its text where that shows, if anywhere. */
export class TemplateError extends Error {
  readonly at: number | undefined;

  constructor(message: string, at?: number) {
    super(message);
    this.name = 'TemplateError';
    this.at = at;
  }
}

/** A number with a fraction; plain numbers are whole ones. */
export class GoFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A number that prints as a word, such as a month. */
export class GoNamed {
  readonly value: number;
  readonly name: string;
  constructor(value: number, name: string) {
    this.value = value;
    this.name = name;
  }
}

/** Fields and methods by the names that Go gives them. What is not there is an error, as in Go. */
export class GoStruct {
  readonly type: string;
  readonly members: ReadonlyMap<string, Value | Method>;
  /** What it prints as; a struct without is printed field by field. */
  readonly text: string | undefined;

  constructor(type: string, members: Readonly<Record<string, Value | Method>>, text?: string) {
    this.type = type;
    this.members = new Map(Object.entries(members));
    this.text = text;
  }
}

export type Method = (...args: readonly Value[]) => Value;

/** What a template works with. Maps have texts for keys; null is Go's nil. */
export type Value =
  | string
  | number
  | boolean
  | null
  | GoFloat
  | GoNamed
  | GoStruct
  | readonly Value[]
  | ReadonlyMap<string, Value>;

/** What `if` takes for true: all but false, 0, the empty text, list and map, and nil. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === 'boolean') return value === true;
  if (typeof value === 'string') return value !== '';
  if (typeof value === 'number') return value !== 0;
  if (value instanceof GoFloat || value instanceof GoNamed) return value.value !== 0;
  if (value instanceof GoStruct) return true;
  if (value instanceof Map) return value.size > 0;
  return (value as readonly Value[]).length > 0;
}

/** The number of what is one. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return value instanceof GoFloat || value instanceof GoNamed ? value.value : undefined;
}

export function typeName(value: Value): string {
  if (value === null) return 'nil';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'number') return 'a whole number';
  if (typeof value === 'boolean') return 'true or false';
  if (value instanceof GoFloat || value instanceof GoNamed) return 'a number';
  if (value instanceof GoStruct) return value.type;
  return value instanceof Map ? 'a map' : 'a list';
}
