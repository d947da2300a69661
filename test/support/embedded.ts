import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock } from '../../src/core/clock.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { type Library } from '../../src/core/store.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createRegistryHandler, type RegistryOptions } from '../../src/serve/handler.ts';
import { listen, type ListenOptions } from '../../src/serve/listen.ts';

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
