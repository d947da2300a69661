import { OclError } from '../../core/errors.ts';
import { defineCommand, type Command } from '../command.ts';
import { ACTIONS } from '../sync/actions.ts';
import { once } from '../sync/once.ts';

const NAMES = ACTIONS.map(({ usage }) => usage.split(' ')[0] ?? '');

/** Each action is a command with options of its own; without one it is `once`. */
export const sync: Command<unknown> = {
  build(cli) {
    let actions = cli;
    for (const { usage, describe, load } of ACTIONS)
      actions = actions.command(
        usage,
        describe,
        async (action) => (await load()).build(action),
        async (args) => {
          await (await load()).run(args as never);
        },
      );
    return actions.command(
      '$0 [action]',
      false,
      (action) => unnamed.build(action),
      async (args) => await unnamed.run(args as never),
    );
  },
  // Yargs calls the action.
  run: () => Promise.resolve(),
};

const unnamed = defineCommand(
  (cli) => once.build(cli.positional('action', { choices: NAMES, describe: 'What to do; once when it is not named' })),
  async (args) => {
    // The word behind an option of an action was its value at first. To mirror where `check` was typed would be wrong.
    const { action } = args as { readonly action?: string };
    if (action !== undefined)
      throw new OclError('OCL_USAGE', `Cannot run ocl sync: "${action}" must stand before the options of its own`, {
        hint: `ocl sync ${action} --config FILE`,
      });
    await once.run(args);
  },
);
