/** One way to authenticate that a registry offers. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`, … */
  readonly scheme: string;
  /** Names in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const SPACE = /[ \t]*/y;
const MAX_LENGTH = 16 << 10;
const MAX_CHALLENGES = 16;

/**
 * All challenges of all `WWW-Authenticate` values (RFC 9110, 11.6.1): several may stand in one value, parameters may be quoted and
 * hold commas, names and schemes are of any case. What cannot be read ends the reading of that value, not of the others.
 */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap((value) => parseValue(value.slice(0, MAX_LENGTH))).slice(0, MAX_CHALLENGES);
}

function parseValue(text: string): Challenge[] {
  const found: Challenge[] = [];
  const reader = new Reader(text);
  for (;;) {
    reader.commas();
    const scheme = reader.take(TOKEN);
    if (scheme === undefined) return found;
    const params = new Map<string, string>();
    found.push({ scheme: scheme.toLowerCase(), params });
    reader.take(SPACE);
    if (reader.take(TOKEN68) !== undefined && reader.atComma()) continue;
    while (reader.param(params)) reader.commas();
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }

  atComma(): boolean {
    return this.#at >= this.#text.length || /[ \t,]/.test(this.#text[this.#at] ?? '');
  }

  commas(): void {
    this.take(/[ \t,]*/y);
  }

  /** `name = value`; stays where it is when there is none, for then the next scheme begins. */
  param(into: Map<string, string>): boolean {
    const start = this.#at;
    const name = this.take(TOKEN);
    if (name !== undefined && this.take(/[ \t]*=[ \t]*/y) !== undefined) {
      const value = this.#text[this.#at] === '"' ? this.#quoted() : this.take(/[^\s,"]*/y);
      if (value !== undefined) {
        if (!into.has(name.toLowerCase())) into.set(name.toLowerCase(), value);
        return true;
      }
    }
    this.#at = start;
    return false;
  }

  #quoted(): string | undefined {
    const raw = this.take(/"(?:[^"\\]|\\.)*"/y);
    return raw?.slice(1, -1).replaceAll(/\\(.)/g, '$1');
  }
}
