/** What yargs knows of the options of a command. */
export interface KnownOptions {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly array: readonly string[];
  readonly number: readonly string[];
}

/**
 * Why the options of a command line cannot be used, in yargs's words, which `plainWords` reads; undefined: they can.
 * Yargs makes a list of what is given twice, an empty text of what has no value and NaN of what is no number, and goes on with them.
 */
export function misgiven(
  args: Readonly<Record<string, unknown>>,
  known: KnownOptions,
  argv: readonly string[],
): string | undefined {
  for (const [name, value] of Object.entries(args)) {
    if (name.length < 2) continue;
    const words = [name, ...(known.alias[name] ?? [])].map((each) => `${each.length === 1 ? '-' : '--'}${each}`);
    const at = argv.findIndex((word) => words.includes(word.replace(/=.*$/s, '')));
    if (at < 0) continue;
    if (Array.isArray(value) && !known.array.includes(name)) return `Given twice: ${name}`;
    const next = argv[at + 1];
    if (value === '' && words.includes(argv[at] ?? '') && (next === undefined || /^-./.test(next)))
      return `Not enough arguments following: ${name}`;
    if (known.number.includes(name) && Number.isNaN(value)) return `Not a number: ${name}`;
  }
  return undefined;
}
