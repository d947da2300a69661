import { type Clock } from '../../../src/core/clock.ts';
import { loadConfig } from '../../../src/sync/config.ts';
import { type ServerEvent } from '../../../src/sync/server/events.ts';
import { type Generation, type HostLimit, type RunHow } from '../../../src/sync/server/generation.ts';
import { SyncServer, type ServerOptions } from '../../../src/sync/server/server.ts';
import { runSync, type SyncReport } from '../../../src/sync/run.ts';
import { type SyncStep } from '../../../src/sync/settings.ts';
import { surroundings } from '../../support/surroundings.ts';
import { type World } from '../world.ts';

/** One call of a generation's `run`. */
export interface Ran {
  readonly file: string;
  readonly at: number;
  readonly sources: readonly string[];
  readonly how: RunHow;
}

export interface Bench {
  readonly server: SyncServer;
  readonly events: readonly ServerEvent[];
  readonly runs: readonly Ran[];
  /** Generations that were closed, by their file. */
  readonly closed: readonly string[];
  /** What the file says from now on. */
  file: { name: string; text: string };
  /** Ends it, and waits for the end. */
  stop(): Promise<boolean>;
  /** Set by `server.run()`. */
  readonly ended: Promise<boolean>;
}

export interface BenchOptions extends Partial<Omit<ServerOptions, 'clock' | 'load' | 'stop'>> {
  readonly clock: Clock;
  /** Where its steps read and write. */
  readonly world: World;
  /** Does what a run would do; by default that is runSync. */
  readonly run?: (ran: Ran) => Promise<void>;
  readonly limits?: readonly HostLimit[];
}

const NOTHING: SyncReport = { copied: 0, current: 0, skipped: 0, failed: [], untried: 0, bytes: 0, ms: 0 };

/** A server over stores in memory. */
export function startServer(text: string, options: BenchOptions): Bench {
  const { clock, world, run } = options;
  const stop = new AbortController();
  const events: ServerEvent[] = [];
  const runs: Ran[] = [];
  const closed: string[] = [];
  const load = (): Promise<Generation> => {
    const { name, text: now } = bench.file;
    const { config } = loadConfig(now, name, surroundings());
    return Promise.resolve({
      config,
      async run(steps: readonly SyncStep[], how: RunHow) {
        const ran = { file: name, at: clock.now(), sources: steps.map(({ source }) => source), how };
        runs.push(ran);
        if (run === undefined)
          return await runSync({ ...config, steps }, world, { ...how, clock, surroundings: surroundings() });
        how.observer.listed?.({ steps: [], jobs: [], failed: [], repositories: [] });
        await run(ran);
        how.observer.listed?.({ steps, jobs: [], failed: [], repositories: [] });
        return NOTHING;
      },
      limits: () => options.limits ?? [],
      close: () => Promise.resolve(void closed.push(name)),
    });
  };
  const server = new SyncServer({
    graceMs: 30_000,
    catchUp: false,
    abortOnError: false,
    ...options,
    load,
    stop: stop.signal,
    tell(event) {
      events.push(event);
      options.tell?.(event);
    },
  });
  const ended = Promise.resolve().then(async () => await server.run());
  const bench: Bench = {
    server,
    events,
    runs,
    closed,
    file: { name: 'one.yaml', text },
    ended,
    async stop() {
      stop.abort();
      return await ended;
    },
  };
  return bench;
}

/** Waits until something is so. @throws after many turns of the event loop */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 100_000; turns++) {
    if (isSo()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it never came to that');
}
