import { isCode, type OclError } from '../../core/errors.ts';
import { type Emit, type OclEvent } from '../../core/events.ts';

/** What the engine tells of its copies, as far as it is final: one that was refused for a limit may go on later, and has begun once. */
export class Tellings {
  readonly #emit: Emit;
  /** Errors by the image of which they were told: that of a backup is told for the backup, and then for the image. */
  readonly #told = new WeakMap<OclError, string>();
  readonly #begun = new Set<string>();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** For the engine. */
  readonly pass = (event: OclEvent): void => {
    if (event.type === 'image.start' && this.#begun.delete(event.image)) return;
    if (event.type === 'image.failed') {
      if (isCode(event.error, 'OCL_RATE_LIMITED') && event.error.side !== 'target') {
        this.#begun.add(event.image);
        return;
      }
      this.#told.set(event.error, event.image);
    }
    this.#emit(event);
  };

  /** A failure is final: it is told, unless the engine has told it. */
  failed(image: string, error: OclError): void {
    this.#begun.delete(image);
    if (this.#told.get(error) === image) return;
    this.#told.set(error, image);
    this.#emit({ type: 'image.failed', image, error });
  }
}
