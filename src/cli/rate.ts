import { OclError } from '../core/errors.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

/** Bytes a second: a number, with K, M or G for 1024 of the unit before. @throws OCL_USAGE */
export function parseRate(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)([KMG]?)$/i.exec(text.trim()) ?? [];
  const rate = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (number !== '' && rate >= 1) return rate;
  throw new OclError(
    'OCL_USAGE',
    `Cannot limit the rate to ${JSON.stringify(text)}: it is bytes a second, such as 500K`,
    {
      hint: '--limit-rate 10M',
    },
  );
}
