/** Stands for a lone `-` while yargs reads the command line, which would take it for the beginning of an option and drop it. */
const DASH = '\u0000-';

export function hideDashes(argv: readonly string[]): string[] {
  return argv.map((word) => (word === '-' ? DASH : word));
}

/** Gives commands the `-` that was typed. */
export function restoreDashes(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args)) {
    if (value === DASH) args[name] = '-';
    else if (Array.isArray(value)) args[name] = value.map((each: unknown) => (each === DASH ? '-' : each));
  }
}

export function restoreDash(message: string): string {
  return message.replaceAll(DASH, '-');
}
