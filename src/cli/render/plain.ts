import { type Clock } from '../../core/clock.ts';
import { type OclEvent } from '../../core/events.ts';
import { printable } from '../../core/redact.ts';
import { failedLine } from './failure.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';
import { type Renderer } from './renderer.ts';
import { isToldAtTheEnd, Shown } from './shown.ts';
import { fraction, INITIAL, reduce } from './state.ts';

const PROGRESS_EVERY = 10_000;

/** One line for each thing that is worth one: for logs, pipes and terminals that do not move. */
export function createPlainRenderer(write: (line: string) => void, clock: Clock): Renderer {
  const shown = new Shown();
  let state = INITIAL;
  let last = clock.now();
  const started = last;
  return {
    emit(event) {
      state = reduce(state, event);
      const line = shown.note(event) ? lineOf(event) : undefined;
      if (line !== undefined) write(line);
      else if (event.type === 'blob.bytes' && clock.now() - last >= PROGRESS_EVERY) {
        last = clock.now();
        const rate = state.streamed / Math.max(1, (last - started) / 1000);
        write(`  ${Math.floor(fraction(state) * 100)} % of ${formatBytes(state.planned)}, ${formatBytes(rate)}/s`);
      }
    },
    state: () => state,
    hasShown: (error, image) => shown.has(error, image),
    close: () => {},
  };
}

/** The line of an event, for those that have one. */
export function lineOf(event: OclEvent): string | undefined {
  switch (event.type) {
    case 'image.done':
      if (event.outcome === 'current') return `unchanged ${printable(event.image)}`;
      return event.outcome === 'partial'
        ? `in part   ${printable(event.image)}  (${formatBytes(event.totals.streamed)} transferred, ${formatDuration(event.ms)})`
        : `copied    ${printable(event.image)}  (${formatBytes(event.totals.bytes)}, ${formatBytes(event.totals.streamed)} transferred, ${formatDuration(event.ms)})`;
    case 'image.failed':
      return isToldAtTheEnd(event.error) ? `stopped   ${printable(event.image)}` : failedLine(event.image, event.error);
    case 'wait':
      return waitLine(event);
    case 'wait.over':
      return `goes on   ${event.host}`;
    case 'notice':
      return `${event.level}: ${printable(event.message)}`;
    default:
      return undefined;
  }
}

/** `waiting   docker.io until 2026-11-21T10:00:00Z  (3 of 100 pulls left, 50 are kept for others)` */
function waitLine({ host, until, remaining, limit, min }: Extract<OclEvent, { readonly type: 'wait' }>): string {
  const left =
    remaining === undefined
      ? 'it asks for a pause'
      : `${remaining}${limit === undefined ? '' : ` of ${limit}`} pulls left`;
  return `waiting   ${host} until ${formatTime(until)}  (${left}${min === 0 ? '' : `, ${min} are kept for others`})`;
}
