import { parseBundleRecord, RECORD_ENTRY, type BundleRecord } from '../../core/bundleRecord.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Tarball } from '../../io/tarball.ts';

/** What an archive says of itself; undefined for a plain one. @throws as `parseBundleRecord` */
export async function readRecord(tarball: Tarball, path: string): Promise<BundleRecord | undefined> {
  const entry = tarball.find(RECORD_ENTRY);
  if (entry === undefined) return undefined;
  const what = `${RECORD_ENTRY} in ${path}`;
  return parseBundleRecord(await tarball.bytes(entry, LIMITS.indexBytes, what), what);
}
