import { OclError } from '../../core/errors.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Source } from '../../core/store.ts';
import { readDatabase, type Database } from './database.ts';
import { DATABASES, type DatabaseKind } from './kinds.ts';

/** A name, and what it stands for. */
interface Named {
  readonly reference: string;
  /** Its path in a registry that serves the place. */
  readonly repository: string;
  readonly source: Source;
  readonly root: Descriptor;
}

/** A database in the place where it lies. */
export interface FoundDatabase extends Named {
  readonly database: Database;
}

/** Something that may be a database. */
export interface Candidate extends Named {
  /** It was asked for by its name, and not as a part of a place. */
  readonly named: boolean;
}

/** Every database that is known. @throws the sources' failures */
export async function* findDatabases(candidates: AsyncIterable<Candidate>): AsyncGenerator<FoundDatabase> {
  for await (const { named: _named, ...image } of candidates) {
    const database = await readDatabase(image.source, image.root);
    if (database !== undefined) yield { ...image, database };
  }
}

/**
 * The databases of one scanner, of each kind the newest.
 * @throws OCL_UNSUPPORTED when something else was asked for by its name, OCL_UNSAFE
 */
export async function databasesFor(
  scanner: 'trivy' | 'grype',
  candidates: AsyncIterable<Candidate>,
): Promise<readonly FoundDatabase[]> {
  const newest = new Map<DatabaseKind, FoundDatabase>();
  for await (const { named, ...image } of candidates) {
    const database = await readDatabase(image.source, image.root, named ? scanner : undefined);
    if (database === undefined || DATABASES[database.kind].scanner !== scanner) {
      if (named) throw notFor(scanner, image.reference, database);
      continue;
    }
    const before = newest.get(database.kind);
    if (before === undefined || (database.made ?? 0) > (before.database.made ?? 0))
      newest.set(database.kind, { ...image, database });
  }
  return [...newest.values()];
}

function notFor(scanner: string, name: string, database: Database | undefined): OclError {
  if (database === undefined)
    return new OclError('OCL_UNSUPPORTED', `Cannot use ${name} as a database: it is none that is known`, {
      hint: `ocl inspect ${name} shows what it is`,
    });
  const facts = DATABASES[database.kind];
  return new OclError('OCL_UNSUPPORTED', `Cannot use ${name} for ${scanner}: it is the ${facts.name}`, {
    hint: `ocl scan-db place ${name} --for ${facts.scanner} --cache DIR`,
  });
}
