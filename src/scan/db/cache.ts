import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent, OclError } from '../../core/errors.ts';
import { isObject, parseJson, type JsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { isoOf, timeOf, versionOf } from './database.ts';
import { DATABASE_KINDS, DATABASES, type DatabaseKind } from './kinds.ts';
import { type PlacedDatabase } from './place.ts';

const RECORDS: Readonly<Record<DatabaseKind, string>> = {
  'trivy-db': 'metadata.json',
  'trivy-java-db': 'metadata.json',
  'trivy-checks': 'metadata.json',
  'grype-db': 'import.json',
};

/** The databases in a scanner's cache, whoever put them there. A record that cannot be read is as good as none. */
export async function cachedDatabases(cache: string): Promise<readonly PlacedDatabase[]> {
  const found: PlacedDatabase[] = [];
  for (const kind of DATABASE_KINDS) {
    const placed = await cachedDatabase(cache, kind);
    if (placed !== undefined) found.push(placed);
  }
  return found;
}

async function cachedDatabase(cache: string, kind: DatabaseKind): Promise<PlacedDatabase | undefined> {
  const facts = DATABASES[kind];
  const directory = join(cache, facts.directory);
  const record = await readRecord(join(directory, RECORDS[kind]));
  const modified = await modifiedAt(join(directory, facts.files?.[0] ?? 'content'));
  if (record === undefined || modified === undefined) return undefined;
  // Records of checks and of Grype do not tell; what is placed here gets the time at which it was made.
  const byFile = kind === 'grype-db' || kind === 'trivy-checks';
  const updated = byFile ? modified : timeOf(record['UpdatedAt']);
  return {
    kind,
    directory,
    version: versionOf(record['Version'] ?? record['MajorVersion']),
    updatedAt: isoOf(updated),
    updatedBy: updated === undefined ? undefined : byFile ? 'file' : 'record',
    nextUpdate: isoOf(timeOf(record['NextUpdate'])),
    downloadedAt: isoOf(timeOf(record['DownloadedAt'])),
  };
}

async function readRecord(path: string): Promise<JsonObject | undefined> {
  try {
    if ((await stat(path)).size > LIMITS.configFile) return undefined;
    const value = parseJson(await readFile(path), path);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (isAbsent(error) || error instanceof OclError) return undefined;
    throw error;
  }
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
