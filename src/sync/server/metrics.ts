import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { redact } from '../../core/redact.ts';
import { type ServerEvent } from './events.ts';
import { type StepState } from './state.ts';
import { type ServerView } from './view.ts';

export interface ServerMetrics {
  /** Of the text. */
  readonly contentType: string;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
  /** Takes what only events tell. */
  take(event: ServerEvent): void;
}

/** Seconds. */
const DURATIONS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200];
/** Characters of a source in a label. */
const LABEL = 200;

type Labels = Readonly<Record<string, string>>;
type Value = readonly [labels: Labels, value: number];

/**
 * The metrics of a server. What they tell of steps is read from their states when somebody asks, so that steps which a reload has taken away
 * are gone here too. Labels name steps, by line and source, and hosts: never images, of which there is no end.
 */
export function createMetrics(view: ServerView, version: string): ServerMetrics {
  const registers = [new Registry()];
  const [register = new Registry()] = registers;
  collectDefaultMetrics({ register });

  const gauge = (name: string, help: string, labelNames: readonly string[], values: () => Iterable<Value>): void => {
    void new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of values()) this.set(labels, value);
      },
    });
  };
  const counter = (name: string, help: string, labelNames: readonly string[], values: () => Iterable<Value>): void => {
    void new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [labels, value] of values()) this.inc(labels, value);
      },
    });
  };
  const STEP = ['step', 'source'];
  const ofSteps = (value: (state: StepState) => number | undefined) => (): readonly Value[] =>
    view.states.flatMap((state) => {
      const known = value(state);
      return known === undefined ? [] : [[labelsOf(state), known] as const];
    });
  const byKind = (name: string, counts: (state: StepState) => Readonly<Record<string, number>>) => (): Value[] =>
    view.states.flatMap((state) =>
      Object.entries(counts(state)).map(([kind, count]): Value => [{ ...labelsOf(state), [name]: kind }, count]),
    );

  gauge('ocl_build_info', 'The version of ocl.', ['version'], () => [[{ version }, 1]]);
  counter(
    'ocl_sync_step_runs_total',
    'Runs of a step by result: ok, failed, stopped.',
    [...STEP, 'result'],
    byKind('result', ({ totals }) => totals.runs),
  );
  counter(
    'ocl_sync_images_total',
    'Images of a step by outcome: copied, current, skipped, failed.',
    [...STEP, 'outcome'],
    byKind('outcome', ({ totals }) => totals.images),
  );
  counter(
    'ocl_sync_bytes_total',
    'Bytes that flowed for a step.',
    STEP,
    ofSteps(({ totals }) => totals.bytes),
  );
  counter(
    'ocl_sync_step_overlaps_total',
    'Times that were left out because the step was still running.',
    STEP,
    ofSteps(({ totals }) => totals.overlaps),
  );
  counter(
    'ocl_sync_step_missed_total',
    'Times that went by while nothing could run.',
    STEP,
    ofSteps(({ totals }) => totals.missed),
  );
  gauge(
    'ocl_sync_step_running',
    'Whether a step runs now.',
    STEP,
    ofSteps(({ running }) => (running === undefined ? 0 : 1)),
  );
  gauge(
    'ocl_sync_step_last_duration_seconds',
    'How long the last run of a step took.',
    STEP,
    ofSteps(({ last }) => (last === undefined ? undefined : (last.endedAt - last.startedAt) / 1000)),
  );
  gauge(
    'ocl_sync_step_last_success_timestamp_seconds',
    'When a step last ended without a failure.',
    STEP,
    ofSteps(({ lastSuccess }) => seconds(lastSuccess)),
  );
  gauge(
    'ocl_sync_step_next_run_timestamp_seconds',
    'When a step runs next.',
    STEP,
    ofSteps(({ next }) => seconds(next)),
  );
  gauge('ocl_sync_rate_limit_remaining', 'Pulls that a registry still allows, as it last told.', ['host'], () =>
    view.limits().map(({ host, remaining }) => [{ host }, remaining] as const),
  );
  gauge('ocl_sync_rate_limit', 'Pulls that a registry allows in a window, as it last told.', ['host'], () =>
    view.limits().flatMap(({ host, limit }) => (limit === undefined ? [] : [[{ host }, limit] as const])),
  );
  gauge('ocl_sync_steps_ignored', 'Steps that have no usable schedule.', [], () => [[{}, view.ignored.length]]);
  gauge('ocl_sync_config_loaded_timestamp_seconds', 'When the file that counts was read.', [], () => [
    [{}, view.loadedAt / 1000],
  ]);
  gauge('ocl_sync_config_reload_success', 'Whether the last attempt to read the file anew succeeded.', [], () => [
    [{}, view.reload?.error === undefined ? 1 : 0],
  ]);
  counter('ocl_sync_config_reloads_total', 'Attempts to read the file anew by result.', ['result'], () =>
    Object.entries(view.reloads).map(([result, count]) => [{ result }, count] as const),
  );
  const durations = new Histogram({
    name: 'ocl_sync_run_duration_seconds',
    help: 'How long runs took; one run is of all steps that were due together.',
    labelNames: ['pass'],
    buckets: DURATIONS,
    registers,
  });

  let asked: Promise<string> | undefined;
  return {
    contentType: register.contentType,
    // Who asks while another is answered gets the same answer: with thousands of steps it is not for nothing.
    async text() {
      asked ??= register.metrics().finally(() => (asked = undefined));
      return await asked;
    },
    take(event) {
      if (event.type === 'server.done') durations.observe({ pass: event.pass }, event.ms / 1000);
    },
  };
}

function labelsOf({ step }: StepState): Labels {
  const source = redact(step.source === '' ? step.feed : step.source);
  return { step: String(step.place.line), source: source.slice(0, LABEL) };
}

function seconds(time: number | undefined): number | undefined {
  return time === undefined ? undefined : time / 1000;
}
