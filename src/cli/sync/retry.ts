import { OclError } from '../../core/errors.ts';
import { mergeReports, readReport, retryOf } from '../../sync/reportFile.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { openConfig } from './file.ts';
import { envOptions } from './hosts.ts';
import { stateOption } from './journal.ts';
import { mirror } from './mirror.ts';

export const retry = defineCommand(
  (cli) =>
    stateOption(cli)
      .positional('file', { type: 'string', demandOption: true, describe: 'What --report wrote' })
      .option('config', {
        alias: 'c',
        type: 'string',
        requiresArg: true,
        describe: 'The YAML file [default: the one of the report]',
      })
      .option('report', {
        type: 'string',
        requiresArg: true,
        describe: 'Where the report of both runs goes [default: the file itself]',
      })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 sync retry report.json', 'Do what failed or was not reached, and bring the report up to date')
      .example('$0 sync retry report.json --config fixed.yaml', 'With another file'),
  async (args) => {
    const first = await readReport(args.file);
    const path = args.config ?? first.config;
    if (path === '-')
      throw new OclError('OCL_USAGE', `Cannot run ${args.file} again: its sync file came from standard input`, {
        hint: `ocl sync retry ${args.file} --config FILE`,
      });
    const { config, only, dropped } = retryOf(first, await openConfig(path));
    await runCommand(args, envOptions(config), async (env) => {
      if (first.complete) return env.say('nothing is left to do');
      if (dropped > 0)
        env.emit({
          type: 'notice',
          level: 'warning',
          message: `${dropped} of what is left belong to steps that ${path} does not have any more, and are dropped`,
        });
      const { state, concurrency, report = args.file } = args;
      return await mirror(config, { config: path, state, concurrency, report }, env, {
        only,
        merge: (retried) => mergeReports(first, retried),
      });
    });
  },
);
