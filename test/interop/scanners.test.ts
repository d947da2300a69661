import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
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
import { runSkopeo, skopeo, workspace } from './support.ts';

const path = workspace();
// Building them takes longer than all other tests together: they are welcome where they happen to be.
const syft = peer('syft', { probe: ['version'], optional: true });
const trivy = peer('trivy', { optional: true });
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

it('gives each scanner one input a platform', () => {
  for (const form of ['oci', 'tar', 'clair', 'rootfs'])
    expect(inputs.filter((input) => input.form === form).map(({ platform }) => platform)).toEqual([
      'linux/amd64',
      'linux/arm64',
    ]);
});
