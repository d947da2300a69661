import { Copier } from '../../copy/copier.ts';
import { type Listed } from '../../sync/list.ts';
import { type SyncObserver } from '../../sync/outcome.ts';
import { planSync, type PlannedJob } from '../../sync/plan.ts';
import { PlanTotals } from '../../sync/planTotals.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { configOption, noteNoSteps, openConfig } from './file.ts';
import { envOptions } from './hosts.ts';
import { prunedLines, pruneOption, stateOption } from './journal.ts';
import { plainPlan, plannedRegistries, planTables, type PlannedRegistry } from './planned.ts';

export const check = defineCommand(
  (cli) =>
    pruneOption(stateOption(configOption(cli)))
      .option('exit-code', {
        type: 'boolean',
        default: false,
        describe: 'Exit with 2 when something would be copied or pruned',
      })
      .option('measure', {
        type: 'boolean',
        default: false,
        describe: 'Count bytes and all pulls, which reads manifests at the source and so costs these pulls',
      })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Requests under way at once' })
      .example('$0 sync check --config sync.yaml', 'What would be copied?')
      .example('$0 sync check --config sync.yaml --exit-code', 'What is out of date?')
      .example(
        '$0 sync check --config sync.yaml --measure',
        'How many bytes and pulls is it, and how long will it take?',
      )
      .example('$0 sync check --config sync.yaml --json', 'For scripts: images and registries; null is unknown'),
  async (args) => {
    const config = await openConfig(args.config);
    await runCommand(args, envOptions(config), async (env) => {
      const { clock, emit, signal, stores } = env;
      noteNoSteps(config, env);
      const jobs: PlannedJob[] = [];
      const listed: Listed[] = [];
      const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
      const catalog = (registry: string): AsyncIterable<string> => env.registries.catalog(registry);
      const totals = new PlanTotals();
      const options = { clock, emit, signal, catalog, copier, measure: args.measure, totals };
      const observer: SyncObserver = { listed: (one) => void listed.push(one) };
      for await (const job of planSync(config, stores, { ...options, observer })) jobs.push(job);
      jobs.unshift(...(await prunedLines(config, args, listed, env)));
      const registries = await plannedRegistries(totals.registries, jobs, args, env);
      return reportPlan(jobs, registries, env, args.exitCode);
    });
  },
);

function reportPlan(
  jobs: readonly PlannedJob[],
  registries: readonly PlannedRegistry[],
  env: Env,
  exitCode: boolean,
): number {
  const failed = jobs.filter(({ action }) => action === 'failed');
  const copies = jobs.filter(({ action }) => action === 'copy');
  const prunes = jobs.filter(({ action }) => action === 'prune');
  if (env.json) env.print(JSON.stringify(plainPlan(jobs, registries)));
  else for (const table of planTables(jobs, registries)) env.print(table);
  env.say(
    `${copies.length} to copy${prunes.length > 0 ? `, ${prunes.length} to prune` : ''}, ${jobs.length - copies.length - prunes.length - failed.length} unchanged or skipped, ${failed.length} failed`,
  );
  if (failed.length > 0) return EXIT.failed;
  return exitCode && copies.length + prunes.length > 0 ? EXIT.drift : EXIT.done;
}
