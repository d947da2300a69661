import { OclError } from '../core/errors.ts';
import { defineCommand, ownOptionsFirst, type Command, type CommandEntry } from './command.ts';

/**
 * A command whose actions are commands with options of their own.
 * @param example a command line and what it does
 */
export function commandOf(
  name: string,
  entries: readonly (CommandEntry & { readonly usage: string })[],
  example: readonly [string, string],
): Command<unknown> {
  const names = entries.map(({ usage }) => usage.split(' ')[0] ?? '');
  const unnamed = defineCommand(
    (cli) =>
      cli
        .positional('action', { choices: names, describe: 'What to do; each has options of its own' })
        .example(...example),
    () => {
      throw new OclError('OCL_USAGE', `Cannot run ocl ${name}: name what to do`, { hint: `ocl ${name} --help` });
    },
  );
  return {
    build(cli) {
      let actions = cli;
      for (const { usage, describe, load } of entries)
        actions = actions.command(
          usage,
          describe,
          async (action) => ownOptionsFirst((await load()).build(action)),
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
}
