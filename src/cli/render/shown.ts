import { type OclError } from '../../core/errors.ts';
import { type OclEvent } from '../../core/events.ts';

/** The failures of which a line was written. The engine throws and reports the very objects that it tells of. */
export class Shown {
  readonly #errors = new WeakSet<OclError>();

  /** False: it tells of a failure that was told of another image, as where an archive cannot be written at all. */
  note(event: OclEvent): boolean {
    if (event.type !== 'image.failed' || isToldAtTheEnd(event.error)) return true;
    const isNew = !this.#errors.has(event.error);
    this.#errors.add(event.error);
    return isNew;
  }

  has(error: OclError): boolean {
    return this.#errors.has(error);
  }
}

/** Why a run was stopped is told once for all its images, and a fault of the program with its stack. */
export function isToldAtTheEnd({ code }: OclError): boolean {
  return code === 'OCL_CANCELLED' || code === 'OCL_INTERNAL';
}
