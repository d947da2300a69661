import { printable } from '../../core/redact.ts';
import { type ServerEvent } from '../../sync/server/events.ts';
import { failureText } from '../render/failure.ts';
import { formatBytes, formatDuration, plural } from '../render/format.ts';

const PASSES = { first: 'first pass', scheduled: 'run', 'catch-up': 'run that was missed' } as const;

/** What a server tells, as a line of its log; undefined for what is told with the end of a run. @param now milliseconds since the epoch */
export function serverLine(event: ServerEvent, now: number): string | undefined {
  const words = wordsOf(event);
  return words === undefined ? undefined : `${stamp(now)} ${words}`;
}

/** The same as one object of JSON. */
export function serverObject(event: ServerEvent): object {
  switch (event.type) {
    case 'server.ignored': {
      const { step, why } = event.ignored;
      return { type: event.type, line: step.place.line, source: step.source, why };
    }
    case 'server.done': {
      const { error, next, ...rest } = event;
      return { ...rest, next: next === undefined ? null : new Date(next).toISOString(), ...plain(error) };
    }
    case 'server.reload':
      return { type: event.type, steps: event.steps, ok: event.error === undefined, ...plain(event.error) };
    default:
      return event;
  }
}

function wordsOf(event: ServerEvent): string | undefined {
  switch (event.type) {
    case 'server.ignored': {
      const { step, why } = event.ignored;
      return `error: the step at ${printable(`${step.place.file}:${step.place.line}`)} is ignored: ${printable(why)}`;
    }
    case 'server.run':
      return undefined;
    case 'server.done': {
      const { pass, steps, copied, current, skipped, failed, untried, pruned, bytes, ms, error, next } = event;
      const counts = `${copied} copied, ${current} unchanged, ${skipped} skipped, ${failed} failed${untried > 0 ? `, ${untried} not tried` : ''}${pruned > 0 ? `, ${pruned} pruned` : ''}`;
      const end = error === undefined ? '' : `; ended early: ${failureText(error)}`;
      return `${PASSES[pass]} of ${plural(steps, 'step')}: ${counts}; ${formatBytes(bytes)} in ${formatDuration(ms)}${end}${next === undefined ? '' : `; next at ${stamp(next)}`}`;
    }
    case 'server.reload':
      return event.error === undefined
        ? `read the file anew: ${plural(event.steps, 'step')}`
        : `error: the file cannot be read anew, so the old one counts: ${failureText(event.error)}`;
    case 'server.stopping':
      return `stopping: ${plural(event.runs, 'run')} under way may finish images within ${event.graceMs / 1000} s`;
    case 'server.aborting':
      return `stopping at once: ${plural(event.runs, 'run')} did not end in time`;
  }
}

function plain(
  error: { readonly code: string; readonly message: string; readonly hint: string | undefined } | undefined,
): object {
  if (error === undefined) return {};
  const { code, message, hint } = error;
  return { error: { code, message, hint } };
}

/** `2026-11-21T03:00:00Z` */
function stamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
