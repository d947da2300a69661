import { OclError } from '../../core/errors.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { configOption, noteNoSteps, openConfig } from './file.ts';
import { envOptions } from './hosts.ts';
import { pruneOption, stateOption } from './journal.ts';
import { mirror } from './mirror.ts';

export const once = defineCommand(
  (cli) =>
    pruneOption(stateOption(configOption(cli)))
      .option('missing', {
        type: 'boolean',
        default: false,
        describe: 'Leave images alone whose tag is at the target, whatever it points at',
      })
      .option('report', { type: 'string', requiresArg: true, describe: 'Write what became of the run to this file' })
      .option('abort-on-error', {
        type: 'boolean',
        default: false,
        describe: 'Start nothing new after the first failure',
      })
      .option('keep-going', { type: 'boolean', default: false, describe: 'Go on after failures (what happens anyway)' })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 sync --config sync.yaml', 'Mirror once')
      .example(
        '$0 sync once --config sync.yaml --report report.json',
        'Mirror, and keep what failed for ocl sync retry',
      )
      .example('$0 sync once --config sync.yaml --missing', 'Only what is not there yet')
      .example('$0 sync once --config sync.yaml --abort-on-error', 'Stop at the first failure'),
  async (args) => {
    if (args.abortOnError && args.keepGoing)
      throw new OclError('OCL_USAGE', 'Cannot both stop at the first failure and go on', {
        hint: 'leave --abort-on-error or --keep-going away',
      });
    const config = await openConfig(args.config);
    await runCommand(args, envOptions(config), async (env) => {
      noteNoSteps(config, env);
      return await mirror(config, args, env);
    });
  },
);
