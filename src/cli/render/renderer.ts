import { type OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { type RunState } from './state.ts';

/** Draws events as they come. */
export interface Renderer {
  readonly emit: Emit;
  readonly state: () => RunState;
  /** Whether people have read of this failure already, of this image or, without one, of any, so that it is not told twice. */
  readonly hasShown: (error: OclError, image?: string) => boolean;
  /** Leaves the terminal as it was found. */
  readonly close: () => void;
}
