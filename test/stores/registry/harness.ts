import { Readable } from 'node:stream';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { type OclEvent } from '../../../src/core/events.ts';
import { createHttp } from '../../../src/io/http.ts';
import { anonymous } from '../../../src/stores/registry/auth/credentials.ts';
import { createRegistries, type Registries, type RegistriesOptions } from '../../../src/stores/registry/registries.ts';
import { type RegistryStore } from '../../../src/stores/registry/repository.ts';
import { fakeClock, type FakeClock } from '../../support/fakeClock.ts';
import { startScriptedServer, type ScriptedServer } from '../../support/scriptedServer.ts';

const cleanups: (() => Promise<void>)[] = [];

/** To be called after each test. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}

export interface Side {
  readonly registries: Registries;
  readonly clock: FakeClock;
  readonly events: OclEvent[];
}

export function connectTo(options: Partial<RegistriesOptions> = {}): Side {
  const http = createHttp({ userAgent: 'ocl-test', timeouts: { connect: 5000, headers: 5000, idle: 5000 } });
  cleanups.push(() => http.close());
  const clock = fakeClock();
  const events: OclEvent[] = [];
  const registries = createRegistries({
    http,
    clock,
    credentials: anonymous,
    emit: (event) => events.push(event),
    ...options,
  });
  return { registries, clock, events };
}

export async function serve(script: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
  const server = await startScriptedServer(script);
  cleanups.push(() => server.close());
  return server;
}

export interface Scripted extends Side {
  readonly server: ScriptedServer;
  /** The repository `app` of the scripted server. */
  readonly app: RegistryStore;
}

export async function scripted(
  script: Parameters<typeof startScriptedServer>[0],
  options: Partial<RegistriesOptions> = {},
): Promise<Scripted> {
  const server = await serve(script);
  const side = connectTo(options);
  return { ...side, server, app: repository(side, server.host) };
}

export function repository(side: Side, registry: string, name = 'app'): RegistryStore {
  return side.registries.repository({ kind: 'registry', registry, repository: name });
}

export function openBytes(bytes: Uint8Array): () => Promise<Readable> {
  return async () => Readable.from([bytes], { objectMode: false });
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function listAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** How a person would see a descriptor in a manifest. */
export function bare({ mediaType, digest, size }: Descriptor): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest, size };
}
