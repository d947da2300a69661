import { type ArgumentsCamelCase, type Argv } from 'yargs';
import { type GlobalArguments } from './env.ts';

/** A command's options and its action; loaded only when it is called. */
export interface Command<T> {
  build(cli: Argv): Argv<T>;
  run(args: ArgumentsCamelCase<T> & GlobalArguments): Promise<void>;
}

/** Gives the options' types to the action. */
export function defineCommand<T>(
  build: (cli: Argv) => Argv<T>,
  run: (args: ArgumentsCamelCase<T> & GlobalArguments) => Promise<void>,
): Command<T> {
  return { build, run };
}

/** In help, what a command is about stands before the options that every command takes. Called when all its positionals are known. */
export function ownOptionsFirst<T>(cli: Argv<T>): Argv<T> {
  return cli.group([], 'Options:');
}

/** What `main` needs of a command before it is called; the rest is loaded then. */
export interface CommandEntry {
  readonly usage: string | readonly string[];
  readonly describe: string;
  readonly load: () => Promise<{ build(cli: Argv): Argv; run(args: never): Promise<void> }>;
}
