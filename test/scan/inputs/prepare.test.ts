import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtInTypes, TypeTable } from '../../../src/artifact/types/table.ts';
import { Copier } from '../../../src/copy/copier.ts';
import { type Descriptor, type Platform } from '../../../src/core/descriptor.ts';
import { silent } from '../../../src/core/events.ts';
import { entryName } from '../../../src/core/names.ts';
import { type LocalSource, type Stores } from '../../../src/core/store.ts';
import { Linker } from '../../../src/io/link.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { type NamedImage } from '../../../src/scan/inputs/found.ts';
import { prepareInputs, type ScanInputs } from '../../../src/scan/inputs/prepare.ts';
import { type ScannerName } from '../../../src/scan/inputs/scanners.ts';
import { createArchive } from '../../../src/stores/archive/writer.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { openLayout, openOrCreateLayout } from '../../../src/stores/layout/layout.ts';
import { createMemory, type MemoryStore } from '../../../src/stores/memory/store.ts';
import {
  AMD64,
  ARM64,
  artifact,
  foreignImage,
  image,
  index,
  jsonPiece,
  multiPlatform,
  noise,
  opening,
  piece,
  put,
  rootBytes,
  sbom,
  signature,
} from '../../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories, treeOf } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const SPDX = JSON.stringify({ spdxVersion: 'SPDX-2.3', name: 'parts' });
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** The two kinds of sinks that inputs are written to; nothing else is ever asked for. */
const stores = {
  sink: async (reference: { kind: string; path: string }) =>
    reference.kind === 'layout'
      ? await openOrCreateLayout(reference.path, layoutOptions({ linker: new Linker() }))
      : createArchive({ path: reference.path }, { emit: silent }),
} as unknown as Stores;

async function* named(...sources: readonly LocalSource[]): AsyncGenerator<NamedImage> {
  for (const source of sources)
    for (const root of await source.roots())
      yield { reference: `app:${entryName(root).tag ?? root.digest}`, repository: 'app', source, root };
}

const addressOf = (registry: string): URL => new URL(`http://${registry}/`);

async function prepare(
  sources: readonly LocalSource[],
  scanners: readonly ScannerName[],
  platforms: readonly Platform[] = [],
  servedAt: string | null = 'http://registry.test/',
): Promise<ScanInputs & { readonly directory: string }> {
  const directory = join(await temporary(), 'scan');
  const inputs = await prepareInputs(named(...sources), directory, {
    stores,
    copier: new Copier({ clock: systemClock, emit: silent }),
    types: new TypeTable(builtInTypes()),
    emit: silent,
    scanners,
    platforms,
    servedAt: servedAt ?? undefined,
    addressOf,
    tool: { name: 'ocl', version: '0' },
  });
  return { ...inputs, directory };
}

/** Three images for two platforms each, with attestations, a signature and an SBOM: what scanners trip over (spec/oci.md 4.2, 4.4). */
async function shop(): Promise<MemoryStore> {
  const store = createMemory({ name: 'shop' });
  for (const name of ['one', 'two', 'three']) {
    const graph = multiPlatform(name);
    await put(store, graph, name);
    const first = graph.pieces.find(({ descriptor }) => descriptor.mediaType.includes('manifest'));
    await put(store, signature(graph.root, `signed ${name}`), {});
    await put(store, sbom(first?.descriptor ?? graph.root, SPDX.replace('parts', name)), {});
  }
  return store;
}

describe('prepareInputs', () => {
  it('makes one layout with one manifest for each image and platform, which every reader takes as the right one', async () => {
    const store = await shop();
    const { inputs, skipped, directory } = await prepare([store], ['trivy', 'grype', 'syft', 'scout']);
    expect(inputs.map(({ reference, platform, form }) => `${reference} ${platform} ${form}`).toSorted()).toEqual(
      ['one', 'two', 'three']
        .flatMap((name) => [`app:${name} linux/amd64 oci`, `app:${name} linux/arm64/v8 oci`])
        .toSorted(),
    );
    for (const { path, digest, platform } of inputs) {
      expect(path).toMatch(/^oci\/[A-Za-z0-9._-]+$/);
      const layout = await openLayout(join(directory, path), layoutOptions());
      const roots = await layout.roots();
      expect(roots.map((root) => root.digest)).toEqual([digest]);
      expect(roots[0]?.platform).toMatchObject({ architecture: platform?.split('/')[1] });
      expect(entryName(roots[0] as Descriptor)).toMatchObject({ tag: expect.any(String) });
      expect(await treeOf(join(directory, path))).not.toHaveProperty('.ocl');
    }
    // Six attestations, three signatures, three SBOMs that were not asked for: all told, none silently dropped.
    expect(skipped).toHaveLength(12);
    expect(skipped.every(({ reason }) => reason !== '')).toBe(true);
    expect(JSON.parse(await readFile(join(directory, 'scan-input.json'), 'utf8'))).toMatchObject({
      version: 1,
      inputs,
      skipped,
    });
  });

  it('takes out the SBOMs that travel with images, byte for byte, and says what they tell about', async () => {
    const { inputs, directory } = await prepare([await shop()], ['sbom']);
    expect(inputs.map(({ form }) => form)).toEqual(['sbom', 'sbom', 'sbom']);
    for (const { path, subject } of inputs) {
      expect(await readFile(join(directory, path), 'utf8')).toMatch(
        /^\{"spdxVersion":"SPDX-2.3","name":"(?:one|two|three)"\}$/,
      );
      expect(subject).toMatch(/^sha256:/);
    }
  });

  it('takes only the platforms that were asked for, and tells what a single image is for', async () => {
    const store = await shop();
    await put(store, image({ name: 'arm', platform: ARM64 }), 'arm');
    const { inputs, skipped } = await prepare([store], ['trivy'], [AMD64]);
    expect(inputs.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/amd64', 'linux/amd64']);
    expect(skipped.find(({ reference }) => reference === 'app:arm')?.reason).toContain('linux/arm64');
  });

  it('leaves out what tells about a platform that was not asked for, under the name of its image', async () => {
    const { inputs, skipped } = await prepare([await shop()], ['sbom'], [ARM64]);
    expect(inputs).toEqual([]);
    const reasons = skipped.filter(({ reason }) => reason.includes('not asked for'));
    expect(reasons.map(({ reference, reason }) => `${reference}: ${reason}`).toSorted()).toEqual(
      ['one', 'three', 'two'].map(
        (name) => `app:${name}: it tells about the image for linux/amd64, which was not asked for`,
      ),
    );
  });

  it('leaves it out under a tag that names what it tells about as well, also where that comes first', async () => {
    const store = createMemory({ name: 'tagged' });
    const images = [image({ name: 'amd', platform: AMD64 }), image({ name: 'arm', platform: ARM64 })];
    for (const [i, { root }] of images.entries())
      await put(
        store,
        artifact('application/spdx+json', SPDX + ' '.repeat(i)),
        `${root.digest.replace(':', '-')}.sbom`,
      );
    await put(store, index(images), 'app');
    const { inputs, skipped } = await prepare([store], ['sbom', 'trivy'], [AMD64]);
    expect(inputs.map(({ form, subject }) => [form, subject])).toEqual([
      ['oci', undefined],
      ['sbom', images[0]?.root.digest],
    ]);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'it tells about the image for linux/arm64/v8, which was not asked for',
    ]);
  });

  it('tells of each index that has nothing for the platforms that were asked for', async () => {
    const { inputs, skipped } = await prepare([await shop()], ['trivy'], [{ os: 'linux', architecture: 's390x' }]);
    expect(inputs).toEqual([]);
    const reasons = skipped.filter(({ reason }) => reason.startsWith('it is for'));
    expect(reasons.map(({ reference, reason }) => `${reference}: ${reason}`).toSorted()).toEqual(
      ['one', 'three', 'two'].map(
        (name) => `app:${name}: it is for linux/amd64, linux/arm64/v8, which was not asked for`,
      ),
    );
  });

  it('writes archives that hold one image, also for docker load', async () => {
    const { inputs, directory } = await prepare([await shop()], ['osv', 'dockle', 'snyk', 'xray'], [ARM64]);
    expect(inputs).toHaveLength(3);
    for (const { path, digest, commands } of inputs) {
      expect(commands.map(({ scanner }) => scanner)).toEqual(['osv', 'dockle', 'snyk', 'xray']);
      const archive = await openArchive(join(directory, path), { tmpDir: directory });
      expect((await archive.roots()).map((root) => root.digest)).toEqual([digest]);
      await archive.close();
      const docker = await openArchive(join(directory, path), { tmpDir: directory, as: 'docker' });
      expect(await docker.roots()).toHaveLength(1);
      await docker.close();
    }
  });

  it('names the layers for Clair where a registry serves them', async () => {
    const { inputs, directory } = await prepare([await shop()], ['clair'], [AMD64]);
    const request = JSON.parse(await readFile(join(directory, inputs[0]?.path ?? ''), 'utf8'));
    expect(request.hash).toBe(inputs[0]?.digest);
    expect(request.layers).toHaveLength(2);
    expect(request.layers[0].uri).toBe(`http://registry.test/v2/app/blobs/${request.layers[0].hash}`);
  });

  it('names them where their own registry is reached', async () => {
    const store = await shop();
    const place = { kind: 'repository', registry: 'plain.test:5000', repository: 'team/app' } as const;
    const source = Object.assign(store, { place: () => place });
    const { inputs, directory } = await prepare([source], ['clair'], [AMD64], null);
    const text = await readFile(join(directory, inputs[0]?.path ?? ''), 'utf8');
    expect(text).toContain('"uri": "http://plain.test:5000/v2/team/app/blobs/sha256:');
  });

  it('lists one content under all its names, and scans it once', async () => {
    const store = createMemory({ name: 'names' });
    for (const tag of ['1', '1.0', 'latest']) await put(store, image(), tag);
    const { inputs } = await prepare([store], ['trivy']);
    expect(inputs.map(({ reference, alsoNamed }) => [reference, ...alsoNamed])).toEqual([
      ['app:1', 'app:1.0', 'app:latest'],
    ]);
  });

  it('finds images below nested indexes and in bundles of CNAB', async () => {
    const store = createMemory({ name: 'nested' });
    await put(store, index([index([image({ name: 'deep' })]), image({ name: 'flat', platform: ARM64 })]), 'nested');
    const bundle = index([image({ name: 'invocation' })], {
      extra: {
        annotations: {
          'io.cnab.runtime_version': 'v1.0.0',
          'org.opencontainers.artifactType': 'application/vnd.cnab.manifest.v1',
        },
      },
    });
    await put(store, bundle, 'cnab');
    const { inputs } = await prepare([store], ['trivy']);
    expect(inputs.map(({ reference, platform }) => `${reference} ${platform}`).toSorted()).toEqual([
      'app:cnab linux/amd64',
      'app:nested linux/amd64',
      'app:nested linux/arm64/v8',
    ]);
  });

  it('says what of an image cannot be scanned', async () => {
    const store = createMemory({ name: 'windows' });
    await put(store, foreignImage(), 'windows');
    const zstd = piece('zstd', 'application/vnd.oci.image.layer.v1.tar+zstd');
    await put(store, image({ name: 'zstd', layers: [zstd] }), 'zstd');
    const { inputs } = await prepare([store], ['trivy', 'osv']);
    const notes = (tag: string, form: string): readonly string[] | undefined =>
      inputs.find((input) => input.reference === `app:${tag}` && input.form === form)?.notes;
    expect(notes('windows', 'oci')).toEqual([expect.stringContaining('may not be redistributed')]);
    expect(notes('zstd', 'tar')).toEqual([expect.stringContaining('zstd')]);
  });

  it('goes on past an image that is damaged, and lists it', async () => {
    const store = createMemory({ name: 'damaged' });
    await put(store, image({ name: 'good' }), 'good');
    const bad = image({ name: 'bad', layers: [piece('lost', LAYER)] });
    await put(store, { ...bad, pieces: bad.pieces.filter(({ descriptor }) => descriptor.mediaType !== LAYER) }, 'bad');
    const { inputs, skipped } = await prepare([store], ['trivy']);
    expect(inputs.map(({ reference }) => reference)).toEqual(['app:good']);
    expect(skipped.map(({ reference }) => reference)).toEqual(['app:bad']);
  });

  it('leaves nothing behind when it cannot go on, and writes into no directory that has something in it', async () => {
    const parent = await temporary();
    await mkdir(join(parent, 'scan'));
    await writeFile(join(parent, 'scan', 'mine'), 'mine');
    const before = await treeOf(parent);
    await expect(
      prepareInputs(named(await shop()), join(parent, 'scan'), {
        stores,
        copier: new Copier({ clock: systemClock, emit: silent }),
        types: new TypeTable(builtInTypes()),
        emit: silent,
        scanners: ['trivy'],
        platforms: [],
        servedAt: '',
        addressOf,
        tool: { name: 'ocl', version: '0' },
      }),
    ).rejects.toMatchObject({ code: 'OCL_EXISTS' });
    expect(await treeOf(parent)).toEqual(before);
  });

  it('makes links and no copies for 100 images that share layers', async () => {
    const base = await temporary();
    const layout = await newLayout(join(base, 'library'));
    const shared = [1, 2, 3].map((seed) => piece(noise(20_000, seed), LAYER));
    for (let number = 0; number < 100; number++) {
      const graph = image({ name: `${number}`, layers: [...shared, piece(noise(50, 1000 + number), LAYER)] });
      for (const { descriptor, bytes } of graph.pieces)
        if (!(await layout.has(descriptor))) await layout.put(descriptor, opening(bytes));
      await layout.tag(graph.root, { tag: `${number}` }, opening(rootBytes(graph)));
    }
    await layout.commit();
    await layout.close();
    const { inputs, directory } = await prepare([await openLayout(join(base, 'library'), layoutOptions())], ['trivy']);
    expect(inputs).toHaveLength(100);
    const places = new Set<number>();
    for (const { path } of inputs) {
      for (const { descriptor } of shared) {
        const file = join(directory, path, 'blobs', 'sha256', descriptor.digest.slice('sha256:'.length));
        places.add((await stat(file)).ino);
      }
    }
    expect(places.size).toBe(shared.length);
  });
});

it('reads configuration out of charts and plain files, whatever their titles say', async () => {
  const store = createMemory({ name: 'config' });
  const rule = piece('kind: ClusterPolicy\n', 'application/vnd.cncf.kyverno.policy.layer.v1+yaml');
  const titled = { ...rule.descriptor, annotations: { 'org.opencontainers.image.title': '../../../etc/policy.yaml' } };
  const config = jsonPiece({}, 'application/vnd.cncf.kyverno.config.v1+json');
  const manifest = jsonPiece(
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: config.descriptor,
      layers: [titled],
    },
    'application/vnd.oci.image.manifest.v1+json',
  );
  await put(store, { root: manifest.descriptor, pieces: [rule, config, manifest] }, 'policy');
  const { inputs, directory } = await prepare([store], ['trivy']);
  expect(inputs).toMatchObject([{ form: 'config', type: 'kyverno-policy' }]);
  expect(Object.keys(await treeOf(join(directory, inputs[0]?.path ?? '')))).toEqual(['files', 'files/etc_policy.yaml']);
});
