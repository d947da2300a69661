import { OclError } from '../../core/errors.ts';
import { commandOr, namesOf } from '../actionsOf.ts';
import { defineCommand } from '../command.ts';
import { ACTIONS } from '../sync/actions.ts';
import { once } from '../sync/once.ts';

const unnamed = defineCommand(
  (cli) =>
    once.build(
      cli.positional('action', { choices: namesOf(ACTIONS), describe: 'What to do; once when it is not named' }),
    ),
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

/** Each action is a command with options of its own; without one it is `once`. */
export const sync = commandOr(unnamed, ACTIONS);
