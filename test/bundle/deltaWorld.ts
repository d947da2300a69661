import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Collection } from '../../src/bundle/collection.ts';
import { Delta, type Known } from '../../src/bundle/delta.ts';
import { readKnown } from '../../src/bundle/deltaBasis.ts';
import { exportImages } from '../../src/bundle/export.ts';
import { importBundles, type ImportOptions, type ImportReport, type ImportTarget } from '../../src/bundle/import.ts';
import { encodeInventory, takeInventory } from '../../src/bundle/inventory.ts';
import { type Incomplete } from '../../src/bundle/deltaCheck.ts';
import { sentBy, type Exported, type Ledger } from '../../src/bundle/ledger.ts';
import { formatRequest, knownOfRequest, makeRequest } from '../../src/bundle/request.ts';
import { parseRequest, type BlobRequest } from '../../src/bundle/requestSchema.ts';
import { type BundleImage } from '../../src/bundle/sources.ts';
import { registryCollection } from '../../src/cli/bundle/collection.ts';
import { Copier, type Surveyed } from '../../src/copy/copier.ts';
import { type BundleRecord } from '../../src/core/bundleRecord.ts';
import { silent, type Emit } from '../../src/core/events.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { entryName } from '../../src/core/names.ts';
import { type Library } from '../../src/core/store.ts';
import { createHttp } from '../../src/io/http.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openArchive } from '../../src/stores/archive/reader.ts';
import { createArchive } from '../../src/stores/archive/writer.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { openOrCreateLayout } from '../../src/stores/layout/layout.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { NamedEntries } from '../../src/stores/named/library.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { createStores } from '../../src/stores.ts';
import { startDockerRegistry } from '../support/dockerRegistry.ts';
import { startEmbedded } from '../support/embedded.ts';
import { image, noise, piece, put, type Graph } from '../support/graphs.ts';
import { layoutOptions } from '../support/layoutTools.ts';
import { newCopier } from '../support/worlds.ts';
import { EVERYTHING, NAMING } from './support.ts';

/** The far side: a target to import into, and what can be read of it. */
export interface Far {
  readonly target: () => Promise<ImportTarget>;
  readonly holds: () => Promise<Collection>;
  close(): Promise<void>;
}

export type FarKind = 'memory' | 'library' | 'layout' | 'registry' | 'docker-registry';

export async function openFar(kind: FarKind): Promise<Far> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-far-'));
  const remove = async (): Promise<void> => await rm(directory, { recursive: true, force: true });
  if (kind === 'memory' || kind === 'library') {
    const library = kind === 'memory' ? createMemoryLibrary() : new LayoutTree(directory, layoutOptions());
    return {
      target: () =>
        Promise.resolve({
          kind: 'repositories',
          name: 'far',
          open: async (repository) => await library.sink(repository),
          holds: library,
        }),
      holds: () => Promise.resolve(library),
      close: remove,
    };
  }
  if (kind === 'layout') {
    const layout = join(directory, 'layout');
    return {
      target: async () => ({ kind: 'layout', sink: await openOrCreateLayout(layout, layoutOptions()) }),
      holds: async () => new NamedEntries(await openOrCreateLayout(layout, layoutOptions()), 'layout'),
      close: remove,
    };
  }
  await remove();
  const embedded = kind === 'registry' ? await startEmbedded(createMemoryLibrary()) : undefined;
  const server = embedded ?? (await startDockerRegistry());
  if (server === undefined) throw new Error('docker-registry is not installed');
  const http = createHttp({ userAgent: 'ocl-test' });
  const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent });
  const stores = createStores({ clock: systemClock, emit: silent, registries, tmpDir: tmpdir() });
  const holds = registryCollection({ registry: server.host, prefix: 'mirror' }, [], { stores, registries });
  return {
    target: () =>
      Promise.resolve({
        kind: 'repositories',
        name: server.host,
        open: async (repository) =>
          await stores.sink({ kind: 'registry', registry: server.host, repository: `mirror/${repository}` }),
        holds,
      }),
    holds: () => Promise.resolve(holds),
    async close() {
      await stores.close();
      await http.close();
      await ('stop' in server ? server.stop() : server.close());
    },
  };
}

const NEAR = 'near.example';

/** An image of the near side under a tag. */
export interface Release {
  readonly repository: string;
  readonly tag: string;
  readonly graph: Graph;
}

/** The near side, as it is now. */
export async function nearOf(releases: readonly Release[]): Promise<Library> {
  const library = createMemoryLibrary({ name: 'near' });
  for (const { repository, tag, graph } of releases) await put(await library.sink(repository), graph, tag);
  return library;
}

/** All images of a library, as an export finds them. */
async function imagesOf(library: Library): Promise<readonly BundleImage[]> {
  const images: BundleImage[] = [];
  for (const repository of await library.repositories()) {
    const from = await library.source(repository);
    for (const root of (await from?.roots()) ?? []) {
      const { tag } = entryName(root);
      if (from === undefined || tag === undefined) continue;
      const imageName = `${NEAR}/${repository}:${tag}`;
      images.push({ from, root, name: { tag, imageName }, image: imageName, select: EVERYTHING });
    }
  }
  return images;
}

export interface WrittenBundle {
  readonly path: string;
  readonly record: BundleRecord | undefined;
  /** Bytes of the file. */
  readonly size: number;
}

/** A bundle of all that the near side has, without what is known of the far side. */
export async function writeBundle(
  near: Library,
  path: string,
  known: readonly Known[] = [],
  ledger?: Ledger,
): Promise<WrittenBundle> {
  return await write(await imagesOf(near), path, { known, ledger });
}

async function write(
  images: readonly BundleImage[],
  path: string,
  { known, ledger }: { readonly known: readonly Known[]; readonly ledger?: Ledger | undefined },
): Promise<WrittenBundle> {
  const delta = known.length === 0 ? undefined : new Delta(known);
  const sink = createArchive({ path }, { emit: silent, delta });
  try {
    let sent: Pick<Exported, 'surveyed' | 'carried'> | undefined;
    const before = async (surveyed: readonly Surveyed[], carried: readonly Surveyed[]): Promise<void> =>
      void (sent = { surveyed, carried });
    await exportImages(images, sink, { copier: newCopier(), delta, before });
    if (sent !== undefined) await ledger?.add(sentBy({ ...sent, delta, record: sink.record, file: 'a bundle' }));
    return { path, record: sink.record, size: (await stat(path)).size };
  } finally {
    await sink.close();
  }
}

/** The answer to a request, from what the near side has now. */
export async function writeAnswer(near: Library, request: BlobRequest, path: string): Promise<WrittenBundle> {
  const images: BundleImage[] = [];
  for (const { root } of request.images) {
    const { imageName = '', tag } = entryName(root);
    const from = await near.source(imageName.slice(NEAR.length + 1).replace(/:.*/, ''));
    if (from === undefined) throw new Error(`the near side has no ${imageName}`);
    const name = { tag, imageName };
    images.push({ from, root: await from.resolve(root.digest), name, image: imageName, select: EVERYTHING });
  }
  return await write(images, path, { known: [knownOfRequest(request, 'request')] });
}

/** What a file tells of the far side. */
export async function knownFrom(path: string): Promise<Known> {
  return await readKnown(path, {
    clock: systemClock,
    emit: silent,
    openBundle: async (bundle) => await openArchive(bundle, { tmpDir: tmpdir() }),
  });
}

/** What the far side has now, over a file. */
export async function inventoryOf(far: Far, path: string): Promise<Known> {
  const taken = await takeInventory([await far.holds()], { clock: systemClock, emit: silent, version: '1' });
  await writeFile(path, await encodeInventory(taken));
  return await knownFrom(path);
}

/** What an import that is refused asks for, read back from its file. */
export async function requestOf(far: Far, paths: readonly string[]): Promise<BlobRequest> {
  let text = '';
  const options = { clock: systemClock, emit: silent, version: '1' };
  const sources = await Promise.all(paths.map(async (path) => await openArchive(path, { tmpDir: tmpdir() })));
  const target = await far.target();
  const missing = async (incomplete: readonly Incomplete[]): Promise<void> => {
    text = await formatRequest(await makeRequest(incomplete, { target, bundles: sources, options }));
  };
  await importFiles(far, paths, { checkOnly: true, missing });
  for (const source of sources) await source.close();
  return await parseRequest(Buffer.from(text), 'the request');
}

/** Takes bundles in, as one command does. */
export async function importFiles(
  far: Far,
  paths: readonly string[],
  options: Partial<ImportOptions> = {},
  emit: Emit = silent,
): Promise<ImportReport> {
  const opened = await Promise.all(paths.map(async (path) => await openArchive(path, { tmpDir: tmpdir() })));
  try {
    return await importBundles(
      opened.map((source) => ({ source, naming: NAMING })),
      await far.target(),
      {
        copier: new Copier({ clock: systemClock, emit, concurrency: 3 }),
        clock: systemClock,
        emit,
        select: EVERYTHING,
        ...options,
      },
    );
  } finally {
    for (const source of opened) await source.close();
  }
}

const LAYERS = 8;

/** An image whose layers are of these generations: two images with one generation of a layer have that layer in common only when they have one name. */
export function layered(
  name: string,
  generations: readonly number[],
  bytes: number,
  { config = name, created }: { readonly config?: string; readonly created?: string } = {},
): Graph {
  const layers = generations.map((generation, i) =>
    piece(noise(bytes, hash(`${name} ${i} ${generation}`)), MEDIA.ociLayerGzip),
  );
  return image({
    name: `${config} ${generations.join('.')}`,
    layers,
    ...(created === undefined ? {} : { created }),
  });
}

/** The generations of an image's layers in a version of the set: each version brings one layer in eight anew. */
export function generationsAt(index: number, version: number): readonly number[] {
  return Array.from({ length: LAYERS }, (_, layer) => Math.floor((version + ((index * 3 + layer) % LAYERS)) / LAYERS));
}

function hash(text: string): number {
  let value = 17;
  for (const char of text) value = (Math.imul(value, 31) + char.charCodeAt(0)) >>> 0;
  return value;
}
