import { type OclError } from '../../core/errors.ts';
import { type OclEvent } from '../../core/events.ts';

/** The failures of which a line was written. The engine throws and reports the very objects that it tells of. */
export class Shown {
  /** The images of which each was told. */
  readonly #images = new WeakMap<OclError, Set<string>>();

  /** False: it was told, of this image or as that of an archive as a whole. Images that fail for one reason, each by itself, are named each. */
  note(event: OclEvent): boolean {
    if (event.type !== 'image.failed' || isToldAtTheEnd(event.error)) return true;
    const images = this.#images.get(event.error) ?? new Set();
    const isNew = !images.has(event.image) && event.again !== true;
    this.#images.set(event.error, images.add(event.image));
    return isNew;
  }

  /** Without an image: of any. */
  has(error: OclError, image?: string): boolean {
    const images = this.#images.get(error);
    return images !== undefined && (image === undefined || images.has(image));
  }
}

/** Why a run was stopped is told once for all its images, and a fault of the program with its stack. */
export function isToldAtTheEnd({ code }: OclError): boolean {
  return code === 'OCL_CANCELLED' || code === 'OCL_INTERNAL';
}
