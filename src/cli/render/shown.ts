import { type OclError } from '../../core/errors.ts';
import { type OclEvent } from '../../core/events.ts';

/** The failures of which a line was written. The engine throws and reports the very objects that it tells of. */
export class Shown {
  readonly #errors = new WeakSet<OclError>();

  note(event: OclEvent): void {
    if (event.type === 'image.failed' && !isToldAtTheEnd(event.error)) this.#errors.add(event.error);
  }

  has(error: OclError): boolean {
    return this.#errors.has(error);
  }
}

/** Why a run was stopped is told once for all its images, and a fault of the program with its stack. */
export function isToldAtTheEnd({ code }: OclError): boolean {
  return code === 'OCL_CANCELLED' || code === 'OCL_INTERNAL';
}
