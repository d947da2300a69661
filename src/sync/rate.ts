import { type JournalRecord } from './journal/records.ts';

/** Runs that are looked at, the newest. */
const RUNS = 5;
/** Bytes below which a run says little about the way. */
const LEAST = 1 << 20;

/**
 * Bytes a second of the last runs that brought something, all registries and waits together.
 *
 * @param records oldest first
 * @returns undefined when there were none
 */
export async function measuredRate(records: AsyncIterable<JournalRecord>): Promise<number | undefined> {
  const runs: { readonly bytes: number; readonly ms: number }[] = [];
  for await (const record of records) {
    if (record.kind !== 'end' || record.bytes < LEAST || record.ms === 0) continue;
    runs.push(record);
    if (runs.length > RUNS) runs.shift();
  }
  const sum = (key: 'bytes' | 'ms'): number => runs.reduce((total, run) => total + run[key], 0);
  return runs.length === 0 ? undefined : sum('bytes') / (sum('ms') / 1000);
}
