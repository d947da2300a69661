import { constants } from 'node:fs';
import { lstat, mkdir, open, readFile, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock } from '../../core/clock.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { isObject, parseJson, type JsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Source } from '../../core/store.ts';
import { syncDirectory, TemporaryFile, writeFileAtomic } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';
import { verifyInto } from '../../io/verify.ts';
import { createXxh64 } from '../../io/xxhash.ts';
import { unpack } from '../rootfs/flatten.ts';
import { refuseStale } from './age.ts';
import { isoOf, timeOf, versionOf, type Database, type DateEvidence } from './database.ts';
import { DATABASES, type DatabaseFacts, type DatabaseKind } from './kinds.ts';
import { replaceContent, withWorkDirectory } from './workDirectory.ts';

export interface PlaceOptions {
  /** The scanner's cache: `--cache-dir` of Trivy, `GRYPE_DB_CACHE_DIR`. Made where it is missing. */
  readonly cache: string;
  /** How the artifact is called, in messages and for Grype's record. */
  readonly name: string;
  readonly clock: Clock;
  /** Milliseconds. */
  readonly maxAge?: number | undefined;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
}

/** A database in a scanner's cache. Times are those of ISO 8601. */
export interface PlacedDatabase {
  readonly kind: DatabaseKind;
  readonly directory: string;
  /** Its schema, or its version where that is all that it tells. */
  readonly version: string | undefined;
  /** When it was made. */
  readonly updatedAt: string | undefined;
  /** What tells that. */
  readonly updatedBy: DateEvidence | undefined;
  /** When its makers want to make the next one. */
  readonly nextUpdate: string | undefined;
  /** When it was placed. */
  readonly downloadedAt: string | undefined;
}

/**
 * Puts a database where its scanner looks for it, with the record that the scanner insists on. Files appear whole or not at all, and
 * others in the cache stay. Nothing is placed when it is too old.
 * @throws OCL_STALE, OCL_UNSUPPORTED (a schema that its scanner puts elsewhere), OCL_UNSAFE, OCL_ARCHIVE_INVALID, OCL_LIMIT,
 * OCL_DIGEST_MISMATCH, OCL_LOCKED, OCL_IO, …
 */
export async function placeDatabase(
  source: Source,
  database: Database,
  options: PlaceOptions,
): Promise<PlacedDatabase> {
  const facts = DATABASES[database.kind];
  const directory = join(options.cache, facts.directory);
  return await withWorkDirectory(directory, options, async (work) => {
    const content = join(work, 'content');
    await unpackDatabase(source, database, content, options);
    const placing = { database, facts, content, work, directory, options, now: options.clock.now() };
    const placed =
      database.kind === 'trivy-checks'
        ? await placeChecks(placing)
        : database.kind === 'grype-db'
          ? await placeGrype(placing)
          : await placeTrivy(placing);
    await syncDirectory(directory);
    return placed;
  });
}

interface Placing {
  readonly database: Database;
  readonly facts: DatabaseFacts;
  /** What was in the archive. */
  readonly content: string;
  readonly work: string;
  readonly directory: string;
  readonly options: PlaceOptions;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

async function unpackDatabase(
  source: Source,
  { layer, title }: Database,
  path: string,
  options: PlaceOptions,
): Promise<void> {
  if (title?.endsWith('.db') === true) {
    await mkdir(path);
    const file = await TemporaryFile.create(path, 0o644, 'vulnerability.db');
    try {
      await verifyInto(await source.open(layer), layer, async (chunk) => await file.write(chunk));
      await file.moveTo(file.path);
    } catch (error) {
      await file.discard();
      throw error;
    }
    return;
  }
  await unpack(source, [layer], path, {
    signal: options.signal,
    emit: options.emit,
    limits: { entries: LIMITS.scanDatabaseEntries, bytes: LIMITS.scanDatabaseBytes },
  });
}

async function placeTrivy(placing: Placing): Promise<PlacedDatabase> {
  const { database, facts, content, directory, options, now } = placing;
  const [data = '', record = ''] = facts.files ?? [];
  await requireFile(join(content, data), options.name);
  const metadata = await readRecord(join(content, record), options.name);
  const recorded = timeOf(metadata['UpdatedAt']);
  const updated = recorded ?? database.made;
  refuseStale(options.name, updated, { now, maxAge: options.maxAge });
  const version = versionOf(metadata['Version']);
  if (version !== String(facts.schema)) warnOfSchema(options, facts, version ?? 'unknown');
  const downloadedAt = new Date(now).toISOString();
  await moveFile(join(content, data), join(directory, data));
  // Without the time Trivy would take it for half a download, and fetch it anew.
  await writeRecord(join(directory, record), { ...metadata, DownloadedAt: downloadedAt });
  return {
    kind: database.kind,
    directory,
    version,
    updatedAt: isoOf(updated),
    updatedBy: recorded === undefined ? database.madeBy : 'record',
    nextUpdate: isoOf(timeOf(metadata['NextUpdate'])),
    downloadedAt,
  };
}

async function placeChecks({
  database,
  facts,
  content,
  work,
  directory,
  options,
  now,
}: Placing): Promise<PlacedDatabase> {
  refuseStale(options.name, database.made, { now, maxAge: options.maxAge });
  const major = Number(/^v?(\d+)\.\d+\.\d+/.exec(database.version ?? '')?.[1] ?? 0);
  if (major !== 0 && major !== facts.schema) warnOfSchema(options, facts, String(major));
  const downloadedAt = new Date(now).toISOString();
  if (database.made !== undefined) await utimes(content, database.made / 1000, database.made / 1000);
  const bytes = recordOf({
    Digest: database.digest,
    DownloadedAt: downloadedAt,
    MajorVersion: major,
    ...(major === 0 ? { CustomBuild: true } : {}),
  });
  await replaceContent({ directory, work }, { name: 'metadata.json', bytes });
  return {
    kind: database.kind,
    directory,
    version: database.version,
    updatedAt: isoOf(database.made),
    updatedBy: database.madeBy,
    nextUpdate: undefined,
    downloadedAt,
  };
}

/**
 * Grype builds indexes when it imports a database, and does so later as well when the record says that an older one imported it: the
 * record names the first version of the schema.
 */
const FIRST_CLIENT = 'v6.0.0';

async function placeGrype({ database, facts, content, directory, options, now }: Placing): Promise<PlacedDatabase> {
  const [data] = facts.files ?? ['vulnerability.db'];
  const model = /^vulnerability-db_v(\d+)\.(\d+\.\d+)_/.exec(database.title ?? '');
  if (model !== null && Number(model[1]) !== facts.schema)
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot place ${options.name}: it is a database of schema ${model[1]}, and this places schema ${facts.schema}`,
    );
  const from = join(content, data);
  const modified = await requireFile(from, options.name);
  const made = database.made ?? modified;
  refuseStale(options.name, made, { now, maxAge: options.maxAge });
  const digest = await hashFile(from, options.signal);
  if (made !== undefined) await utimes(from, made / 1000, made / 1000);
  await moveFile(from, join(directory, data));
  await writeRecord(join(directory, 'import.json'), {
    digest: `xxh64:${digest}`,
    source: options.name,
    client_version: FIRST_CLIENT,
  });
  return {
    kind: database.kind,
    directory,
    version: model === null ? undefined : `${model[1]}.${model[2]}`,
    updatedAt: isoOf(made),
    updatedBy: database.madeBy ?? (made === undefined ? undefined : 'file'),
    nextUpdate: undefined,
    downloadedAt: new Date(now).toISOString(),
  };
}

function warnOfSchema({ emit, name }: PlaceOptions, facts: DatabaseFacts, schema: string): void {
  const message = `${name} has schema ${schema}; the ${facts.name} that is known here has schema ${facts.schema}`;
  emit({ type: 'notice', level: 'warning', message });
}

/** When it was changed, in milliseconds since the epoch; undefined where that is the epoch. */
async function requireFile(path: string, name: string): Promise<number | undefined> {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const facts = await factsOf(path);
  if (facts?.isFile() && facts.size > 0) return facts.mtimeMs > 0 ? facts.mtimeMs : undefined;
  throw new OclError('OCL_ARCHIVE_INVALID', `Cannot place ${name}: there is no file ${file} in it`);
}

async function readRecord(path: string, name: string): Promise<JsonObject> {
  await requireFile(path, name);
  if ((await lstat(path)).size > LIMITS.configFile)
    throw new OclError('OCL_LIMIT', `Cannot place ${name}: its metadata is larger than ${LIMITS.configFile} bytes`);
  const value = parseJson(await readFile(path), `the metadata of ${name}`);
  if (isObject(value)) return value;
  throw new OclError('OCL_DOCUMENT_INVALID', `Cannot place ${name}: its metadata is no JSON object`);
}

async function writeRecord(path: string, record: object): Promise<void> {
  await writeFileAtomic(path, recordOf(record));
}

function recordOf(record: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(record)}\n`);
}

/** Under its name only when it is on the disk. */
async function moveFile(from: string, to: string): Promise<void> {
  const handle = await open(from, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(from, to);
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hasher = await createXxh64();
  const handle = await open(path, 'r');
  for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hasher.update(chunk as Buffer);
  }
  return hasher.digest();
}
