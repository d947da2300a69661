import { isObject, parseJson } from '../../core/json.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Source } from '../../core/store.ts';
import { layerMembers, type Layer } from '../rootfs/layers.ts';
import { timeOf, type Database } from './database.ts';
import { DATABASES } from './kinds.ts';

const RECORD = 'metadata.json';

/**
 * When the data of a database of Trivy was made, by the record in its archive: the archive is read to its end, without the disk, which
 * takes seconds. Other databases hold no such record.
 * @returns milliseconds since the epoch; undefined where the archive does not tell it
 * @throws the source's failures, OCL_DIGEST_MISMATCH, OCL_ARCHIVE_INVALID, OCL_LIMIT, OCL_DOCUMENT_INVALID
 */
export async function madeInside(
  source: Source,
  { kind, layer }: Database,
  { emit, signal }: { readonly emit: Emit; readonly signal?: AbortSignal | undefined },
): Promise<number | undefined> {
  if (DATABASES[kind].files?.includes(RECORD) !== true) return undefined;
  let made: number | undefined;
  const count = (bytes: number): void => {
    signal?.throwIfAborted();
    emit({ type: 'blob.bytes', blob: layer, bytes });
  };
  emit({ type: 'blob.start', blob: layer });
  const only: Layer = { number: 0, descriptor: layer, diffId: undefined };
  for await (const member of layerMembers(source, only, { budget: { bytes: LIMITS.scanDatabaseBytes }, count })) {
    if (member.name.replace(/^\.\//, '') !== RECORD) continue;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of member.body()) {
      size += chunk.length;
      if (size > LIMITS.configFile)
        throw new OclError(
          'OCL_LIMIT',
          `Cannot read the record of a database: it is larger than ${LIMITS.configFile} bytes`,
        );
      chunks.push(Buffer.from(chunk));
    }
    const record = parseJson(Buffer.concat(chunks), 'the record of a database');
    if (isObject(record)) made = timeOf(record['UpdatedAt']);
  }
  emit({ type: 'blob.done', blob: layer, outcome: 'streamed' });
  return made;
}
