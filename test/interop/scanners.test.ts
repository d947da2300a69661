import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Platform } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { jsonLines, oclDone } from '../support/cli.ts';
import { AMD64, attestation, image, index, piece, put, sbom, signature, type Graph } from '../support/graphs.ts';
import { newLayout } from '../support/layoutTools.ts';
import { peer, type Peer } from '../support/peers.ts';
import { rawTar } from '../support/tarCases.ts';
import { zipOf } from '../support/zips.ts';
import { runSkopeo, skopeo, workspace } from './support.ts';

const path = workspace();
// Building them takes longer than all other tests together: they are welcome where they happen to be.
const syft = peer('syft', { probe: ['version'], optional: true });
const trivy = peer('trivy', { optional: true });
const osv = peer('osv-scanner', { optional: true });
const sh = peer('sh', { probe: ['-c', ':'] });

const ARM64: Platform = { os: 'linux', architecture: 'arm64' };

/** What Debian's package manager keeps, as `dpkg` writes it. */
function status(architecture: string, packages: readonly string[]): string {
  const stanzas = packages.map(
    (name, i) =>
      `Package: ${name}\nStatus: install ok installed\nPriority: required\nSection: admin\nInstalled-Size: 10\nMaintainer: A <a@example.test>\nArchitecture: ${architecture}\nVersion: 1.${i}-2\nDescription: ${name}\n`,
  );
  return stanzas.join('\n');
}

/** What npm keeps of a package. */
const npm = (name: string) =>
  ({ name: `opt/app/node_modules/${name}/package.json`, body: JSON.stringify({ name, version: '1.0.0' }) }) as const;

/** A base, and above it a layer that takes packages away and adds one: whiteouts count, in every form. */
function platformOf(platform: Platform, installed: readonly string[]): Graph {
  const { architecture } = platform;
  const base = rawTar([
    { name: 'etc/os-release', body: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' },
    { name: 'etc/debian_version', body: '12.15\n' },
    {
      name: 'var/lib/dpkg/status',
      body: status(architecture, ['base-files', 'libc6', 'bash', 'perl-base', 'e2fsprogs']),
    },
    ...['undici', 'yaml', 'zod'].map(npm),
  ]);
  const upper = rawTar([
    { name: 'var/lib/dpkg/status', body: status(architecture, installed) },
    { name: 'opt/app/node_modules/.wh.zod', body: '' },
    { name: 'opt/app/node_modules/yaml/.wh..wh..opq', body: '' },
    npm('p-limit'),
  ]);
  const layers = [base, upper].map((tar) => piece(gzipSync(tar), MEDIA.ociLayerGzip));
  return image({ platform, layers, diffIds: [base, upper].map((tar) => digestOf(tar)) });
}

interface Input {
  readonly form: string;
  readonly path: string;
  readonly platform: string | null;
}

const inputs: Input[] = [];

beforeAll(async () => {
  const images = [platformOf(AMD64, ['base-files', 'libc6', 'bash']), platformOf(ARM64, ['base-files', 'libc6'])];
  const graph = index([...images, ...images.map(({ root }) => attestation(root))]);
  const layout = await newLayout(join(path('library'), 'app'));
  await put(layout, graph, '1.0');
  await put(layout, signature(graph.root), {});
  await put(layout, sbom(graph.root, '{"spdxVersion":"SPDX-2.3"}'), {});
  await layout.close();
  const { stdout } = await oclDone(['scan-input', path('library'), '--for', 'all', '-o', path('scan'), '--json']);
  inputs.push(...(jsonLines<{ inputs: Input[] }>(stdout).at(-1)?.inputs ?? []));
});

const found = (form: string, architecture: string): string =>
  join(
    path('scan'),
    inputs.find((input) => input.form === form && input.platform?.startsWith(`linux/${architecture}`))?.path ?? '',
  );

/** The same image as skopeo gives it to scanners. */
async function bySkopeo(architecture: string): Promise<string> {
  const file = path(`skopeo-${architecture}.tar`);
  if (existsSync(file)) return file;
  await mkdir(path('.'), { recursive: true });
  runSkopeo(
    'copy',
    '--override-os',
    'linux',
    '--override-arch',
    architecture,
    `oci:${join(path('library'), 'app')}:1.0`,
    `docker-archive:${file}:app:1.0`,
  );
  return file;
}

/** How many packages of each kind a scanner's document names. */
function counts(json: string): Readonly<Record<string, number>> {
  const document = JSON.parse(json) as Record<'artifacts' | 'components', readonly { readonly purl?: string }[]>;
  const found = { deb: 0, npm: 0 };
  for (const { purl } of document.artifacts ?? document.components) {
    const kind = /^pkg:(deb|npm)\//.exec(purl ?? '')?.[1];
    if (kind === 'deb' || kind === 'npm') found[kind]++;
  }
  return found;
}

function scan(tool: Peer, args: readonly string[]): Readonly<Record<string, number>> {
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', TRIVY_CACHE_DIR: path('cache'), HOME: path('home') };
  return counts(tool.run(args, { env }));
}

/** What a scanner writes where `run.sh` runs it. */
function byScript(scanner: string): readonly Readonly<Record<string, number>>[] {
  sh.run([join(path('scan'), 'run.sh'), scanner], { env: { HOME: path('home') } });
  const results = join(path('scan'), 'results');
  const files = readdirSync(results).filter((name) => name.endsWith(`.${scanner}.json`));
  return files.toSorted().map((name) => counts(readFileSync(join(results, name), 'utf8')));
}

const ARCHITECTURES = [
  ['amd64', { deb: 3, npm: 2 }],
  ['arm64', { deb: 2, npm: 2 }],
] as const;
const ALL = ARCHITECTURES.map(([, packages]) => packages);

describe.skipIf(syft.missing || skopeo.missing)(`what Syft finds${syft.note}${skopeo.note}`, () => {
  it.each(ARCHITECTURES)(
    'in archives of the image for %s is what it finds in one of skopeo',
    async (name, packages) => {
      const inForm = (source: string) => scan(syft, ['scan', source, '--output', 'syft-json', '--quiet']);
      expect(inForm(`docker-archive:${await bySkopeo(name)}`)).toEqual(packages);
      expect(inForm(`docker-archive:${found('tar', name)}`)).toEqual(packages);
      expect(inForm(`oci-archive:${found('tar', name)}`)).toEqual(packages);
    },
  );

  it.each(['syft', 'syft-rootfs'])('by run.sh %s is the same', (scanner) => {
    expect(byScript(scanner)).toEqual(ALL);
  });
});

const OFFLINE = ['--format', 'cyclonedx', '--quiet', '--offline-scan', '--skip-db-update', '--skip-java-db-update'];

describe.skipIf(trivy.missing || skopeo.missing)(`what Trivy finds${trivy.note}${skopeo.note}`, () => {
  it.each(ARCHITECTURES)(
    'in each form of the image for %s is what it finds in one of skopeo',
    async (name, packages) => {
      const inForm = (...source: readonly string[]) => scan(trivy, [...source, ...OFFLINE]);
      expect(inForm('image', '--input', await bySkopeo(name))).toEqual(packages);
      expect(inForm('image', '--input', found('oci', name))).toEqual(packages);
      expect(inForm('image', '--input', found('tar', name))).toEqual(packages);
      expect(inForm('rootfs', found('rootfs', name))).toEqual(packages);
    },
  );
});

/** Databases of OSV-Scanner with one made-up entry each, for what its versions up to 2.4 and those since look for. */
async function osvDatabases(): Promise<Readonly<Record<string, string>>> {
  const entry = (ecosystem: string, name: string) =>
    JSON.stringify({
      schema_version: '1.6.0',
      id: `MADE-UP-${name}`,
      modified: '2026-01-01T00:00:00Z',
      affected: [
        {
          package: { ecosystem, name },
          ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '9.0' }] }],
        },
      ],
    });
  const databases = { Debian: entry('Debian:12', 'bash'), npm: entry('npm', 'undici') };
  for (const directory of ['osv-scanner', 'osv-scalibr'])
    for (const [ecosystem, body] of Object.entries(databases)) {
      const place = path('osv', directory, ecosystem);
      await mkdir(place, { recursive: true });
      await writeFile(join(place, 'all.zip'), zipOf([{ name: 'entry.json', body }]));
    }
  return {
    OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: path('osv'),
    OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY: path('osv'),
    HOME: path('home'),
  };
}

interface OsvResult {
  readonly results: readonly {
    readonly packages: readonly {
      readonly package: { readonly name: string };
      readonly vulnerabilities?: readonly { readonly id: string }[];
    }[];
  }[];
}

/** `name: entries` of all packages that a document of OSV-Scanner names. */
function osvFindings(file: string): readonly string[] {
  const { results } = JSON.parse(readFileSync(file, 'utf8')) as OsvResult;
  return results
    .flatMap(({ packages }) => packages)
    .map(({ package: { name }, vulnerabilities = [] }) => `${name}: ${vulnerabilities.map(({ id }) => id).join()}`);
}

describe.skipIf(osv.missing || skopeo.missing)(`what OSV-Scanner finds${osv.note}${skopeo.note}`, () => {
  it.each([
    ['amd64', ['bash: MADE-UP-bash']],
    ['arm64', []],
  ])('in the archive for %s is what it finds in one of skopeo', async (name, wanted) => {
    const env = await osvDatabases();
    for (const archive of [await bySkopeo(name), found('tar', name)]) {
      const file = path('osv.json');
      osv.tries(['scan', 'image', '--archive', archive, '--offline', '--format', 'json', '--output', file], { env });
      expect(osvFindings(file)).toEqual(wanted);
    }
  });

  it('by run.sh is the same, and without databases no result at all', async () => {
    const script = join(path('scan'), 'run.sh');
    const blind = sh.tries([script, 'osv'], { env: { HOME: path('home') } });
    expect([blind.status, blind.stderr]).toEqual([1, expect.stringContaining('failed: osv lacks databases')]);
    sh.run([script, 'osv'], { env: await osvDatabases() });
    const results = join(path('scan'), 'results');
    const files = readdirSync(results).filter((file) => file.endsWith('.osv.json'));
    expect(files.toSorted().map((file) => osvFindings(join(results, file)))).toEqual([['bash: MADE-UP-bash'], []]);
  });
});

it('gives each scanner one input a platform', () => {
  for (const form of ['oci', 'tar', 'clair', 'rootfs'])
    expect(inputs.filter((input) => input.form === form).map(({ platform }) => platform)).toEqual([
      'linux/amd64',
      'linux/arm64',
    ]);
});
