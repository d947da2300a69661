import { DATABASES, type DatabaseKind } from './kinds.ts';

/** How a scanner is started so that it asks nobody: options, and variables of its environment. */
export interface OfflineUse {
  readonly options: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What people should know before they start it. */
  readonly notes: readonly string[];
}

/** @param present the databases in the cache */
export function offlineTrivy(cache: string, present: ReadonlySet<DatabaseKind>): OfflineUse {
  const kinds = ['trivy-db', 'trivy-java-db', 'trivy-checks'] as const;
  const skip = kinds.flatMap((kind) => (present.has(kind) ? [DATABASES[kind].skip ?? ''] : []));
  const notes = kinds
    .filter((kind) => !present.has(kind))
    .map(
      (kind) =>
        `the ${DATABASES[kind].name} is not in ${cache}: Trivy would fetch it where it needs one; ${MISSING[kind]}`,
    );
  return { options: ['--cache-dir', cache, ...skip, ...QUIET], environment: {}, notes };
}

const MISSING = {
  'trivy-db': 'place it as well',
  'trivy-java-db': 'place it as well, where images hold jar files',
  'trivy-checks': 'place it as well, or add --skip-check-update for the checks that are built in',
} as const;

/** The network is left alone whatever is in the cache. */
const QUIET = ['--offline-scan', '--skip-version-check', '--disable-telemetry'] as const;

/**
 * Trivy with databases that `ocl serve` serves.
 * @param served where each is found: `127.0.0.1:5000/trivy-db:2`
 */
export function servedTrivy(served: ReadonlyMap<DatabaseKind, string>): OfflineUse {
  const options = [...served].flatMap(([kind, reference]) => {
    const { repository } = DATABASES[kind];
    return repository === undefined ? [] : [repository, reference];
  });
  return { options: [...options, '--insecure', ...QUIET], environment: {}, notes: [] };
}

/** Five days is what Grype allows itself; whoever carries databases decides with `--max-age`. */
export function offlineGrype(cache: string): OfflineUse {
  return {
    options: [],
    environment: {
      GRYPE_DB_CACHE_DIR: cache,
      GRYPE_DB_AUTO_UPDATE: 'false',
      GRYPE_DB_VALIDATE_AGE: 'false',
      GRYPE_CHECK_FOR_APP_UPDATE: 'false',
    },
    notes: [],
  };
}
