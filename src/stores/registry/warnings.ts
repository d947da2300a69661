import { type Emit } from '../../core/events.ts';
import { printable } from '../../core/redact.ts';
import { type HttpHeaders } from '../../io/httpMessages.ts';

/** Characters that are looked at in the warnings of one answer (distribution-spec, "Warnings"). */
const MAX_LENGTH = 4096;
const MAX_REMEMBERED = 1000;

/** Passes on what registries warn about (`Warning: 299 - "…"`), each text once per host. */
export class Warnings {
  readonly #emit: Emit;
  readonly #host: string;
  readonly #seen = new Set<string>();

  constructor(emit: Emit, host: string) {
    this.#emit = emit;
    this.#host = host;
  }

  read(headers: HttpHeaders): void {
    const values = headers.get('warning');
    if (values === undefined) return;
    for (const [, text = ''] of values
      .join(', ')
      .slice(0, MAX_LENGTH)
      .matchAll(/(?:^|[\s,])299 - "((?:[^"\\]|\\.)*)"/g)) {
      const message = printable(text.replaceAll(/\\(.)/g, '$1'));
      if (this.#seen.has(message) || this.#seen.size >= MAX_REMEMBERED) continue;
      this.#seen.add(message);
      this.#emit({ type: 'notice', level: 'warning', message: `${this.#host} warns: ${message}` });
    }
  }
}
