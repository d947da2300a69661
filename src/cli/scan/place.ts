import { shellQuote } from '../../artifact/types/commands.ts';
import { OclError } from '../../core/errors.ts';
import { tagOf } from '../../core/names.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, type Reference } from '../../core/reference.ts';
import { agoText, refuseStale } from '../../scan/db/age.ts';
import { cachedDatabases } from '../../scan/db/cache.ts';
import { databasesFor, type FoundDatabase } from '../../scan/db/find.ts';
import { DATABASES, type DatabaseKind } from '../../scan/db/kinds.ts';
import { madeInside } from '../../scan/db/inside.ts';
import { offlineGrype, offlineTrivy, servedTrivy, type OfflineUse } from '../../scan/db/offline.ts';
import { placeDatabase, type PlacedDatabase } from '../../scan/db/place.ts';
import { type Env } from '../env.ts';
import { candidates } from './candidates.ts';
import { nearby } from './nearby.ts';

type Scanner = 'trivy' | 'grype';

/** Puts the databases of a scanner into its cache, and says how the scanner is started then. */
export async function placeDatabases(
  references: readonly Reference[],
  {
    scanner,
    cache,
    maxAge,
  }: { readonly scanner: Scanner; readonly cache: string; readonly maxAge: number | undefined },
  env: Env,
): Promise<void> {
  const found = await required(references, scanner, env);
  // Of several, none is placed when one is too old.
  if (maxAge !== undefined && found.length > 1) for (const each of found) await refuseStaleInside(each, maxAge, env);
  const placed: (PlacedDatabase & { readonly reference: string; readonly digest: string })[] = [];
  for (const { reference, source, root, database } of found) {
    const { clock, emit, signal } = env;
    const options = { cache, name: reference, clock, maxAge, emit, signal };
    const put = await nearby(
      { source, image: root, name: reference },
      env,
      async (here) => await placeDatabase(here, database, options),
    );
    placed.push({ reference, digest: database.digest, ...put });
  }
  const present = new Set((await cachedDatabases(cache)).map(({ kind }) => kind));
  const use = scanner === 'trivy' ? offlineTrivy(cache, present) : offlineGrype(cache);
  const lines = placed.map(({ kind, directory, version, updatedAt }) => {
    const age = updatedAt === undefined ? '' : `, made ${agoText(env.clock.now() - Date.parse(updatedAt))}`;
    return `${directory}: the ${DATABASES[kind].name}${version === undefined ? '' : ` ${printable(version)}`}${age}`;
  });
  const variable = scanner === 'trivy' ? 'TRIVY_CACHE_DIR' : 'GRYPE_DB_CACHE_DIR';
  lines.push(`for a run.sh of ocl scan-input:  ${variable}=${shellQuote(cache)} sh run.sh ${scanner}`);
  tell({ scanner, cache, placed, lines, use }, env);
}

/** Says how Trivy gets its databases from `ocl serve`. */
export async function tellServed(
  references: readonly Reference[],
  { scanner, host, maxAge }: { readonly scanner: Scanner; readonly host: string; readonly maxAge: number | undefined },
  env: Env,
): Promise<void> {
  if (scanner === 'grype')
    throw new OclError(
      'OCL_UNSUPPORTED',
      'Cannot serve a database to Grype: it takes files alone, not artifacts of a registry',
      {
        hint: 'place it: --cache DIR',
      },
    );
  const served = new Map<DatabaseKind, string>();
  for (const each of await required(references, scanner, env)) {
    const { repository, root, database } = each;
    if (maxAge !== undefined) await refuseStaleInside(each, maxAge, env);
    const tag = tagOf(root);
    served.set(database.kind, `${host}/${repository}${tag === undefined ? `@${root.digest}` : `:${tag}`}`);
  }
  const place =
    references.map((reference) => (reference.kind === 'registry' ? formatReference(reference) : reference.path))[0] ??
    '';
  const lines = [`serve them:  ocl serve ${shellQuote(place)} --read-only --listen ${shellQuote(host)}`];
  tell({ scanner, served: Object.fromEntries(served), lines, use: servedTrivy(served) }, env);
}

async function refuseStaleInside(
  { reference, source, database }: FoundDatabase,
  maxAge: number,
  env: Env,
): Promise<void> {
  const made = (await madeInside(source, database, env)) ?? database.made;
  refuseStale(reference, made, { now: env.clock.now(), maxAge });
}

async function required(
  references: readonly Reference[],
  scanner: Scanner,
  env: Env,
): Promise<readonly FoundDatabase[]> {
  const found = await databasesFor(scanner, candidates(references, env));
  if (found.length > 0) return found;
  const places = references.map(formatReference).join(' ');
  throw new OclError('OCL_NOT_FOUND', `Cannot find a database for ${scanner} in ${places}`, {
    hint: `ocl scan-db ls ${places}`,
  });
}

interface Told {
  readonly scanner: Scanner;
  readonly lines: readonly string[];
  readonly use: OfflineUse;
  readonly [key: string]: unknown;
}

function tell({ lines, use, ...facts }: Told, env: Env): void {
  const { options, environment, notes } = use;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${shellQuote(value)}`);
  const words = facts.scanner === 'trivy' ? ['trivy', 'image', ...options.map(word), 'IMAGE'] : ['grype', 'IMAGE'];
  const command = [...variables, ...words].join(' ');
  if (env.json) {
    env.print(JSON.stringify({ type: 'summary', ...facts, options, environment, command, notes }));
    return;
  }
  env.say(
    [
      ...lines,
      ...notes.map((note) => `note: ${printable(note)}`),
      'start the scanner without a network like this:',
    ].join('\n'),
  );
  env.print(command);
}

/** Options stay readable; what comes from outside is quoted where it has to be. */
function word(text: string): string {
  return /^--[a-z-]+$/.test(text) ? text : shellQuote(text);
}
