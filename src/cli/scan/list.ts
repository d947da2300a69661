import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { wantedName, type Reference } from '../../core/reference.ts';
import { ageText, refuseStale } from '../../scan/db/age.ts';
import { cachedDatabases } from '../../scan/db/cache.ts';
import { findDatabases } from '../../scan/db/find.ts';
import { isoOf, type DateEvidence } from '../../scan/db/database.ts';
import { madeInside } from '../../scan/db/inside.ts';
import { type DatabaseKind } from '../../scan/db/kinds.ts';
import { type Env } from '../env.ts';
import { formatTable } from '../render/format.ts';
import { candidates } from './candidates.ts';

interface ListedDatabase {
  /** A reference, or the directory in a scanner's cache. */
  readonly reference: string;
  readonly kind: DatabaseKind;
  readonly digest?: string;
  readonly version: string | undefined;
  readonly updatedAt: string | undefined;
  readonly updatedBy: DateEvidence | undefined;
  readonly nextUpdate?: string | undefined;
  readonly downloadedAt?: string | undefined;
}

/**
 * Databases with their ages.
 * @param maxAge milliseconds; with it the records in archives are read as well, since who packs a database anew dates it as he likes
 * @throws OCL_STALE after the list when one is older
 */
export async function listDatabases(
  references: readonly Reference[],
  { maxAge, read }: { readonly maxAge: number | undefined; readonly read: boolean },
  env: Env,
): Promise<void> {
  const listed: ListedDatabase[] = [];
  for (const reference of references) listed.push(...(await databasesIn(reference, read || maxAge !== undefined, env)));
  const now = env.clock.now();
  if (env.json) env.print(JSON.stringify(listed));
  else if (listed.length === 0) env.say('no databases of scanners');
  else
    env.print(
      formatTable(
        ['REFERENCE', 'DATABASE', 'VERSION', 'MADE', 'AGE', 'BY'],
        listed.map(({ reference, kind, version, updatedAt, updatedBy }) => [
          printable(reference),
          kind,
          printable(version ?? '-'),
          updatedAt?.slice(0, 16).replace('T', ' ') ?? '-',
          updatedAt === undefined ? '-' : ageText(now - Date.parse(updatedAt)),
          updatedBy ?? '-',
        ]),
      ),
    );
  if (maxAge !== undefined && listed.length === 0)
    throw new OclError('OCL_NOT_FOUND', 'Cannot tell the age of a database: there is none');
  for (const { reference, updatedAt } of listed)
    refuseStale(reference, updatedAt === undefined ? undefined : Date.parse(updatedAt), { now, maxAge });
}

async function databasesIn(reference: Reference, read: boolean, env: Env): Promise<readonly ListedDatabase[]> {
  if (reference.kind !== 'registry' && wantedName(reference) === undefined) {
    const cached = await cachedDatabases(reference.path);
    if (cached.length > 0) return cached.map(({ directory, ...facts }) => ({ reference: directory, ...facts }));
  }
  const found: ListedDatabase[] = [];
  for await (const { reference: name, source, database } of findDatabases(candidates([reference], env))) {
    const { kind, digest, version } = database;
    const inside = read ? await madeInside(source, database, env) : undefined;
    const made = inside ?? database.made;
    found.push({
      reference: name,
      kind,
      digest,
      version,
      updatedAt: isoOf(made),
      updatedBy: inside === undefined ? database.madeBy : 'record',
    });
  }
  return found;
}
