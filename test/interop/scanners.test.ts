import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Platform } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
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

const ARM64: Platform = { os: 'linux', architecture: 'arm64' };

/** What Alpine's package manager keeps, so that scanners find packages: one more for the second platform. */
function alpine(architecture: string, packages: readonly string[]): Uint8Array {
  const installed = packages.map(
    (name, i) =>
      `C:Q1${'A'.repeat(26)}=\nP:${name}\nV:1.${i}.0-r0\nA:${architecture}\nS:1\nI:1\nT:${name}\nU:https://example.test\nL:MIT\no:${name}\nm:A <a@example.test>\nt:1700000000\nc:${'0'.repeat(40)}\n`,
  );
  return rawTar([
    { name: 'etc/', type: '5', mode: 0o755 },
    { name: 'etc/alpine-release', body: '3.20.3\n' },
    { name: 'etc/os-release', body: 'ID=alpine\nVERSION_ID=3.20.3\nNAME="Alpine Linux"\n' },
    { name: 'lib/', type: '5', mode: 0o755 },
    { name: 'lib/apk/', type: '5', mode: 0o755 },
    { name: 'lib/apk/db/', type: '5', mode: 0o755 },
    { name: 'lib/apk/db/installed', body: `${installed.join('\n')}\n` },
  ]);
}

function platformOf(platform: Platform, packages: readonly string[]): Graph {
  const architecture = platform.architecture === 'amd64' ? 'x86_64' : 'aarch64';
  return image({ platform, layers: [piece(alpine(architecture, packages), MEDIA.ociLayer)] });
}

interface Input {
  readonly form: string;
  readonly path: string;
  readonly platform: string | null;
}

const inputs: Input[] = [];

beforeAll(async () => {
  const images = [platformOf(AMD64, ['musl', 'busybox']), platformOf(ARM64, ['musl', 'busybox', 'zlib'])];
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

function count(tool: Peer, args: readonly string[], member: string): number {
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', TRIVY_CACHE_DIR: path('cache'), HOME: path('home') };
  const document = JSON.parse(tool.run(args, { env })) as Record<string, readonly { type?: string; purl?: string }[]>;
  return (document[member] ?? []).filter(({ type, purl }) => type === 'apk' || purl?.startsWith('pkg:apk/') === true)
    .length;
}

const ARCHITECTURES = [
  ['amd64', 2],
  ['arm64', 3],
] as const;

describe.skipIf(syft.missing || skopeo.missing)(`what Syft finds${syft.note}${skopeo.note}`, () => {
  it.each(ARCHITECTURES)(
    'in each form of the image for %s is what it finds in a docker archive of skopeo',
    async (architecture, packages) => {
      const inForm = (source: string): number =>
        count(syft, ['scan', source, '--output', 'syft-json', '--quiet'], 'artifacts');
      expect(inForm(`docker-archive:${await bySkopeo(architecture)}`)).toBe(packages);
      expect(inForm(`oci-dir:${found('oci', architecture)}`)).toBe(packages);
      expect(inForm(`docker-archive:${found('tar', architecture)}`)).toBe(packages);
      expect(inForm(`oci-archive:${found('tar', architecture)}`)).toBe(packages);
      expect(inForm(`dir:${found('rootfs', architecture)}`)).toBe(packages);
    },
  );
});

describe.skipIf(trivy.missing || skopeo.missing)(`what Trivy finds${trivy.note}${skopeo.note}`, () => {
  it.each(ARCHITECTURES)(
    'in each form of the image for %s is what it finds in a docker archive of skopeo',
    async (architecture, packages) => {
      const inForm = (...source: readonly string[]): number =>
        count(
          trivy,
          [
            ...source,
            '--format',
            'cyclonedx',
            '--quiet',
            '--offline-scan',
            '--skip-db-update',
            '--skip-java-db-update',
          ],
          'components',
        );
      expect(inForm('image', '--input', await bySkopeo(architecture))).toBe(packages);
      expect(inForm('image', '--input', found('oci', architecture))).toBe(packages);
      expect(inForm('image', '--input', found('tar', architecture))).toBe(packages);
      expect(inForm('rootfs', found('rootfs', architecture))).toBe(packages);
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
