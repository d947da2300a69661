import { OclError } from '../../core/errors.ts';
import { listen, type Listening } from '../../serve/listen.ts';
import { createEndpoints, type Endpoints } from '../../sync/server/endpoints.ts';
import { type ServerEvent } from '../../sync/server/events.ts';
import { FileWatch } from '../../sync/server/fileWatch.ts';
import { createMetrics } from '../../sync/server/metrics.ts';
import { SyncServer } from '../../sync/server/server.ts';
import { defineCommand } from '../command.ts';
import { toMilliseconds } from '../duration.ts';
import { throttleOf, type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { parseListen } from '../listen.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { version } from '../version.ts';
import { configOption } from './file.ts';
import { openGeneration } from './generation.ts';
import { openJournal, pruneOption, stateOption } from './journal.ts';
import { serverLine, serverObject } from './serverLines.ts';

/** Milliseconds. Answers are small: a connection that is silent is closed soon, and so is the door at the end. */
const IDLE_MS = 30_000;
const CLOSE_MS = 1000;

export const server = defineCommand(
  (cli) =>
    pruneOption(stateOption(configOption(cli)))
      .option('abort-on-error', {
        type: 'boolean',
        default: false,
        describe: 'End with 1 after the first failure',
      })
      .option('catch-up', {
        type: 'boolean',
        default: false,
        describe: 'Make up for runs that were missed, as by a machine asleep',
      })
      .option('grace', {
        default: '30s',
        requiresArg: true,
        coerce: toMilliseconds,
        describe: 'How long images under way may take to finish when it is stopped',
      })
      .option('listen', {
        type: 'string',
        requiresArg: true,
        describe: 'ADDRESS:PORT for /healthz, /readyz, /metrics and /status; without it there are none',
      })
      .option('allow-host', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'A name by which clients may call it (repeatable)',
      })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 sync server --config sync.yaml', 'Mirror each step when its interval or schedule says')
      .example('$0 sync server --config sync.yaml --listen 127.0.0.1:9090', 'Then open http://127.0.0.1:9090/status')
      .example('kill -HUP PID', 'Read the file anew; a changed file is noticed within seconds'),
  async (args) => {
    const address = args.listen === undefined ? undefined : parseListen(args.listen, '127.0.0.1:9090');
    await runCommand(args, {}, async (env) => {
      const { clock, signal } = env;
      // Loaded now, for an upgrade may take these files away while it runs.
      await Promise.all([import('../../io/http.ts'), import('../../io/authorities.ts')]);
      // Looked at before it is read: what changes from now on is noticed.
      const watch = args.config === '-' ? undefined : await FileWatch.of(args.config);
      const journal = await openJournal(args, env);
      const throttle = throttleOf(args);
      let loads = 0;
      const mirror = new SyncServer({
        clock,
        load: async (abort) => {
          if (args.config === '-' && loads++ > 0) throw readToItsEnd();
          return await openGeneration(args, { env, journal, throttle, signal: abort });
        },
        stop: signal,
        graceMs: args.grace,
        catchUp: args.catchUp,
        abortOnError: args.abortOnError,
        tell: (event) => {
          metrics.take(event);
          tell(event, env);
        },
      });
      const metrics = createMetrics(mirror.view, version);
      const endpoints = createEndpoints({ view: mirror.view, metrics, clock });
      const listening = address === undefined ? undefined : await open(endpoints, { ...address, ...args }, env);
      const reload = async (): Promise<void> => await mirror.reload();
      const onHangup = (): void => void reload();
      const ended = new AbortController();
      process.on('SIGHUP', onHangup);
      try {
        const watching = watch?.run(clock, ended.signal, reload);
        const isWell = await mirror.run().finally(() => ended.abort());
        await watching;
        return isWell ? EXIT.done : EXIT.failed;
      } finally {
        process.off('SIGHUP', onHangup);
        await listening?.close();
        await journal?.flush();
      }
    });
  },
);

function readToItsEnd(): OclError {
  return new OclError('OCL_USAGE', 'Cannot read standard input anew: it was read to its end', {
    hint: 'name a file with --config',
  });
}

function tell(event: ServerEvent, env: Env): void {
  if (env.json) return env.print(JSON.stringify(serverObject(event)));
  const line = serverLine(event, env.clock.now());
  if (line !== undefined) env.say(line);
}

async function open(
  endpoints: Endpoints,
  { host, port, allowHost }: { readonly host: string; readonly port: number; readonly allowHost: readonly string[] },
  env: Env,
): Promise<Listening> {
  const listening = await listen(endpoints, {
    host,
    port,
    idleMs: IDLE_MS,
    graceMs: CLOSE_MS,
    ...(allowHost.length === 0 ? {} : { allowedHosts: allowHost }),
  });
  const { url } = listening;
  if (env.json) env.print(JSON.stringify({ type: 'listening', url }));
  else env.say(`status at ${url}/status, metrics at ${url}/metrics`);
  return listening;
}
