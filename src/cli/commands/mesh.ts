import { OclError } from '../../core/errors.ts';
import { defineCommand, type Command } from '../command.ts';
import { MESH_ACTIONS } from '../mesh/actions.ts';

const NAMES = MESH_ACTIONS.map(({ usage }) => usage.split(' ')[0] ?? '');

/** Each action is a command with options of its own. */
export const mesh: Command<unknown> = {
  build(cli) {
    let actions = cli;
    for (const { usage, describe, load } of MESH_ACTIONS)
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
  (cli) =>
    cli
      .positional('action', { choices: NAMES, describe: 'What to do; each has options of its own' })
      .example('$0 mesh pack design.yml design.tar', 'A design as a file that Meshery imports and OCI tools read'),
  () => {
    throw new OclError('OCL_USAGE', 'Cannot run ocl mesh: name what to do', { hint: 'ocl mesh --help' });
  },
);
