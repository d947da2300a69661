import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The floors of the house are lint rules. Here each of them is seen red once, in a house of paper that has the real
// rules: `no` must be reported, `yes` must not.
interface Case {
  readonly no: readonly string[];
  readonly yes: readonly string[];
}
const HOMELESS = [
  'yargs',
  'cli-progress',
  'tar',
  'p-limit',
  'undici',
  'yaml',
  'fs-extra',
  'fflate',
  'fzstd',
  'xxhash-wasm',
  'yauzl',
];
const ROOMS = [
  'core',
  'io',
  'stores/layout',
  'copy',
  'artifact',
  'sync',
  'bundle',
  'mesh',
  'scan',
  'sign',
  'serve',
  'cli',
];
const TOP = ['../index.ts', '../stores.ts'];
const without = (all: readonly string[], ...some: readonly string[]): string[] =>
  all.filter((one) => !some.includes(one));
const room = (up: string, names: readonly string[]): string[] => names.map((name) => `${up}${name}/x.ts`);

const CASES: Record<string, Case> = {
  'src/core/a.ts': {
    no: ['node:fs', 'node:path', 'semver', ...HOMELESS, ...TOP, ...room('../', without(ROOMS, 'core'))],
    yes: ['zod', './b.ts', './deep/b.ts'],
  },
  'src/io/a.ts': {
    no: [
      ...without(HOMELESS, 'undici', 'fs-extra', 'fflate', 'fzstd', 'xxhash-wasm', 'yauzl'),
      'tar/create',
      ...TOP,
      ...room('../', without(ROOMS, 'core', 'io')),
    ],
    yes: [
      'node:fs',
      'undici',
      'fs-extra',
      'fflate',
      'xxhash-wasm',
      'fzstd',
      'yauzl',
      '@noble/hashes/blake3.js',
      './b.ts',
      '../core/x.ts',
    ],
  },
  'src/io/tarball.ts': {
    no: ['yaml', 'yargs', ...room('../', ['copy', 'stores/memory'])],
    yes: ['tar', '../core/x.ts'],
  },
  'src/io/yaml.ts': { no: ['tar', 'yargs', ...room('../', ['copy', 'stores/memory'])], yes: ['yaml', '../core/x.ts'] },
  'src/io/yamlEdit.ts': { no: ['tar', 'yargs', ...room('../', ['copy'])], yes: ['yaml', '../core/x.ts'] },
  'src/stores/layout/a.ts': {
    no: [
      ...HOMELESS,
      '../memory/x.ts',
      '../../stores/memory/x.ts',
      '../../stores.ts',
      '../../index.ts',
      ...room('../../', without(ROOMS, 'core', 'io')),
    ],
    yes: ['node:fs', './b.ts', '../../core/x.ts', '../../io/x.ts'],
  },
  'src/stores/registry/auth/a.ts': {
    no: [
      ...HOMELESS,
      '../diagnose/x.ts',
      '../../memory/x.ts',
      '../../../stores.ts',
      ...room('../../../', without(ROOMS, 'core', 'io')),
    ],
    yes: ['node:fs', './b.ts', '../client.ts', '../transfer/x.ts', ...room('../../../', ['core', 'io'])],
  },
  'src/stores/archive/a.ts': {
    no: [...without(HOMELESS, 'tar'), '../layout/x.ts', '../../copy/x.ts'],
    yes: ['tar', './b.ts', '../../core/x.ts', '../../io/x.ts'],
  },
  'src/copy/a.ts': {
    no: [
      ...without(HOMELESS, 'p-limit'),
      ...TOP,
      ...room('../', without(ROOMS, 'core', 'io', 'copy')),
      '../stores/memory/x.ts',
    ],
    yes: ['p-limit', './b.ts', '../core/x.ts', '../io/x.ts'],
  },
  'src/artifact/a.ts': {
    no: [...without(HOMELESS, 'tar'), ...TOP, ...room('../', without(ROOMS, 'core', 'io', 'copy', 'artifact'))],
    yes: ['tar', './b.ts', ...room('../', ['core', 'io', 'copy', 'stores/memory'])],
  },
  'src/artifact/cnab/a.ts': {
    no: [
      ...HOMELESS,
      '../types/x.ts',
      '../../stores.ts',
      '../../index.ts',
      ...room('../../', without(ROOMS, 'core', 'io', 'copy', 'artifact')),
    ],
    yes: ['zod', './b.ts', '../reads.ts', ...room('../../', ['core', 'io', 'copy', 'stores/memory'])],
  },
  ...Object.fromEntries(
    ['sync', 'bundle', 'mesh', 'scan', 'sign', 'serve'].map((feature) => [
      `src/${feature}/a.ts`,
      {
        no: [
          ...(feature === 'sync' ? without(HOMELESS, 'p-limit') : HOMELESS),
          ...TOP,
          '../stores/memory/x.ts',
          ...room('../', without(ROOMS, 'core', 'io', 'copy', 'artifact', feature)),
        ],
        yes: [
          'zod',
          './b.ts',
          ...room('../', ['core', 'io', 'copy', 'artifact']),
          ...(feature === 'sync' ? ['p-limit'] : []),
        ],
      },
    ]),
  ),
  'src/sync/server/a.ts': {
    no: [
      ...HOMELESS,
      '../../stores.ts',
      '../journal/x.ts',
      '../template/x.ts',
      ...room('../../', ['copy', 'serve', 'cli']),
    ],
    yes: ['./b.ts', '../run.ts', '../schedule/x.ts', ...room('../../', ['core', 'io'])],
  },
  ...Object.fromEntries(
    ['inputs', 'db'].map((part) => [
      `src/scan/${part}/a.ts`,
      {
        no: [...HOMELESS, '../../stores.ts', ...room('../../', ['stores/memory', 'bundle', 'sync', 'serve', 'cli'])],
        yes: ['./b.ts', '../x.ts', '../rootfs/x.ts', ...room('../../', ['core', 'io', 'artifact', 'copy'])],
      },
    ]),
  ),
  'src/stores.ts': {
    no: [...HOMELESS, './index.ts', './cli/x.ts', '../test/x.ts'],
    yes: room('./', without(ROOMS, 'cli')),
  },
  'src/index.ts': {
    no: [...HOMELESS, './cli/x.ts', '../test/x.ts'],
    yes: ['./stores.ts', ...room('./', without(ROOMS, 'cli'))],
  },
  'src/cli/a.ts': {
    no: [...without(HOMELESS, 'yargs', 'cli-progress'), 'ocl'],
    yes: ['yargs', 'yargs/helpers', 'cli-progress', ...TOP, ...room('../', ROOMS)],
  },
  'src/cli/commands/a.ts': { no: ['tar', 'undici'], yes: ['yargs', '../../stores.ts', ...room('../../', ROOMS)] },
  'src/newroom/a.ts': { no: [...HOMELESS, ...TOP, '../io/x.ts', '../sync/x.ts'], yes: ['./b.ts', '../core/x.ts'] },
};
// Ways around a rule that reads paths, and the ways to import.
const DETOURS = ['../core/../bundle/x.ts', './../bundle/x.ts', './y/../../bundle/x.ts', '../../src/bundle/x.ts', 'ocl'];
const FORMS = [
  "import '../bundle/x.ts';",
  "import { a } from '../bundle/x.ts';",
  "import type { B } from '../bundle/x.ts';",
  "export * from '../bundle/x.ts';",
  "export { c } from '../bundle/x.ts';",
  "export const d = await import('../bundle/x.ts');",
];

const project = fileURLToPath(new URL('..', import.meta.url));
let house = '';
let reported = new Map<string, Set<number>>();

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'ocl-floors-'));
  const config = readConfig();
  // Imports need no types, and tsgolint would look for a tsconfig.
  writeFileSync(join(house, '.oxlintrc.json'), JSON.stringify({ ...config, options: { typeAware: false } }));
  for (const [file, { no, yes }] of Object.entries(CASES))
    lay(
      file,
      [...no, ...yes].map((name) => `import '${name}';`),
    );
  lay(
    'src/serve/detours.ts',
    DETOURS.map((name) => `import '${name}';`),
  );
  lay('src/serve/forms.ts', FORMS);
  lay('src/core/types.ts', ["import { type Readable } from 'node:stream';", "import { pipeline } from 'node:stream';"]);
  reported = lint();
});
afterAll(() => rmSync(house, { recursive: true, force: true }));

describe('floors', () => {
  it.each(Object.entries(CASES))('%s is held to its floor', (file, { no, yes }) => {
    const lines = reported.get(file) ?? new Set();
    const names = [...no, ...yes];
    expect(names.filter((_, i) => lines.has(i + 1))).toEqual(no);
  });

  it('sees through detours', () => {
    expect(reported.get('src/serve/detours.ts')).toEqual(new Set(DETOURS.map((_, i) => i + 1)));
  });

  it('sees every form of import', () => {
    expect(reported.get('src/serve/forms.ts')).toEqual(new Set(FORMS.map((_, i) => i + 1)));
  });

  it('lets core name the types of node:stream, and nothing that runs', () => {
    expect(reported.get('src/core/types.ts')).toEqual(new Set([2]));
  });

  it('names every room that exists', () => {
    const named = readConfig().overrides.flatMap(({ files }) => files);
    const rooms = readdirSync(join(project, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(rooms.map(({ name }) => `src/${name}/**/*.ts`).filter((glob) => !named.includes(glob))).toEqual([]);
  });
});

function readConfig(): { overrides: { files: string[] }[] } {
  return JSON.parse(readFileSync(join(project, '.oxlintrc.json'), 'utf8')) as { overrides: { files: string[] }[] };
}

function lay(file: string, lines: readonly string[]): void {
  mkdirSync(dirname(join(house, file)), { recursive: true });
  writeFileSync(join(house, file), `${lines.join('\n')}\n`);
}

function lint(): Map<string, Set<number>> {
  const home = dirname(createRequire(import.meta.url).resolve('oxlint/package.json'));
  const args = [join(home, 'bin', 'oxlint'), '--format=json', 'src'];
  const { stdout } = spawnSync(process.execPath, args, { cwd: house, encoding: 'utf8', maxBuffer: 1 << 28 });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
  };
  const found = new Map<string, Set<number>>();
  for (const { code, filename, labels } of diagnostics) {
    if (code !== 'eslint(no-restricted-imports)') continue;
    const file = filename.replaceAll('\\', '/');
    found.set(file, (found.get(file) ?? new Set()).add(labels[0]?.span.line ?? 0));
  }
  return found;
}
