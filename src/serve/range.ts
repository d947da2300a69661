/** Inclusive offsets of one range, or what is to be answered instead. */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeAnswer = { kind: 'whole' };
const UNSATISFIABLE: RangeAnswer = { kind: 'unsatisfiable' };
const SINGLE = /^bytes=\s*([0-9]*)-([0-9]*)\s*$/i;

/**
 * What a `Range` header asks of `size` bytes (RFC 9110 section 14). One range only: several would let a small request make much work, so they
 * are answered with the whole, as is another unit.
 */
export function readRange(header: string | undefined, size: number): RangeAnswer {
  const match = header === undefined ? null : SINGLE.exec(header);
  if (match === null) return WHOLE;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return WHOLE;
  if (from === '') {
    const last = Math.min(Number(to), size);
    return last === 0 ? UNSATISFIABLE : { kind: 'part', start: size - last, end: size - 1 };
  }
  const start = Number(from);
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  return start >= size || end < start ? UNSATISFIABLE : { kind: 'part', start, end };
}

/** `Content-Range` of a chunk: `start-end`, inclusive, without unit (distribution-spec, "Pushing a blob in chunks"). */
export function readChunkRange(header: string): { readonly start: number; readonly end: number } | undefined {
  const match = /^([0-9]{1,16})-([0-9]{1,16})$/.exec(header.trim());
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]);
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start <= end ? { start, end } : undefined;
}
