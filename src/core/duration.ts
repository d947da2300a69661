const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A Go duration (`90m`, `1h30m`, `1.5s`) in milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return text === '0' ? 0 : undefined;
  let ms = 0;
  for (const [, amount = '0', unit = 'ms'] of (match[2] ?? '').matchAll(/([0-9.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    ms += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return match[1] === '-' ? -ms : ms;
}
