import { type Emit } from '../../core/events.ts';
import { type RunState } from './state.ts';

/** Draws events as they come. */
export interface Renderer {
  readonly emit: Emit;
  readonly state: () => RunState;
  /** Leaves the terminal as it was found. */
  readonly close: () => void;
}
