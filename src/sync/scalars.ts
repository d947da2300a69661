/**
 * How regsync's YAML parser reads an unquoted scalar into a text field, so that we can say where it differs from what is written.
 * Facts: spec/regsync.md 1.2 (each was run against the parser).
 */

/** The number that regsync's parser sees in an unquoted scalar; undefined when it stays a text. */
export function regsyncNumber(text: string): number | undefined {
  if (/^[+-]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (text.startsWith('_')) return undefined;
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  const based = /^0(?:x([0-9a-fA-F]+)|o([0-7]+)|b([01]+)|([0-7]+))$/.exec(digits);
  if (based !== null) {
    const [, hex, octal, binary, leadingZero] = based;
    if (hex !== undefined) return sign * Number.parseInt(hex, 16);
    if (binary !== undefined) return sign * Number.parseInt(binary, 2);
    return sign * Number.parseInt(octal ?? leadingZero ?? '0', 8);
  }
  if (/^(?:[1-9][0-9]*|0)$/.test(digits)) return BigInt(digits) > MAX_UINT64 ? undefined : sign * Number(digits);
  if (/^(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(digits)) return sign * Number(digits);
  return undefined;
}

const MAX_UINT64 = 18_446_744_073_709_551_615n;

/** The text that regsync makes of an unquoted scalar: `3.10` becomes `3.1`. */
export function regsyncText(text: string): string {
  const number = regsyncNumber(text);
  if (number === undefined) return text;
  if (/^[+-]?[1-9][0-9]*$/.test(text)) return text.replace(/^\+/, '');
  return goFloat(number);
}

/** Go's `%v` of a float64, or of an integer that came through as one. */
function goFloat(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (Number.isInteger(value) && power < 21) return BigInt(value).toString();
  if (power >= -4 && power < 6) return String(value);
  const digits = String(Math.abs(power)).padStart(2, '0');
  return `${mantissa}e${power < 0 ? '-' : '+'}${digits}`;
}
