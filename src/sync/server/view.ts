import { type OclError } from '../../core/errors.ts';
import { type HostLimit } from './generation.ts';
import { type StepState } from './state.ts';
import { type IgnoredStep } from './timetable.ts';

/** What is to be seen of a server from outside. Times are milliseconds since the epoch. */
export interface ServerView {
  readonly startedAt: number;
  /** When it last looked at the clock. */
  readonly beatAt: number;
  readonly phase: 'starting' | 'running' | 'stopping' | 'stopped';
  readonly file: string;
  /** When the file that counts was read. */
  readonly loadedAt: number;
  readonly states: readonly StepState[];
  readonly ignored: readonly IgnoredStep[];
  readonly limits: () => readonly HostLimit[];
  /** The last attempt to read the file anew. */
  readonly reload: { readonly at: number; readonly error: OclError | undefined } | undefined;
  readonly reloads: { readonly ok: number; readonly failed: number };
}

/** Of a server that has not read its file yet. */
export function newView(now: number, limits: ServerView['limits']): ServerView {
  return {
    startedAt: now,
    beatAt: now,
    phase: 'starting',
    file: '',
    loadedAt: now,
    states: [],
    ignored: [],
    limits,
    reload: undefined,
    reloads: { ok: 0, failed: 0 },
  };
}

/** Milliseconds without a beat after which a server counts as dead. It beats every 5 s. */
const DEAD = 60_000;

/** Whether the loop lives. */
export function isAlive({ beatAt, phase }: ServerView, now: number): boolean {
  return phase === 'starting' || phase === 'stopping' || (phase === 'running' && now - beatAt < DEAD);
}

/** Whether the file was read and its first pass has begun, and the end has not. */
export function isReady(view: ServerView, now: number): boolean {
  return view.phase === 'running' && isAlive(view, now);
}
