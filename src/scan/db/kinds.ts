/** Databases of scanners that travel as artifacts (spec: trivy pkg/db, pkg/javadb, pkg/policy; grype db/v6). */
export const DATABASE_KINDS = ['trivy-db', 'trivy-java-db', 'trivy-checks', 'grype-db'] as const;
export type DatabaseKind = (typeof DATABASE_KINDS)[number];

export interface DatabaseFacts {
  readonly scanner: 'trivy' | 'grype';
  readonly name: string;
  readonly layerType: string | undefined;
  /** The last component of its title, where the media type does not tell it. */
  readonly title: RegExp;
  /** Where its scanner wants it, below the scanner's cache. */
  readonly directory: string;
  /** What must be in it; undefined: everything that is in it belongs to it. */
  readonly files: readonly [string, ...string[]] | undefined;
  /** The schema that scanners of today read; another is told of. */
  readonly schema: number;
  /** Trivy's options: leave it as it is, and where else to get it. */
  readonly skip: string | undefined;
  readonly repository: string | undefined;
}

export const DATABASES: Readonly<Record<DatabaseKind, DatabaseFacts>> = {
  'trivy-db': {
    scanner: 'trivy',
    name: 'vulnerability database of Trivy',
    layerType: 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip',
    title: /^(?:trivy-)?db\.tar\.gz$/,
    directory: 'db',
    files: ['trivy.db', 'metadata.json'],
    schema: 2,
    skip: '--skip-db-update',
    repository: '--db-repository',
  },
  'trivy-java-db': {
    scanner: 'trivy',
    name: 'Java database of Trivy',
    layerType: 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip',
    title: /^javadb\.tar\.gz$/,
    directory: 'java-db',
    files: ['trivy-java.db', 'metadata.json'],
    schema: 1,
    skip: '--skip-java-db-update',
    repository: '--java-db-repository',
  },
  'trivy-checks': {
    scanner: 'trivy',
    name: 'checks bundle of Trivy',
    layerType: 'application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip',
    title: /^bundle\.tar\.gz$/,
    directory: 'policy',
    files: undefined,
    schema: 2,
    skip: '--skip-check-update',
    repository: '--checks-bundle-repository',
  },
  'grype-db': {
    scanner: 'grype',
    name: 'vulnerability database of Grype',
    layerType: undefined,
    title: /^vulnerability(?:-db_v.*\.tar\.(?:zst|gz|xz)|\.db)$/,
    directory: '6',
    files: ['vulnerability.db'],
    schema: 6,
    skip: undefined,
    repository: undefined,
  },
};
