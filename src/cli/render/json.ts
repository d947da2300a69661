import { type Clock } from '../../core/clock.ts';
import { type OclEvent } from '../../core/events.ts';
import { type Renderer } from './renderer.ts';
import { INITIAL, reduce } from './state.ts';

const PROGRESS_EVERY = 1000;

/** One JSON object a line. Bytes are told once a second as `progress`, not for each piece. */
export function createJsonRenderer(write: (line: string) => void, clock: Clock): Renderer {
  let state = INITIAL;
  let last = clock.now();
  return {
    emit(event) {
      state = reduce(state, event);
      if (event.type === 'blob.checked') return;
      if (event.type !== 'blob.bytes') {
        write(JSON.stringify(plain(event)));
        return;
      }
      if (clock.now() - last < PROGRESS_EVERY) return;
      last = clock.now();
      write(JSON.stringify({ type: 'progress', bytes: state.moved, total: state.planned, streamed: state.streamed }));
    },
    state: () => state,
    // People read standard error, where events are not told.
    hasShown: () => false,
    close: () => {},
  };
}

function plain(event: OclEvent): object {
  if (event.type === 'wait') return { ...event, until: new Date(event.until).toISOString() };
  if (event.type !== 'image.failed') return event;
  const { code, message, hint, side } = event.error;
  return { ...event, error: { code, message, hint, side } };
}
