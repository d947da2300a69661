import { OclError } from './errors.ts';

const MIB = 1 << 20;

/**
 * What a file on a medium may have, in bytes. Discs: their sectors of 2048 bytes, less 2 MiB for the file system around the one file. Of
 * the two kinds of a disc the smaller counts.
 */
const MEDIA: Readonly<Record<string, number>> = {
  /** 80 minutes: 359,844 sectors. */
  cd: 359_844 * 2048 - 2 * MIB,
  /** DVD+R: 2,295,104 sectors. */
  dvd: 2_295_104 * 2048 - 2 * MIB,
  /** DVD-R DL: 4,171,712 sectors. */
  'dvd-dl': 4_171_712 * 2048 - 2 * MIB,
  /** BD-R, formatted with spare areas as burning programs do: 11,826,176 sectors. */
  bd: 11_826_176 * 2048 - 2 * MIB,
  /** The largest file of a FAT32 file system: 4 GiB - 1. */
  fat32: 2 ** 32 - 1,
};

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1, M: 2, G: 3, T: 4 };
/** Of the number on a stick: what makers count as spare, and the file system's own. */
const USABLE_PERCENT = 93;
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?)(?:([KMGT])(i?)B?|B)?$/i;

/**
 * How large volumes may be, in bytes: a number with KB, MB, GB or TB (thousands) or KiB, MiB, GiB or TiB (1024), the name of a medium, or
 * `usb:SIZE`; several with commas between them, of which the last repeats.
 * @throws OCL_USAGE
 */
export function parseVolumeSizes(text: string): readonly number[] {
  return text.split(',').map((part) => parseVolumeSize(part.trim(), text));
}

function parseVolumeSize(part: string, whole: string): number {
  const medium = Object.hasOwn(MEDIA, part.toLowerCase()) ? MEDIA[part.toLowerCase()] : undefined;
  if (medium !== undefined) return medium;
  const size = /^usb:/i.test(part)
    ? Math.floor((toBytes(part.slice('usb:'.length)) * USABLE_PERCENT) / 100)
    : toBytes(part);
  if (Number.isSafeInteger(size) && size > 0) return size;
  throw new OclError(
    'OCL_USAGE',
    `Cannot use ${JSON.stringify(whole)} as sizes of volumes: ${JSON.stringify(part)} is no size`,
    { hint: `such as --volume-size 4GB, 700MiB, usb:64G, or ${Object.keys(MEDIA).join(', ')}` },
  );
}

/** NaN for what is no size. */
function toBytes(text: string): number {
  const [, number, unit = '', binary = ''] = SIZE.exec(text) ?? [];
  if (number === undefined) return Number.NaN;
  const power = unit === '' ? 0 : (UNITS[unit.toUpperCase()] ?? 0);
  return Math.floor(Number(number) * (binary === '' ? 1000 : 1024) ** power);
}
