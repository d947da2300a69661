import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock } from '../../src/core/clock.ts';
import { EMPTY_BLOB, type Descriptor } from '../../src/core/descriptor.ts';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type Library } from '../../src/core/store.ts';
import { Linker } from '../../src/io/link.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { describe } from '../../src/io/verify.ts';
import { createRegistryHandler, type RegistryOptions } from '../../src/serve/handler.ts';
import { listen, type ListenOptions } from '../../src/serve/listen.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';

export interface Embedded {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly port: number;
  /** Unfinished uploads are in `uploads/` below it. */
  readonly tmpDir: string;
  readonly events: readonly OclEvent[];
  close(): Promise<void>;
}

export type EmbeddedOptions = Partial<Omit<RegistryOptions, 'library'>> &
  Partial<ListenOptions> & { readonly clock?: Clock };

/** The embedded registry over a library, on a free loopback port. The library stays open. */
export async function startEmbedded(library: Library, options: EmbeddedOptions = {}): Promise<Embedded> {
  const own = options.tmpDir === undefined ? await mkdtemp(join(tmpdir(), 'ocl-serve-')) : undefined;
  const tmpDir = options.tmpDir ?? own ?? '';
  const events: OclEvent[] = [];
  const handler = createRegistryHandler({
    readOnly: false,
    clock: systemClock,
    emit: (event) => void events.push(event),
    ...options,
    library,
    tmpDir,
  });
  const server = await listen(handler, { host: '127.0.0.1', port: 0, graceMs: 2000, ...options });
  return {
    url: server.url,
    host: `127.0.0.1:${server.port}`,
    port: server.port,
    tmpDir,
    events,
    async close() {
      await server.close();
      await handler.close();
      if (own !== undefined) await rm(own, { recursive: true, force: true });
    },
  };
}

export interface OpenedLibrary {
  readonly library: Library;
  /** Closes it and removes what it was made of. */
  close(): Promise<void>;
}

/** The kinds of library that can be written, each empty, for `describe.each`. */
export const LIBRARIES: readonly (readonly [string, () => Promise<OpenedLibrary>])[] = [
  [
    'memory',
    () => {
      const library = createMemoryLibrary();
      return Promise.resolve({ library, close: () => library.close() });
    },
  ],
  [
    'layout',
    async () => {
      const root = await mkdtemp(join(tmpdir(), 'ocl-library-'));
      const library = new LayoutTree(root, { clock: systemClock, emit: silent, linker: new Linker() });
      return {
        library,
        async close() {
          await library.close();
          await rm(root, { recursive: true, force: true });
        },
      };
    },
  ],
];

/** A small client of the distribution API: what tests of the server push and ask. */
export class Pusher {
  readonly url: string;
  readonly repository: string;

  constructor(url: string, repository: string) {
    this.url = url;
    this.repository = repository;
  }

  /** A request below `/v2/<repository>/`, or to a Location that the server gave. */
  async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const target = path.startsWith('/') ? path : `/v2/${this.repository}/${path}`;
    return await fetch(`${this.url}${target}`, { ...init, method });
  }

  /** Pushes a blob whole, and answers its descriptor. */
  async blob(content: string | Uint8Array, mediaType = 'application/octet-stream'): Promise<Descriptor> {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const descriptor = describe(bytes, mediaType);
    const answer = await this.ask('POST', `blobs/uploads/?digest=${descriptor.digest}`, { body: bytes.slice() });
    if (answer.status !== 201) throw new Error(`POST of a blob: ${answer.status} ${await answer.text()}`);
    return descriptor;
  }

  /** Pushes a manifest (an empty config and no layers, unless told otherwise), and answers its descriptor and the server's answer. */
  async manifest(
    reference: string | undefined,
    members: object = {},
    mediaType: string = MEDIA.ociManifest,
  ): Promise<{ readonly descriptor: Descriptor; readonly answer: Response; readonly bytes: Uint8Array }> {
    const isIndex = mediaType === MEDIA.ociIndex;
    if (!isIndex) await this.blob('{}');
    const { data: _data, ...config } = EMPTY_BLOB.descriptor;
    const parts = isIndex ? { manifests: [] } : { config, layers: [] };
    const bytes = toJsonBytes({ schemaVersion: 2, mediaType, ...parts, ...members });
    const descriptor = describe(bytes, mediaType);
    const answer = await this.ask('PUT', `manifests/${reference ?? descriptor.digest}`, {
      body: bytes.slice(),
      headers: { 'Content-Type': mediaType },
    });
    return { descriptor, answer, bytes };
  }
}

/** The code of an OCI error answer. */
export async function errorCode(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { readonly errors?: readonly { readonly code?: unknown }[] };
  return body.errors?.[0]?.code;
}
