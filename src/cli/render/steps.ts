import { printable } from '../../core/redact.ts';
import { type Step } from '../../stores/registry/diagnose/step.ts';
import { formatDuration } from './format.ts';

const NAME_WIDTH = 'credentials'.length;

/** `ok      dns          …  (3 ms)`, and below it what else there is to know. */
export function stepLines({ step, ok, ms, says, details = [] }: Step, colours: boolean): string {
  const word = ok ? 'ok    ' : 'FAILED';
  const shown = colours ? `\u001B[${ok ? 32 : 31}m${word}\u001B[0m` : word;
  const line = `${shown}  ${step.padEnd(NAME_WIDTH)}  ${printable(says)}  (${formatDuration(ms)})`;
  return [line, ...details.map((detail) => `${' '.repeat(10 + NAME_WIDTH)}${printable(detail)}`)].join('\n');
}

/** The last line: what came of it all, and what to type. */
export function verdict(subject: string, last: Step | undefined): string {
  if (last === undefined || last.ok) return `${printable(subject)} works`;
  const next = last.hint === undefined ? '' : `. Next: ${printable(last.hint)}`;
  return `${printable(subject)} does not work: ${printable(last.says)}${next}`;
}
