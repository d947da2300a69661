import { GoNamed, GoStruct, numberOf, TemplateError, type Value } from './values.ts';

/** The zone of this machine, or minutes east of Greenwich. */
type Zone = 'local' | number;

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY = 86_400_000;

/** A moment with the methods of Go's time.Time. @param ms since the epoch */
export function goTime(ms: number, zone: Zone): GoStruct {
  const parts = partsOf(ms, zone);
  const { year, month, day } = parts;
  const time = (value: Value | undefined, name: string): number => {
    const other = value instanceof GoStruct ? value.members.get('UnixMilli') : undefined;
    if (typeof other !== 'number') throw new TemplateError(`${name} wants a time`);
    return other;
  };
  const number = (value: Value | undefined, name: string): number => {
    const found = value === undefined ? undefined : numberOf(value);
    if (found === undefined) throw new TemplateError(`${name} wants a number`);
    return found;
  };
  return new GoStruct(
    'a time',
    {
      Year: year,
      Month: new GoNamed(month, MONTHS[month - 1] ?? ''),
      Day: day,
      Hour: parts.hour,
      Minute: parts.minute,
      Second: parts.second,
      Nanosecond: parts.ms * 1e6,
      YearDay: parts.yearDay,
      Weekday: new GoNamed(parts.weekday, DAYS[parts.weekday] ?? ''),
      Unix: Math.floor(ms / 1000),
      UnixMilli: ms,
      UnixMicro: ms * 1000,
      UnixNano: ms * 1e6,
      IsZero: ms === ZERO,
      UTC: () => goTime(ms, 0),
      Local: () => goTime(ms, 'local'),
      Format: (layout) => {
        if (typeof layout !== 'string') throw new TemplateError('Format wants a layout');
        return formatTime(parts, layout);
      },
      AddDate: (years, months, days) =>
        goTime(
          instant(
            zone,
            year + number(years, 'AddDate'),
            month - 1 + number(months, 'AddDate'),
            day + number(days, 'AddDate'),
            ms,
            parts,
          ),
          zone,
        ),
      Add: (duration) => goTime(ms + number(duration, 'Add') / 1e6, zone),
      Sub: (other) => goDuration(ms - time(other, 'Sub')),
      Before: (other) => ms < time(other, 'Before'),
      After: (other) => ms > time(other, 'After'),
      Equal: (other) => ms === time(other, 'Equal'),
      Compare: (other) => Math.sign(ms - time(other, 'Compare')),
      String: formatTime(parts, '2006-01-02 15:04:05.999999999 -0700 MST'),
    },
    formatTime(parts, '2006-01-02 15:04:05.999999999 -0700 MST'),
  );
}

/** Go's zero time: the first day of the year 1. */
const ZERO = -62_135_596_800_000;

/** Nanoseconds that print as `1h30m0s`. @param ms milliseconds */
export function goDuration(ms: number): GoNamed {
  return new GoNamed(ms * 1e6, durationText(ms));
}

function durationText(ms: number): string {
  if (ms === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const rest = Math.abs(ms);
  if (rest < 1) return `${sign}${rest * 1000}µs`;
  if (rest < 1000) return `${sign}${rest}ms`;
  const hours = Math.floor(rest / 3_600_000);
  const minutes = Math.floor(rest / 60_000) % 60;
  const seconds = (rest % 60_000) / 1000;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${rest >= 60_000 ? `${minutes}m` : ''}${seconds}s`;
}

interface Parts {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly yearDay: number;
  /** Minutes east of Greenwich. */
  readonly offset: number;
  readonly zoneName: string;
}

function partsOf(ms: number, zone: Zone): Parts {
  const offset = zone === 'local' ? -new Date(ms).getTimezoneOffset() : zone;
  const shifted = new Date(ms + offset * 60_000);
  const year = shifted.getUTCFullYear();
  return {
    year,
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
    ms: shifted.getUTCMilliseconds(),
    weekday: shifted.getUTCDay(),
    yearDay: Math.floor((shifted.getTime() - Date.UTC(year, 0, 1)) / DAY) + 1,
    offset,
    zoneName: zone === 0 ? 'UTC' : zone === 'local' ? localZone(ms) : '',
  };
}

function localZone(ms: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(new Date(ms));
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'Local';
}

/** The moment of a date at the time of day that `parts` has. */
function instant(zone: Zone, year: number, month: number, day: number, ms: number, parts: Parts): number {
  const { hour, minute, second, ms: rest } = parts;
  if (zone === 'local') return new Date(year, month, day, hour, minute, second, rest).getTime();
  const date = new Date(ms);
  date.setTime(Date.UTC(year, month, day, hour, minute, second, rest) - zone * 60_000);
  return date.getTime();
}

/** The pieces of Go's reference time, Mon Jan 2 15:04:05 MST 2006, the longest first. */
const PIECES =
  /January|Jan|Monday|Mon|MST|2006|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|002|01|02|03|04|05|06|__2|_2|15|PM|pm|[.,]0+(?!\d)|[.,]9+(?!\d)|1|2|3|4|5/g;

function formatTime(parts: Parts, layout: string): string {
  return layout.replaceAll(PIECES, (piece) => pieceText(piece, parts));
}

function pieceText(piece: string, parts: Parts): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const { year, month, day, hour, minute, second } = parts;
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  switch (piece) {
    case 'January':
      return MONTHS[month - 1] ?? '';
    case 'Jan':
      return (MONTHS[month - 1] ?? '').slice(0, 3);
    case 'Monday':
      return DAYS[parts.weekday] ?? '';
    case 'Mon':
      return (DAYS[parts.weekday] ?? '').slice(0, 3);
    case 'MST':
      return parts.zoneName === '' ? offsetText('-07', parts.offset) : parts.zoneName;
    case '2006':
      return String(year).padStart(4, '0');
    case '06':
      return two(year % 100);
    case '01':
      return two(month);
    case '1':
      return String(month);
    case '002':
      return String(parts.yearDay).padStart(3, '0');
    case '__2':
      return String(parts.yearDay).padStart(3);
    case '02':
      return two(day);
    case '_2':
      return String(day).padStart(2);
    case '2':
      return String(day);
    case '15':
      return two(hour);
    case '03':
      return two(twelve);
    case '3':
      return String(twelve);
    case '04':
      return two(minute);
    case '4':
      return String(minute);
    case '05':
      return two(second);
    case '5':
      return String(second);
    case 'PM':
      return hour < 12 ? 'AM' : 'PM';
    case 'pm':
      return hour < 12 ? 'am' : 'pm';
    default:
      return /^[.,]/.test(piece) ? fractionText(piece, parts.ms) : offsetText(piece, parts.offset);
  }
}

/** `.000` keeps its digits, `.999` loses zeros at the end. */
function fractionText(piece: string, ms: number): string {
  const digits = `${String(ms).padStart(3, '0')}000000`.slice(0, piece.length - 1);
  if (piece[1] === '0') return `${piece[0]}${digits}`;
  const short = digits.replace(/0+$/, '');
  return short === '' ? '' : `${piece[0]}${short}`;
}

function offsetText(piece: string, offset: number): string {
  if (piece.startsWith('Z') && offset === 0) return 'Z';
  const sign = offset < 0 ? '-' : '+';
  const hours = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0');
  const minutes = String(Math.abs(offset) % 60).padStart(2, '0');
  const form = piece.slice(1);
  if (form === '07') return `${sign}${hours}`;
  const colon = form.includes(':') ? ':' : '';
  const seconds = form.replaceAll(':', '').length > 4 ? `${colon}00` : '';
  return `${sign}${hours}${colon}${minutes}${seconds}`;
}

const READ: Readonly<Record<string, string>> = {
  '2006': '(?<year>\\d{4})',
  '06': '(?<short>\\d{2})',
  January: `(?<monthName>${MONTHS.join('|')})`,
  Jan: `(?<monthShort>${MONTHS.map((name) => name.slice(0, 3)).join('|')})`,
  Monday: `(?:${DAYS.join('|')})`,
  Mon: `(?:${DAYS.map((name) => name.slice(0, 3)).join('|')})`,
  '01': '(?<month>\\d{2})',
  '1': '(?<month>\\d{1,2})',
  '02': '(?<day>\\d{2})',
  '2': '(?<day>\\d{1,2})',
  _2: ' ?(?<day>\\d{1,2})',
  '15': '(?<hour>\\d{2})',
  '03': '(?<hour>\\d{2})',
  '3': '(?<hour>\\d{1,2})',
  '04': '(?<minute>\\d{2})',
  '4': '(?<minute>\\d{1,2})',
  '05': '(?<second>\\d{2})(?<fraction>\\.\\d{1,9})?',
  '5': '(?<second>\\d{1,2})(?<fraction>\\.\\d{1,9})?',
  PM: '(?<half>AM|PM)',
  pm: '(?<half>am|pm)',
  MST: '(?<zone>[A-Z]{3,4})',
};

/** Reads a time by a layout, as Go's time.Parse does; without a zone it is UTC. @throws TemplateError */
export function parseTime(layout: string, value: string): GoStruct {
  const pattern = layout
    .split(new RegExp(`(${PIECES.source})`))
    .map((part, i) => (i % 2 === 0 ? part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`) : readPattern(part)))
    .join('');
  let match: RegExpExecArray | null = null;
  try {
    match = new RegExp(`^${pattern}$`).exec(value);
  } catch {
    throw new TemplateError(`Parse: the layout ${JSON.stringify(layout)} names one part twice`);
  }
  if (match === null)
    throw new TemplateError(`Parse: ${JSON.stringify(value)} does not have the form ${JSON.stringify(layout)}`);
  const { groups = {} } = match;
  const offset = readOffset(groups['offset']);
  const month =
    groups['monthName'] === undefined
      ? groups['monthShort'] === undefined
        ? Number(groups['month'] ?? 1)
        : MONTHS.findIndex((name) => name.startsWith(groups['monthShort'] ?? '')) + 1
      : MONTHS.indexOf(groups['monthName']) + 1;
  const short = Number(groups['short'] ?? 0);
  const year =
    groups['year'] === undefined
      ? groups['short'] === undefined
        ? 0
        : short + (short >= 69 ? 1900 : 2000)
      : Number(groups['year']);
  const day = Number(groups['day'] ?? 1);
  const half = groups['half']?.toLowerCase();
  const clock = Number(groups['hour'] ?? 0);
  const hour = half === undefined ? clock : (clock % 12) + (half === 'pm' ? 12 : 0);
  const minute = Number(groups['minute'] ?? 0);
  const second = Number(groups['second'] ?? 0);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, Math.trunc(Number(`0${groups['fraction'] ?? '.0'}`) * 1000));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw new TemplateError(`Parse: ${JSON.stringify(value)} is out of range`);
  return goTime(date.getTime() - offset * 60_000, offset);
}

function readPattern(piece: string): string {
  if (/^[.,]/.test(piece)) return '(?:[.,]\\d{1,9})?';
  if (/^[Z-]07/.test(piece)) return '(?<offset>Z|[+-]\\d{2}(?::?\\d{2}){0,2})';
  return READ[piece] ?? '\\d+';
}

function readOffset(text: string | undefined): number {
  if (text === undefined || text === 'Z') return 0;
  const [hours = '0', minutes = '0'] = text.slice(1).replaceAll(':', '').match(/../g) ?? [];
  return (text.startsWith('-') ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
