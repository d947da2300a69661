import { isCode, type OclError } from '../../core/errors.ts';
import { type Emit, type OclEvent } from '../../core/events.ts';

/** What the engine tells of its copies, as far as it is final: one that was refused for a limit may go on later, and has begun once. */
export class Tellings {
  readonly #emit: Emit;
  /** The images of which an error was told: that of a backup is told for the backup, and then for the image; that of a content for all that share it. */
  readonly #told = new WeakMap<OclError, Set<string>>();
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
      this.#note(event.image, event.error);
    }
    this.#emit(event);
  };

  /** A failure is final: it is told, unless the engine has told it. */
  failed(image: string, error: OclError): void {
    this.#begun.delete(image);
    if (this.#told.get(error)?.has(image) === true) return;
    this.#note(image, error);
    this.#emit({ type: 'image.failed', image, error });
  }

  #note(image: string, error: OclError): void {
    const images = this.#told.get(error);
    if (images === undefined) this.#told.set(error, new Set([image]));
    else images.add(image);
  }
}
