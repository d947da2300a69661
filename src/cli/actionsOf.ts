import { OclError } from '../core/errors.ts';
import { defineCommand, ownOptionsFirst, type Command, type CommandEntry } from './command.ts';

type Actions = readonly (CommandEntry & { readonly usage: string })[];

/**
 * A command whose actions are commands with options of their own, and that does nothing without one.
 * @param example a command line and what it does
 */
export function commandOf(name: string, actions: Actions, example: readonly [string, string]): Command<unknown> {
  const unnamed = defineCommand(
    (cli) =>
      cli
        .positional('action', { choices: namesOf(actions), describe: 'What to do; each has options of its own' })
        .example(...example),
    () => {
      throw new OclError('OCL_USAGE', `Cannot run ocl ${name}: name what to do`, { hint: `ocl ${name} --help` });
    },
  );
  return commandOr(unnamed, actions);
}

export function namesOf(actions: Actions): readonly string[] {
  return actions.map(({ usage }) => usage.split(' ')[0] ?? '');
}

/** The same for a command that does something without an action too. @param unnamed has the positional `action` */
export function commandOr(unnamed: Command<unknown>, actions: Actions): Command<unknown> {
  return {
    build(cli) {
      let named = cli;
      for (const { usage, describe, load } of actions)
        named = named.command(
          usage,
          describe,
          async (action) => ownOptionsFirst((await load()).build(action)),
          async (args) => {
            await (await load()).run(args as never);
          },
        );
      return named.command(
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
