/** A schedule that cannot be read. */
export class ScheduleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScheduleError';
  }
}

/** What a schedule says: a pattern in a zone, or a distance in time. */
export type CronText =
  | {
      readonly kind: 'pattern';
      /** Five fields, each `*` or a list of numbers. */
      readonly fields: string;
      /** IANA name; undefined: this machine's. */
      readonly zone: string | undefined;
    }
  | { readonly kind: 'every'; readonly ms: number };

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of week', min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * Reads a schedule as regsync does (spec/regsync.md 1.12): five fields, `TZ=` or `CRON_TZ=` before them, or a descriptor.
 * @param readDuration answers milliseconds
 * @throws ScheduleError
 */
export function readCronText(text: string, readDuration: (text: string) => number | undefined): CronText {
  const [, named, rest = ''] = /^\s*(?:(?:CRON_)?TZ=(\S+)\s+)?(.*?)\s*$/s.exec(text) ?? [];
  if (named !== undefined) checkZone(named);
  if (rest.startsWith('@every ')) {
    const ms = readDuration(rest.slice('@every '.length).trim());
    if (ms === undefined) throw new ScheduleError(`${JSON.stringify(rest)} has no duration such as 1h30m`);
    return { kind: 'every', ms: everyOf(ms) };
  }
  const written = rest.startsWith('@') ? DESCRIPTORS[rest] : rest;
  if (written === undefined || !(rest.startsWith('@') ? Object.hasOwn(DESCRIPTORS, rest) : true))
    throw new ScheduleError(
      `there is no ${JSON.stringify(rest)}; there is ${Object.keys(DESCRIPTORS).join(', ')}, @every`,
    );
  const parts = written.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== FIELDS.length)
    throw new ScheduleError(
      `it has ${parts.length} fields instead of 5 (minute, hour, day of month, month, day of week)`,
    );
  return {
    kind: 'pattern',
    fields: FIELDS.map((field, i) => readField(parts[i] ?? '', field)).join(' '),
    zone: named === 'Local' ? undefined : named,
  };
}

/** Whole seconds, at least one, as regsync counts intervals. */
export function everyOf(ms: number): number {
  return Math.max(1, Math.floor(ms / 1000)) * 1000;
}

function checkZone(zone: string): void {
  try {
    if (zone !== 'Local') Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    throw new ScheduleError(`there is no time zone ${JSON.stringify(zone)}`);
  }
}

/** One field as `*` or a sorted list. A star with a step is a list: it counts as a choice of days. */
function readField(text: string, field: Field): string {
  const values = new Set<number>();
  let star = false;
  for (const part of text.split(',').filter((each) => each !== '')) {
    const range = readRange(part, field);
    star ||= range.star;
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
  }
  if (values.size === 0) throw new ScheduleError(`the ${field.name} is empty`);
  return star ? '*' : [...values].toSorted((a, b) => a - b).join(',');
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly star: boolean;
}

function readRange(text: string, field: Field): Range {
  const fail = (why: string): never => {
    throw new ScheduleError(`${JSON.stringify(text)} as ${field.name}: ${why}`);
  };
  const match = /^(?:([*?])(?:-[^-/]+)?|([^-/]+)(?:-([^-/]+))?)(?:\/([0-9]+))?$/.exec(text);
  if (match === null) return fail('it is no number, range or step');
  const [, star, first, last, stepText] = match;
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1) return fail('a step is at least 1');
  if (star !== undefined) return { from: field.min, to: field.max, step, star: step === 1 };
  const from = readValue(first ?? '', field, fail);
  // `5/20` goes on to the end of the field.
  const to = last === undefined ? (stepText === undefined ? from : field.max) : readValue(last, field, fail);
  if (from > to) return fail('it ends before it begins');
  return { from, to, step, star: false };
}

function readValue(text: string, { min, max, names = [] }: Field, fail: (why: string) => never): number {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + min;
  if (!/^[0-9]{1,9}$/.test(text)) return fail(`${JSON.stringify(text)} is no number`);
  const value = Number(text);
  if (value < min || value > max) return fail(`it goes from ${min} to ${max}`);
  return value;
}
