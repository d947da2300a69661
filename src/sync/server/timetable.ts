import { OclError } from '../../core/errors.ts';
import { readSchedule, type Schedule } from '../schedule/schedule.ts';
import { ScheduleError } from '../schedule/cronText.ts';
import { type SyncConfig, type SyncStep } from '../settings.ts';
import { newState, type Pass, type StepState } from './state.ts';

/** Milliseconds after which a time has gone by unused: the machine slept, or was set to another time. */
const LATE = 60_000;

export interface TimetableOptions {
  /** A time that went by unused is made up for. */
  readonly catchUp: boolean;
}

/** A step that never runs here, and why. */
export interface IgnoredStep {
  readonly step: SyncStep;
  readonly why: string;
}

/** Steps that run together, so that what they share is asked for once. */
export interface Batch {
  readonly pass: Pass;
  readonly states: readonly StepState[];
}

/** When each step of a file runs. It tells what is due; who starts it sets `running`. */
export class Timetable {
  readonly #catchUp: boolean;
  #states: readonly StepState[] = [];
  #ignored: readonly IgnoredStep[] = [];
  /** Steps that the file has no more and that still run. */
  #leaving: readonly StepState[] = [];
  #seen = 0;

  constructor(options: TimetableOptions) {
    this.#catchUp = options.catchUp;
  }

  /** In the order of the file. */
  get states(): readonly StepState[] {
    return this.#states;
  }

  get ignored(): readonly IgnoredStep[] {
    return this.#ignored;
  }

  /**
   * Takes another file. Steps that it shares with the one before keep what is known about them, and their times where those are the same;
   * what is new or says something else is owed a first pass.
   * @param now milliseconds since the epoch
   * @param lastRun when a step ran last, in an earlier process
   */
  take(config: SyncConfig, now: number, lastRun?: (step: SyncStep) => number | undefined): void {
    this.#seen = now;
    const before = new Map([...this.#leaving, ...this.#states].map((state) => [this.#keyOf(state.step), state]));
    const schedules = new Schedules();
    const ignored: IgnoredStep[] = [];
    const states: StepState[] = [];
    const keys = new Keys();
    this.#keys = new WeakMap();
    for (const step of config.steps) {
      const key = keys.of(step);
      this.#keys.set(step, key);
      const schedule = scheduleOf(step, schedules);
      if (typeof schedule === 'string') ignored.push({ step, why: schedule });
      else states.push(this.#enter(step, schedule, before.get(key), now, lastRun?.(step)));
    }
    const kept = new Set(states);
    for (const [key, state] of before) if (!kept.has(state)) this.#keys.set(state.step, key);
    this.#leaving = [...before.values()].filter((state) => !kept.has(state) && state.running !== undefined);
    this.#states = states;
    this.#ignored = ignored;
  }

  /** What is to be started at a moment. Its times move on, whether it can be started or not. */
  due(now: number): readonly Batch[] {
    if (now < this.#seen - LATE) for (const state of this.#states) state.next = state.schedule.next(now);
    this.#seen = now;
    const batches = new Map<Pass, StepState[]>();
    for (const state of this.#states) {
      this.#pass(state, now);
      if (state.owed === undefined || state.running !== undefined) continue;
      const batch = batches.get(state.owed);
      if (batch === undefined) batches.set(state.owed, [state]);
      else batch.push(state);
      state.owed = undefined;
    }
    return [...batches].map(([pass, states]) => ({ pass, states }));
  }

  /** The next time of all steps; undefined when there is none. */
  next(): number | undefined {
    let first: number | undefined;
    for (const { next } of this.#states) if (next !== undefined && (first === undefined || next < first)) first = next;
    return first;
  }

  #keys = new WeakMap<SyncStep, string>();

  #keyOf(step: SyncStep): string {
    return this.#keys.get(step) ?? '';
  }

  #enter(
    step: SyncStep,
    schedule: Schedule,
    known: StepState | undefined,
    now: number,
    lastRun: number | undefined,
  ): StepState {
    if (known !== undefined) {
      const { step: old } = known;
      if (old.schedule !== step.schedule || old.interval !== step.interval) known.next = schedule.next(now);
      if (wantsOf(old) !== wantsOf(step)) known.owed ??= 'first';
      known.step = step;
      known.schedule = schedule;
      return known;
    }
    const state = newState(step, schedule);
    const missed = this.#catchUp && lastRun !== undefined ? schedule.next(lastRun) : undefined;
    state.next = missed !== undefined && missed > now ? missed : schedule.next(now);
    state.owed = missed !== undefined && missed <= now ? 'catch-up' : 'first';
    return state;
  }

  #pass(state: StepState, now: number): void {
    const { next, schedule, totals } = state;
    if (next === undefined || next > now) return;
    const after = schedule.next(next);
    state.next = after !== undefined && after <= now ? schedule.next(now) : after;
    const late = now - next > LATE;
    if (late && !this.#catchUp) totals.missed++;
    else if (state.running === undefined) state.owed = late ? 'catch-up' : 'scheduled';
    // The first pass leaves what has changed, so its own time must not be lost to it.
    else if (state.running === 'first') state.owed = 'scheduled';
    else totals.overlaps++;
  }
}

/** @throws OCL_CONFIG_INVALID when nothing of a file would ever run */
export function checkServable(config: SyncConfig, now: number): void {
  const table = new Timetable({ catchUp: false });
  table.take(config, now);
  if (table.states.length > 0) return;
  const [first] = table.ignored;
  const why =
    first === undefined
      ? 'it has no steps'
      : `none of its steps ever runs; that of line ${first.step.place.line}: ${first.why}`;
  throw new OclError('OCL_CONFIG_INVALID', `Cannot serve ${config.file}: ${why}`, {
    hint: 'give a step, or defaults, an interval (1h) or a schedule (0 3 * * *); ocl sync once needs none',
  });
}

/** The schedule of a step, or why it has none. */
function scheduleOf(step: SyncStep, schedules: Schedules): Schedule | string {
  try {
    return schedules.of(step) ?? 'it has neither schedule nor interval';
  } catch (error) {
    if (error instanceof ScheduleError)
      return `its schedule ${JSON.stringify(step.schedule)} cannot be used: ${error.message}`;
    throw error;
  }
}

/** Steps that say the same about time share one schedule, which works each time out once. */
class Schedules {
  readonly #known = new Map<string, Schedule | undefined>();

  of({ schedule, interval }: SyncStep): Schedule | undefined {
    const key = `${interval}|${schedule}`;
    if (!this.#known.has(key)) {
      const read = readSchedule(schedule, interval);
      this.#known.set(key, read === undefined ? undefined : remembering(read));
    }
    return this.#known.get(key);
  }
}

function remembering(schedule: Schedule): Schedule {
  let asked: number | undefined;
  let answer: number | undefined;
  return {
    next(after) {
      if (after !== asked) [asked, answer] = [after, schedule.next(after)];
      return answer;
    },
  };
}

/** What tells the steps of a file apart, whatever line they move to: their ends, and which of several with the same ends. */
class Keys {
  readonly #counts = new Map<string, number>();

  of({ type, source, feed, targets }: SyncStep): string {
    const ends = JSON.stringify([type, source, feed, targets]);
    const count = this.#counts.get(ends) ?? 0;
    this.#counts.set(ends, count + 1);
    return `${count} ${ends}`;
  }
}

/** All that a step says but where it stands and when it runs. */
function wantsOf({ place: _place, schedule: _schedule, interval: _interval, ...wants }: SyncStep): string {
  return JSON.stringify(wants);
}
