import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type CheckReport } from '../../src/copy/check.ts';
import { type Listed } from '../../src/artifact/list.ts';
import { jsonLines, oclDone } from '../support/cli.ts';
import { type Content } from '../support/content.ts';
import { peer } from '../support/peers.ts';
import { partsOf } from '../support/shop.ts';

export const skopeo = peer('skopeo');
export const umoci = peer('umoci');
export const tar = peer('tar');

/** Paths in a directory that is gone after the tests of the file. */
export function workspace(): (...names: readonly string[]) => string {
  const root = mkdtempSync(join(tmpdir(), 'ocl-interop-'));
  afterAll(() => rm(root, { recursive: true, force: true }));
  return (...names) => join(root, ...names);
}

/** skopeo as on a machine without a policy, choosing linux/amd64 from an index wherever it runs. */
export function runSkopeo(...args: readonly string[]): string {
  return skopeo.run(['--insecure-policy', '--override-os', 'linux', '--override-arch', 'amd64', ...args]);
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The digest of what skopeo takes for the manifest. */
export function skopeoDigest(place: string, ...options: readonly string[]): string {
  return sha256(runSkopeo('inspect', '--raw', ...options, place));
}

/** What `skopeo copy --all` brings into a directory: the digest of the root, and of all files, each hashed again. */
export function skopeoTakes(
  place: string,
  directory: string,
  ...options: readonly string[]
): { readonly root: string; readonly digests: readonly string[] } {
  runSkopeo('copy', '--quiet', '--all', '--preserve-digests', ...options, place, `dir:${directory}`);
  const files = readdirSync(directory).filter((name) => name !== 'version');
  const digests = files.map((name) => sha256(readFileSync(join(directory, name))));
  for (const [i, name] of files.entries())
    if (/^[0-9a-f]{64}/.test(name) && digests[i] !== `sha256:${name.slice(0, 64)}`)
      throw new Error(`skopeo wrote ${name} with ${digests[i]}`);
  return { root: sha256(readFileSync(join(directory, 'manifest.json'))), digests: [...new Set(digests)].toSorted() };
}

/** The digests of all that an image is made of, sorted. */
export function reach(content: Content, root: Descriptor): readonly string[] {
  return [...new Set(partsOf(content, root).map(({ digest }) => digest))].toSorted();
}

/** Each image that `ocl ls` shows, with its digest. */
export async function listed(place: string, ...options: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await oclDone(['ls', place, '--json', ...options]);
  const images = jsonLines<readonly Listed[]>(stdout).flat();
  const problem = images.find((image) => image.problem !== undefined);
  if (problem !== undefined) throw new Error(`${problem.reference} is damaged: ${JSON.stringify(problem.problem)}`);
  return Object.fromEntries(images.map(({ reference, digest }) => [reference, digest]));
}

/** What `ocl check` says of one place; it fails when there is damage. */
export async function checked(place: string): Promise<CheckReport> {
  const { stdout } = await oclDone(['check', place, '--json']);
  const report = jsonLines<CheckReport & { readonly type: string }>(stdout).find(({ type }) => type === 'check');
  if (report === undefined) throw new Error(`ocl check ${place} does not report`);
  return report;
}

/** The digests of what refers to an image, as `ocl referrers` tells, sorted. */
export async function referrersOf(reference: string, ...options: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await oclDone(['referrers', reference, '--json', ...options]);
  return jsonLines<readonly Descriptor[]>(stdout)
    .flat()
    .map(({ digest }) => digest)
    .toSorted();
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export interface ManifestJson {
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A manifest as `ocl` prints it. */
export async function manifestOf(reference: string): Promise<ManifestJson> {
  return JSON.parse((await oclDone(['manifest', 'get', reference])).stdout) as ManifestJson;
}

/** What `cosign sign` puts under the tag `sha256-….sig`: a config like that of an image, and layers that are none. */
export function cosignSignature(content: Content, of: Descriptor): Descriptor {
  const payload = JSON.stringify({ critical: { image: { 'docker-manifest-digest': of.digest } } });
  const layer = content.add(payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  const config = content.json(
    { architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } },
    MEDIA.ociConfig,
  );
  const layers = [{ ...layer, annotations: { 'dev.cosignproject.cosign/signature': 'MEUCIQ==' } }];
  return content.json({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers }, MEDIA.ociManifest);
}
