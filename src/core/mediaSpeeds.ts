import { OclError } from './errors.ts';

/** How fast a medium is written and read, in bytes a second. */
export interface MediumSpeed {
  /** As it was asked for. */
  readonly name: string;
  readonly write: number;
  readonly read: number;
}

/**
 * What drives and wires of today do as a rule. Discs: 1x is 153,600 bytes a second of a CD, 1,385,000 of a DVD, 4,500,000 of a Blu-ray disc;
 * they are written at 24x, 8x and 4x, and read at 24x, 12x and 6x on average.
 */
const SPEEDS: Readonly<Record<string, readonly [write: number, read: number]>> = {
  cd: [24 * 153_600, 24 * 153_600],
  dvd: [8 * 1_385_000, 12 * 1_385_000],
  'dvd-dl': [8 * 1_385_000, 12 * 1_385_000],
  bd: [4 * 4_500_000, 6 * 4_500_000],
  usb2: [20_000_000, 32_000_000],
  usb3: [80_000_000, 150_000_000],
  disk: [150_000_000, 150_000_000],
  lan: [110_000_000, 110_000_000],
};

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9 };

/**
 * `20MB` (bytes a second), `10MB/30MB` (written, read), or the name of a medium; several with commas between them.
 * @throws OCL_USAGE
 */
export function parseSpeeds(text: string): readonly MediumSpeed[] {
  return text.split(',').map((part) => parseSpeed(part.trim()));
}

/** The speed of a medium that has a name; undefined for any other text. */
function speedOfMedium(name: string): MediumSpeed | undefined {
  const known = Object.hasOwn(SPEEDS, name.toLowerCase()) ? SPEEDS[name.toLowerCase()] : undefined;
  return known === undefined ? undefined : { name, write: known[0], read: known[1] };
}

function parseSpeed(text: string): MediumSpeed {
  const known = speedOfMedium(text);
  if (known !== undefined) return known;
  const [write = '', read = write, ...more] = text.replaceAll(/\/s\b/gi, '').split('/');
  const speed = { name: text, write: toRate(write), read: toRate(read) };
  if (more.length === 0 && speed.write >= 1 && speed.read >= 1) return speed;
  throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)} as a speed: it is no bytes a second`, {
    hint: `such as --speed 20MB, 10MB/30MB for writing and reading, or ${Object.keys(SPEEDS).join(', ')}`,
  });
}

/** NaN for what is none. */
function toRate(text: string): number {
  const [, number, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)([KMG]?)B?$/i.exec(text.trim()) ?? [];
  return number === undefined ? Number.NaN : Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
}
