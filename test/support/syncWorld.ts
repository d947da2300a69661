import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { parseReference, wantedName } from '../../src/core/reference.ts';
import { createHttp } from '../../src/io/http.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createStores, type AllStores } from '../../src/stores.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { tagsIn } from '../../src/sync/tagNames.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { jsonLines, ocl } from './cli.ts';
import { startDockerRegistry, whyNoDockerRegistry } from './dockerRegistry.ts';
import { startEmbedded } from './embedded.ts';
import { startFaultProxy, type FaultProxy, type Passed } from './faultProxy.ts';
import { all, bytesIn, put, type Graph } from './graphs.ts';
import { fill, type Named } from './worlds.ts';

export type ServerKind = 'embedded' | 'docker-registry';
export type PlaceKind = 'registry' | 'layout' | 'library' | 'archive';

/** For `describe.skipIf` by kind of server: whether it is not installed. */
export const SERVERS: readonly { readonly kind: ServerKind; readonly missing: boolean }[] = [
  { kind: 'embedded', missing: false },
  { kind: 'docker-registry', missing: whyNoDockerRegistry() !== undefined },
];

/** The last line of `ocl sync --json`. */
export interface Summary {
  readonly type: string;
  readonly copied: number;
  readonly current: number;
  readonly skipped: number;
  readonly failed: readonly { readonly image: string; readonly error: { readonly code: string } }[];
  readonly bytes: number;
}

/** Number of requests by kind, of the kinds that there were. */
export type Counts = Readonly<Record<string, number>>;

export interface Ran {
  readonly status: number | null;
  readonly summary: Summary;
  readonly events: readonly SyncLine[];
  readonly source: readonly Passed[];
  readonly target: readonly Passed[];
}

/** A line of `ocl sync --json`. */
export interface SyncLine {
  readonly type: string;
  readonly image?: string;
  readonly outcome?: string;
  readonly message?: string;
  readonly error?: { readonly code: string };
}

/** A registry at each end, requests of which are counted, and a directory for what is on disk. */
export class SyncWorld {
  readonly directory: string;
  readonly source: FaultProxy;
  readonly target: FaultProxy;
  readonly #stores: AllStores;
  readonly #closing: (() => Promise<void>)[];

  private constructor(
    directory: string,
    ends: readonly [FaultProxy, FaultProxy],
    stores: AllStores,
    closing: (() => Promise<void>)[],
  ) {
    this.directory = directory;
    [this.source, this.target] = ends;
    this.#stores = stores;
    this.#closing = closing;
  }

  static async start(kind: ServerKind): Promise<SyncWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'ocl-steps-'));
    const closing = [(): Promise<void> => rm(directory, { recursive: true, force: true })];
    const counted = async (): Promise<FaultProxy> => {
      const server = await startServer(kind);
      const proxy = await startFaultProxy(server.host);
      closing.push(server.stop, () => proxy.close());
      return proxy;
    };
    const ends = [await counted(), await counted()] as const;
    const http = createHttp({ userAgent: 'ocl-test' });
    const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent });
    const stores = createStores({ clock: systemClock, emit: silent, registries, tmpDir: directory });
    closing.push(
      () => http.close(),
      () => stores.close(),
    );
    return new SyncWorld(directory, ends, stores, closing);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.toReversed()) await close();
  }

  /** A repository at one end, as a step names it; without one, what is above all of them. */
  place(kind: PlaceKind, end: 'source' | 'target', repository?: string): string {
    const below = repository === undefined ? '' : `/${repository}`;
    if (kind === 'registry') return `${this[end].host}${below}`;
    if (kind === 'archive') return `oci-archive:${join(this.directory, end)}-${below.replaceAll('/', '-')}.tar`;
    return `ocidir://${join(this.directory, end)}${below}`;
  }

  /** Puts images where a step will find them. */
  async stock(place: string, images: readonly Named[]): Promise<void> {
    const reference = parseReference(place);
    const sink = await this.#stores.sink(reference);
    const world = {
      sink: () => Promise.resolve(sink),
      source: () => this.#stores.source(reference),
      close: () => sink.close(),
    };
    if (sink.reserve !== undefined) await fill(world, images);
    else for (const { graph, name } of images) await put(sink, graph, name);
    await sink.close();
  }

  /** What a repository has otherwise than these images: names with another digest, and contents that are not there. */
  async differences(place: string, images: readonly Named[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { graph, name } of images) {
      const digest = name.tag === undefined ? graph.root.digest : await this.digest(`${place}:${name.tag}`);
      if (digest !== graph.root.digest) found.push(`${name.tag} is ${digest}`);
      found.push(...(await this.lacks(place, graph)));
    }
    return found;
  }

  /** What a reference names; undefined: nothing. */
  async digest(reference: string): Promise<string | undefined> {
    return await this.#reading(reference, async (source, name) => (await source.resolve(name)).digest);
  }

  async tags(place: string): Promise<readonly string[]> {
    const tags = await this.#reading(place, async (source) => await all(tagsIn(source)));
    return (tags ?? []).toSorted();
  }

  /** The digests of a graph's contents that are not there, whole and with the right bytes. */
  async lacks(place: string, { pieces }: Graph): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const { descriptor } of pieces) {
      const bytes = await this.#reading(place, async (source) => await bytesIn(source, descriptor));
      if (bytes === undefined) missing.push(descriptor.digest);
    }
    return missing;
  }

  /** Runs a file of these steps by the command. */
  async sync(steps: readonly string[], args: readonly string[] = []): Promise<Ran> {
    const file = await this.file(steps);
    for (const proxy of [this.source, this.target]) proxy.rules();
    const { status, stdout, stderr } = await ocl(['sync', '--config', file, '--json', ...args]);
    const events = jsonLines<SyncLine & Summary>(stdout);
    const summary = events.find(({ type }) => type === 'summary');
    if (summary === undefined) throw new Error(`ocl sync ends with ${status} and no summary: ${stderr}${stdout}`);
    return { status, summary, events, source: [...this.source.passed], target: [...this.target.passed] };
  }

  async file(steps: readonly string[]): Promise<string> {
    const file = join(this.directory, 'sync.yaml');
    await writeFile(file, `version: 1\nsync:\n${steps.map((step) => `  - {${step}}\n`).join('')}`);
    return file;
  }

  /** Undefined: it is not there. Other errors go on. */
  async #reading<T>(
    text: string,
    read: (source: Awaited<ReturnType<AllStores['source']>>, name: string) => Promise<T>,
  ): Promise<T | undefined> {
    const reference = parseReference(text);
    try {
      const source = await this.#stores.source({ ...reference, tag: undefined, digest: undefined });
      try {
        return await read(source, wantedName(reference) ?? 'latest');
      } finally {
        await source.close();
      }
    } catch (error) {
      if (error instanceof OclError && error.code === 'OCL_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

/** Requests for the repositories whose names have this part. */
export function countsOf(passed: readonly Passed[], part = '/'): Counts {
  const counts: Record<string, number> = {};
  for (const { kind, path } of passed) if (path.includes(part)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function startServer(kind: ServerKind): Promise<{ readonly host: string; readonly stop: () => Promise<void> }> {
  if (kind === 'embedded') {
    const server = await startEmbedded(createMemoryLibrary());
    return { host: server.host, stop: () => server.close() };
  }
  const server = await startDockerRegistry(["validation: { manifests: { urls: { allow: ['^https?://'] } } }"]);
  if (server === undefined) throw new Error('docker-registry does not start');
  return server;
}
