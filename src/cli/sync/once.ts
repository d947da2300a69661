import { createHookRunner } from '../../sync/hooks.ts';
import { runSync, type SyncReport } from '../../sync/run.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, formatDuration } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { configOption, noteNoSteps, openConfig, surroundings } from './file.ts';
import { envOptions } from './hosts.ts';

export const once = defineCommand(
  (cli) =>
    configOption(cli)
      .option('abort-on-error', {
        type: 'boolean',
        default: false,
        describe: 'Start nothing new after the first failure',
      })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 sync --config sync.yaml', 'Mirror once')
      .example('$0 sync once --config sync.yaml --abort-on-error', 'Stop at the first failure'),
  async (args) => {
    const config = await openConfig(args.config);
    await runCommand(args, envOptions(config), async (env) => {
      const { clock, emit, signal, stores } = env;
      noteNoSteps(config, env);
      const report = await runSync(config, stores, {
        clock,
        emit,
        signal,
        catalog: (registry) => env.registries.catalog(registry),
        concurrency: args.concurrency,
        abortOnError: args.abortOnError,
        surroundings,
        runHook: createHookRunner({ clock, http: env.http, env: process.env, signal }),
      });
      return reportRun(report, env);
    });
  },
);

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
