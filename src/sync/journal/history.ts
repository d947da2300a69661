import { type Journal } from './journal.ts';
import { type HistoryRecord, type JournalRecord } from './records.ts';

export interface HistoryFilter {
  /** A pattern for the whole name of image or target: `*` is anything, `?` one character. */
  readonly image?: string | undefined;
  readonly failed?: boolean | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** The newest so many; 0: all. */
  readonly limit: number;
}

/** What became of images, the newest last. Memory holds as many as the limit. */
export async function* readHistory(journal: Journal, filter: HistoryFilter): AsyncGenerator<HistoryRecord> {
  const { limit } = filter;
  const matches = matcherOf(filter);
  const ring: HistoryRecord[] = [];
  let count = 0;
  for await (const record of journal.records()) {
    if (!matches(record)) continue;
    if (limit === 0) yield record;
    else ring[count++ % limit] = record;
  }
  const oldest = count > limit && limit > 0 ? count % limit : 0;
  yield* ring.slice(oldest);
  yield* ring.slice(0, oldest);
}

function matcherOf({ image, failed, since }: HistoryFilter): (record: JournalRecord) => record is HistoryRecord {
  const pattern = image === undefined ? undefined : readPattern(image);
  return (record): record is HistoryRecord => {
    if (record.kind !== 'image' && record.kind !== 'pruned') return false;
    if (failed === true && record.outcome !== 'failed') return false;
    if (since !== undefined && Date.parse(record.time) < since) return false;
    return pattern === undefined || pattern(record.target) || (record.kind === 'image' && pattern(record.image));
  };
}

/** Pieces between stars are looked for one after the other: no pattern takes longer than the names are long. */
function readPattern(glob: string): (name: string) => boolean {
  const pieces = glob.split('*');
  const fits = (name: string, at: number, piece: string): boolean =>
    at + piece.length <= name.length && piece.split('').every((char, i) => char === '?' || char === name[at + i]);
  return (name) => {
    const [first = '', ...rest] = pieces;
    const last = rest.pop();
    if (last === undefined) return first.length === name.length && fits(name, 0, first);
    if (!fits(name, 0, first)) return false;
    let at = first.length;
    for (const piece of rest) {
      while (at <= name.length && !fits(name, at, piece)) at++;
      if (at > name.length) return false;
      at += piece.length;
    }
    return name.length - last.length >= at && fits(name, name.length - last.length, last);
  };
}
