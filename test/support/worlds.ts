import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Copier, type CopyRequest } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { type LocalSource, type RootName, type Sink, type Source } from '../../src/core/store.ts';
import { createHttp } from '../../src/io/http.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openArchive } from '../../src/stores/archive/reader.ts';
import { createArchive } from '../../src/stores/archive/writer.ts';
import { openLayout, openOrCreateLayout } from '../../src/stores/layout/layout.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { startEmbedded } from './embedded.ts';
import { put, type Graph } from './graphs.ts';
import { layoutOptions } from './layoutTools.ts';

/** One store to fill and to read back, whatever its kind. */
export interface World {
  sink(): Promise<Sink>;
  /** Opened anew: it sees what was committed. */
  source(): Promise<Source | LocalSource>;
  close(): Promise<void>;
}

export type Kind = 'memory' | 'layout' | 'archive' | 'registry';

export const KINDS: readonly Kind[] = ['memory', 'layout', 'archive', 'registry'];

export async function openWorld(kind: Kind): Promise<World> {
  switch (kind) {
    case 'memory':
      return memoryWorld();
    case 'layout':
      return await layoutWorld();
    case 'archive':
      return await archiveWorld();
    case 'registry':
      return await registryWorld();
  }
}

function memoryWorld(): World {
  const store = createMemory();
  return { sink: () => Promise.resolve(store), source: () => Promise.resolve(store), close: () => store.close() };
}

async function layoutWorld(): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-layout-'));
  const root = join(directory, 'layout');
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    opened.push(store);
    return store;
  };
  return {
    sink: async () => keep(await openOrCreateLayout(root, layoutOptions())),
    source: async () => keep(await openLayout(root, layoutOptions())),
    async close() {
      for (const store of opened) await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function archiveWorld(): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-archive-'));
  const path = join(directory, 'archive.tar');
  const opened: { close(): Promise<void> }[] = [];
  return {
    async sink() {
      const sink = createArchive({ path }, { emit: silent });
      opened.push(sink);
      return sink;
    },
    async source() {
      const source = await openArchive(path, { tmpDir: directory });
      opened.push(source);
      return source;
    },
    async close() {
      for (const store of opened) await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Our own registry, served over a loopback address. */
async function registryWorld(): Promise<World> {
  const server = await startEmbedded(createMemoryLibrary());
  const http = createHttp({ userAgent: 'ocl-test' });
  const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent });
  const repository = () => registries.repository({ kind: 'registry', registry: server.host, repository: 'team/app' });
  return {
    sink: () => Promise.resolve(repository()),
    source: () => Promise.resolve(repository()),
    async close() {
      await http.close();
      await server.close();
    },
  };
}

export interface Named {
  readonly graph: Graph;
  readonly name: RootName;
}

/** Brings graphs into a store by the engine itself, as every command does. */
export async function fill(world: World, images: readonly Named[]): Promise<void> {
  const from = createMemory();
  for (const { graph, name } of images) await put(from, graph, name);
  const to = await world.sink();
  const requests = images.map(({ graph, name }) => ({ from, to, root: graph.root, name, image: name.tag ?? '' }));
  await copyAll(requests, to);
}

/** All requests, and their names made visible. */
export async function copyAll(requests: readonly CopyRequest[], to: Sink, copier = newCopier()): Promise<void> {
  if (to.reserve !== undefined) await copier.copyReserved(requests, to);
  else for (const request of requests) await copier.copy(request);
  await to.commit();
}

export function newCopier(concurrency = 3): Copier {
  return new Copier({ clock: systemClock, emit: silent, concurrency });
}
