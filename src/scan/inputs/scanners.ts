import { shellQuote } from '../../artifact/types/commands.ts';

/** The forms that an image is given in, each a directory of the output. */
export type Form = 'oci' | 'tar' | 'clair' | 'rootfs';

export const SCANNERS = [
  'trivy',
  'grype',
  'syft',
  'osv',
  'dockle',
  'snyk',
  'scout',
  'clair',
  'xray',
  'rootfs',
  'sbom',
] as const;
export type ScannerName = (typeof SCANNERS)[number];

/** A command that scans one input without a network. */
export interface ScanCommand {
  readonly scanner: string;
  /** The words; `>` and a file behind them where the scanner knows no option for its result. */
  readonly argv: readonly string[];
  /** Where the result comes to lie, from the directory of the output. */
  readonly result: string;
  /** The result is what the command prints. */
  readonly prints: boolean;
}

/** A command as a line of a shell. */
export function commandLine({ argv, result, prints }: ScanCommand): string {
  const words = argv.map(word).join(' ');
  return prints ? `${words} > ${shellQuote(result)}` : words;
}

/** Options are ours, and stay readable; everything else is quoted where it has to be. */
function word(text: string): string {
  return /^-[A-Za-z0-9_@%+=:,./-]*$/.test(text) ? text : shellQuote(text);
}

interface Scanner {
  readonly form: Form;
  readonly commands: (input: { readonly path: string; readonly stem: string }) => readonly ScanCommand[];
}

/** For Trivy from 0.59 on: databases and checks come from the cache, and nobody is called (spec/oci.md 4.3). */
const TRIVY_OFFLINE = [
  '--skip-db-update',
  '--skip-java-db-update',
  '--skip-check-update',
  '--offline-scan',
  '--quiet',
] as const;

/** What keeps scanners off the network, as variables of the environment (spec/oci.md 4.4, 4.5). */
export const OFFLINE: Readonly<Record<string, string>> = {
  GRYPE_DB_AUTO_UPDATE: 'false',
  GRYPE_DB_VALIDATE_AGE: 'false',
  GRYPE_CHECK_FOR_APP_UPDATE: 'false',
  SYFT_CHECK_FOR_APP_UPDATE: 'false',
  TRIVY_SKIP_VERSION_CHECK: 'true',
  TRIVY_DISABLE_TELEMETRY: 'true',
  DOCKLE_IGNORE_UPDATES: 'true',
  DOCKER_SCOUT_OFFLINE: 'true',
};

/** Where scanners look for their databases; OSV-Scanner by the first name up to 2.4, by the second since. */
export const DATABASE_VARIABLES = [
  'TRIVY_CACHE_DIR',
  'GRYPE_DB_CACHE_DIR',
  'OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY',
  'OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY',
] as const;

/** What programs say, and end well all the same, when they have no database for packages that they found. */
export const BLIND: Readonly<Record<string, string>> = { 'osv-scanner': 'could not load db for' };

function command(
  scanner: string,
  stem: string,
  argv: (result: string) => readonly string[],
  prints = false,
): ScanCommand {
  const result = `results/${stem}.${scanner}.json`;
  return { scanner, argv: argv(result), result, prints };
}

const TABLE: Readonly<Record<Exclude<ScannerName, 'sbom'>, Scanner>> = {
  trivy: {
    form: 'oci',
    commands: ({ path, stem }) => [
      command('trivy', stem, (result) => [
        'trivy',
        'image',
        '--input',
        path,
        ...TRIVY_OFFLINE,
        '--format',
        'json',
        '--output',
        result,
      ]),
    ],
  },
  grype: {
    form: 'oci',
    commands: ({ path, stem }) => [
      command('grype', stem, (result) => ['grype', `oci-dir:${path}`, '--output', 'json', '--file', result]),
    ],
  },
  syft: {
    form: 'oci',
    commands: ({ path, stem }) => [
      command('syft', stem, (result) => ['syft', 'scan', `oci-dir:${path}`, '--output', `syft-json=${result}`]),
    ],
  },
  scout: {
    form: 'oci',
    commands: ({ path, stem }) => [
      command('scout', stem, (result) => [
        'docker',
        'scout',
        'cves',
        `oci-dir://${path}`,
        '--format',
        'sarif',
        '--output',
        result,
      ]),
    ],
  },
  osv: {
    form: 'tar',
    commands: ({ path, stem }) => [
      command('osv', stem, (result) => [
        'osv-scanner',
        'scan',
        'image',
        '--archive',
        path,
        '--offline',
        '--format',
        'json',
        '--output',
        result,
      ]),
    ],
  },
  dockle: {
    form: 'tar',
    commands: ({ path, stem }) => [
      command('dockle', stem, (result) => ['dockle', '--input', path, '--format', 'json', '--output', result]),
    ],
  },
  snyk: {
    form: 'tar',
    commands: ({ path, stem }) => [
      command('snyk', stem, (result) => [
        'snyk',
        'container',
        'test',
        `docker-archive:${path}`,
        `--json-file-output=${result}`,
      ]),
    ],
  },
  xray: {
    form: 'tar',
    commands: ({ path, stem }) => [command('xray', stem, () => ['jf', 'scan', path, '--format', 'json'], true)],
  },
  clair: {
    form: 'clair',
    commands: ({ path, stem }) => [
      command('clair', stem, (result) => [
        'curl',
        '--silent',
        '--show-error',
        '--fail',
        '--header',
        'Content-Type: application/json',
        '--data',
        `@${path}`,
        '--output',
        result,
        CLAIR_URL,
      ]),
    ],
  },
  rootfs: {
    form: 'rootfs',
    commands: ({ path, stem }) => [
      command('trivy-rootfs', stem, (result) => [
        'trivy',
        'rootfs',
        ...TRIVY_OFFLINE,
        '--format',
        'json',
        '--output',
        result,
        path,
      ]),
      // Of a directory, Syft and Grype read what is source code, unless Syft is told that it is an image.
      command('syft-rootfs', stem, (result) => [
        'syft',
        'scan',
        `dir:${path}`,
        '--override-default-catalogers',
        'image',
        '--output',
        `syft-json=${result}`,
      ]),
      command('grype-rootfs', stem, (result) => ['grype', `dir:${path}`, '--output', 'json', '--file', result]),
    ],
  },
};

/** Replaced in `run.sh` by what its variable says. */
export const CLAIR_URL = 'http://127.0.0.1:6060/indexer/api/v1/index_report';

export function formOf(scanner: Exclude<ScannerName, 'sbom'>): Form {
  return TABLE[scanner].form;
}

export function imageCommands(
  scanner: Exclude<ScannerName, 'sbom'>,
  input: { readonly path: string; readonly stem: string },
): readonly ScanCommand[] {
  return TABLE[scanner].commands(input);
}

/** What Trivy does not read of them (0.69: `cyclonedx-xml scanning is not yet supported`); Grype reads all. */
const NOT_FOR_TRIVY: ReadonlySet<string> = new Set(['cyclonedx-xml', 'syft-json']);

/** For an SBOM that travels with an image. @param format as `takeDocument` calls it */
export function sbomCommands({
  path,
  stem,
  format,
}: {
  readonly path: string;
  readonly stem: string;
  readonly format: string;
}): readonly ScanCommand[] {
  const grype = command('grype-sbom', stem, (result) => [
    'grype',
    `sbom:${path}`,
    '--output',
    'json',
    '--file',
    result,
  ]);
  if (NOT_FOR_TRIVY.has(format)) return [grype];
  const trivy = command('trivy-sbom', stem, (result) => [
    'trivy',
    'sbom',
    ...TRIVY_OFFLINE.filter((flag) => flag !== '--skip-check-update'),
    '--format',
    'json',
    '--output',
    result,
    path,
  ]);
  return [grype, trivy];
}

/** For charts and other configuration, unpacked. */
export function configCommands({
  path,
  stem,
}: {
  readonly path: string;
  readonly stem: string;
}): readonly ScanCommand[] {
  return [
    command('trivy-config', stem, (result) => [
      'trivy',
      'config',
      '--skip-check-update',
      '--quiet',
      '--format',
      'json',
      '--output',
      result,
      path,
    ]),
  ];
}
