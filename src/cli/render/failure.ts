import { type OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';

/** `Cannot …: … (source) [CODE]`: a failure in one line, wherever it is shown. */
export function failureText({ message, side, code }: OclError): string {
  return `${printable(message)}${side === undefined ? '' : ` (${side})`} [${code}]`;
}

/** The failure of one image, with what to do about it on a line of its own. */
export function failedLine(image: string, error: OclError): string {
  const hint = error.hint === undefined ? '' : `\n  hint: ${printable(error.hint)}`;
  return `failed    ${printable(image)}  ${failureText(error)}${hint}`;
}
