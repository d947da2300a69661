import { OclError } from '../core/errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `1h`, `7d`, or seconds, as an option has it; in milliseconds. @throws OCL_USAGE */
export function toMilliseconds(text: string): number {
  const match = /^(\d+)([smhd]?)$/.exec(text);
  if (match === null)
    throw new OclError('OCL_USAGE', `Cannot read the duration ${JSON.stringify(text)}`, {
      hint: 'write it like 90s, 30m, 1h or 7d',
    });
  return Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 1000);
}
