import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { toOclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { printable } from '../../core/redact.ts';
import { Copier } from '../../copy/copier.ts';
import { systemClock } from '../../io/systemClock.ts';
import { readBounded } from '../../io/verify.ts';
import { type ExplicitCredential } from '../../stores/registry/credentials.ts';
import { type HostSettings as RegistrySettings } from '../../stores/registry/hosts.ts';
import { loadConfig, type LoadedConfig } from '../../sync/config.ts';
import { createHookRunner } from '../../sync/hooks.ts';
import { planSync, type PlannedJob } from '../../sync/plan.ts';
import { runSync, type SyncReport } from '../../sync/run.ts';
import { type HostSettings } from '../../sync/settings.ts';
import { type Surroundings } from '../../sync/template/template.ts';
import { defineCommand } from '../command.ts';
import { type Env, type EnvOptions } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, formatDuration, formatTable } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';

export const sync = defineCommand(
  (cli) =>
    cli
      .positional('action', {
        choices: ['once', 'check'] as const,
        default: 'once' as const,
        describe: 'once: copy; check: say what would be copied',
      })
      .option('config', {
        alias: 'c',
        type: 'string',
        demandOption: true,
        describe: 'The YAML file, or - for standard input',
      })
      .option('abort-on-error', {
        type: 'boolean',
        default: false,
        describe: 'Start nothing new after the first failure',
      })
      .option('exit-code', {
        type: 'boolean',
        default: false,
        describe: 'check: exit with 2 when something would be copied',
      })
      .option('measure', {
        type: 'boolean',
        default: false,
        describe: 'check: count bytes, which reads manifests at the source',
      })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 sync --config sync.yaml', 'Mirror once')
      .example('$0 sync check --config sync.yaml --exit-code', 'What is out of date?'),
  async (args) => {
    const { config, warnings } = await readConfig(args.config);
    for (const { file, line, column, message } of warnings)
      process.stderr.write(`warning: ${file}:${line}:${column}: ${printable(message)}\n`);
    await runCommand(args, envOptions(config), async (env) => {
      const { clock, emit, signal, stores } = env;
      if (config.steps.length === 0)
        emit({
          type: 'notice',
          level: 'warning',
          message: `${args.config} has no steps below sync:, so it does nothing`,
        });
      const catalog = (registry: string): AsyncIterable<string> => env.registries.catalog(registry);
      if (args.action === 'check') {
        const jobs: PlannedJob[] = [];
        const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
        const options = { clock, emit, signal, catalog, copier, measure: args.measure };
        for await (const job of planSync(config, stores, options)) jobs.push(job);
        return reportPlan(jobs, env, args.exitCode);
      }
      return reportRun(
        await runSync(config, stores, {
          clock,
          emit,
          signal,
          catalog,
          concurrency: args.concurrency,
          abortOnError: args.abortOnError,
          surroundings,
          runHook: createHookRunner({ clock, http: env.http, env: process.env, signal }),
        }),
        env,
      );
    });
  },
);

/** What the templates of a file may ask for. A file that cannot be read is empty, as in regsync. */
const surroundings: Surroundings = {
  env: (name) => process.env[name] ?? '',
  file: (path) => {
    try {
      return readFileSync(path, 'utf8').slice(0, LIMITS.configFile);
    } catch {
      return '';
    }
  },
  now: () => systemClock.now(),
};

async function readConfig(path: string): Promise<LoadedConfig> {
  if (path === '-')
    return loadConfig(
      new TextDecoder().decode(await readBounded(process.stdin, LIMITS.configFile, 'standard input')),
      '<stdin>',
      surroundings,
    );
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    // The system does not name the file when it was opened and then could not be read, as a directory is.
    throw toOclError(error instanceof Error ? Object.assign(error, { path }) : error);
  }
  return loadConfig(new TextDecoder().decode(bytes), path, surroundings);
}

/** The file's `creds` as the registry clients take them. */
function envOptions(config: LoadedConfig['config']): EnvOptions {
  return {
    skipDockerConfig: config.skipDockerConfig,
    hosts: new Map(config.creds.map((host) => [host.registry, settingsOf(host)])),
    explicit: config.creds.flatMap(credentialOf),
    keptAs: new Map(
      config.creds.map(({ registry, credHost, credExpire }) => [registry, { server: credHost, keep: credExpire }]),
    ),
  };
}

function settingsOf(host: HostSettings): RegistrySettings {
  const { tls, hostname, pathPrefix, reqConcurrent, reqPerSec, regcert, clientCert, clientKey } = host;
  return {
    tls,
    hostname,
    pathPrefix,
    concurrency: reqConcurrent,
    requestsPerSecond: reqPerSec,
    chunkBytes: host.blobChunk,
    monolithicBytes: host.blobMax,
    mirrors: host.mirrors,
    priority: host.priority,
    head: host.disableHead !== true,
    ca: regcert === undefined ? undefined : [regcert],
    clientCert,
    clientKey,
  };
}

function credentialOf(host: HostSettings): ExplicitCredential[] {
  const { registry, user, pass, token, credHelper } = host;
  const source = { kind: 'settings', where: 'creds of the sync file' } as const;
  const of = (credential: ExplicitCredential['credential']): ExplicitCredential[] => [{ registry, credential, source }];
  if (token !== undefined) return of({ kind: 'identity', token });
  if (user !== undefined && pass !== undefined) return of({ kind: 'password', username: user, password: pass });
  return credHelper === undefined ? [] : of({ kind: 'helper', helper: credHelper });
}

function reportPlan(jobs: readonly PlannedJob[], env: Env, exitCode: boolean): number {
  const failed = jobs.filter(({ action }) => action === 'failed');
  const copies = jobs.filter(({ action }) => action === 'copy');
  if (env.json)
    env.print(
      JSON.stringify(
        jobs.map(({ error, ...job }) => ({
          ...job,
          ...(error === undefined ? {} : { error: { code: error.code, message: error.message, hint: error.hint } }),
        })),
      ),
    );
  else if (jobs.length > 0) {
    const rows = jobs.map(({ action, image, target, bytes, reason }) => [
      action,
      printable(image),
      printable(target),
      bytes === undefined ? '-' : formatBytes(bytes),
      printable(reason),
    ]);
    env.print(formatTable(['ACTION', 'IMAGE', 'TARGET', 'BYTES', 'WHY'], rows));
  }
  env.say(
    `${copies.length} to copy, ${jobs.length - copies.length - failed.length} unchanged or skipped, ${failed.length} failed`,
  );
  if (failed.length > 0) return EXIT.failed;
  return exitCode && copies.length > 0 ? EXIT.drift : EXIT.done;
}

function reportRun(report: SyncReport, env: Env): number {
  const { copied, current, skipped, failed, untried, bytes, ms } = report;
  const plain = failed.map(({ image, error }) => ({
    image,
    error: { code: error.code, message: error.message, hint: error.hint, side: error.side },
  }));
  if (env.json)
    env.print(JSON.stringify({ type: 'summary', copied, current, skipped, failed: plain, untried, bytes, ms }));
  else
    env.say(
      `${copied} copied, ${current} unchanged, ${skipped} skipped, ${failed.length} failed${untried > 0 ? `, ${untried} not tried` : ''}; ${formatBytes(bytes)} in ${formatDuration(ms)}`,
    );
  for (const { image, error } of failed) env.sayFailed(image, error);
  return failed.length > 0 || untried > 0 ? EXIT.failed : EXIT.done;
}
