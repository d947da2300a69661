import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { createHttp } from '../../src/io/http.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { createStores, type AllStores, type StoresOptions } from '../../src/stores.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';

/** A directory, an empty registry, and the stores that lead to both. */
export interface Places {
  readonly stores: AllStores;
  readonly directory: string;
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly registry: Embedded;
  readonly events: readonly OclEvent[];
  path(...names: readonly string[]): string;
  close(): Promise<void>;
}

export async function openPlaces(options: Partial<StoresOptions> = {}): Promise<Places> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-mesh-'));
  const registry = await startEmbedded(createMemoryLibrary());
  const http = createHttp({ userAgent: 'ocl-test' });
  const events: OclEvent[] = [];
  const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent });
  const stores = createStores({
    clock: systemClock,
    emit: (event) => void events.push(event),
    registries,
    tmpDir: directory,
    overwrite: true,
    ...options,
  });
  return {
    stores,
    directory,
    host: registry.host,
    registry,
    events,
    path: (...names) => join(directory, ...names),
    async close() {
      await stores.close();
      await http.close();
      await registry.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
