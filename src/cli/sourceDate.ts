import { OclError } from '../core/errors.ts';

/**
 * The time of `SOURCE_DATE_EPOCH`, in RFC 3339 (reproducible-builds.org, "SOURCE_DATE_EPOCH"): what tools write in place of the time of day.
 * @throws OCL_USAGE when it is no count of seconds
 */
export function sourceDate(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const text = environment['SOURCE_DATE_EPOCH'];
  if (text === undefined || text === '') return undefined;
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime()))
    throw new OclError('OCL_USAGE', `Cannot use SOURCE_DATE_EPOCH=${text}: it must be seconds since 1970`);
  return date.toISOString().replace('.000Z', 'Z');
}
