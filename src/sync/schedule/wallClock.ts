const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * What a clock on the wall shows, as the milliseconds since the epoch at which a clock in Greenwich shows the same.
 * @param zone IANA name; undefined: this machine's
 */
export function wallClock(instant: number, zone: string | undefined): number {
  if (zone === undefined) return instant - new Date(instant).getTimezoneOffset() * 60_000;
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
}

/** The moments at which a clock on the wall shows a time: none where it is put forward over it, two where it is put back. */
export function instantsOf(wall: number, zone: string | undefined): readonly number[] {
  const offsets = [wall - DAY, wall + DAY].map((near) => wallClock(near, zone) - near);
  const instants = [...new Set(offsets)].map((offset) => wall - offset);
  return instants.filter((instant) => wallClock(instant, zone) === wall).toSorted((a, b) => a - b);
}

const DAY = 24 * 3_600_000;

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}
