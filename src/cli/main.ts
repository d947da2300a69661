import yargs, { type Argv } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { toOclError } from '../core/errors.ts';
import { ownOptionsFirst } from './command.ts';
import { COMMANDS } from './commands.ts';
import { hideDashes, restoreDashes } from './dash.ts';
import { EXIT_OF } from './exit.ts';
import { misgiven, type KnownOptions } from './given.ts';
import { reportError } from './run.ts';
import { outliveReaders } from './unread.ts';
import { regsyncOnly, usageError } from './usage.ts';
import { version } from './version.ts';

async function main(argv: readonly string[]): Promise<void> {
  const json = argv.includes('--json');
  const known = (): KnownOptions => (cli as unknown as { getOptions(): KnownOptions }).getOptions();
  let cli: Argv = yargs(hideDashes(argv))
    .scriptName('ocl')
    .usage('$0 <command>\n\nOCI images and artifacts, carried where there is no network.')
    .parserConfiguration({
      'camel-case-expansion': true,
      'strip-dashed': true,
      'parse-positional-numbers': false,
      'parse-numbers': false,
      'duplicate-arguments-array': true,
      'boolean-negation': true,
      'dot-notation': false,
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print results and events as JSON', global: true })
    .option('quiet', {
      alias: 'q',
      type: 'boolean',
      default: false,
      describe: 'Print results and errors alone',
      global: true,
    })
    .option('plain-http', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'Speak http to this HOST[:PORT] (repeatable)',
      global: true,
    })
    .option('insecure', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'Take any certificate of this HOST[:PORT] (repeatable)',
      global: true,
    })
    .option('cert-dir', {
      type: 'string',
      requiresArg: true,
      describe: 'Authorities (*.crt) and client certificates (X.cert with X.key), or directories HOST[:PORT] of them',
      global: true,
    })
    .option('limit-rate', {
      type: 'string',
      requiresArg: true,
      describe: 'Bytes a second of all transfers together, both directions added up: 500K, 10M (K is 1024)',
      global: true,
    })
    .option('tmpdir', {
      type: 'string',
      describe: 'Where compressed archives are unpacked while they are read',
      global: true,
    })
    .help('help')
    .alias('help', 'h')
    .version(version)
    .alias('version', 'v')
    .completion('completion', 'Print a completion script for bash or zsh: ocl completion >> ~/.bashrc')
    .group(
      ['json', 'quiet', 'plain-http', 'insecure', 'cert-dir', 'limit-rate', 'tmpdir', 'help', 'version'],
      'Options of every command:',
    )
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .strict()
    .demandCommand(1, 'name a command')
    // What it says is read and put into other words, so it must not follow the language of the machine.
    .locale('en')
    .showHelpOnFail(false)
    .exitProcess(false)
    .middleware(restoreDashes)
    .check((args) => {
      const why = misgiven(args, known(), argv);
      if (why !== undefined) throw usageError(why, argv);
      return true;
    }, true)
    .fail((message, error: unknown) => {
      throw error ?? usageError(message, argv, Object.keys(known().key));
    });
  for (const { usage, describe, load } of COMMANDS) {
    cli = cli.command(
      usage,
      describe,
      async (command) => ownOptionsFirst((await load()).build(command)),
      async (args) => {
        await (await load()).run(args as never);
      },
    );
  }
  try {
    const foreign = regsyncOnly(argv);
    if (foreign !== undefined) throw foreign;
    await cli.parseAsync();
  } catch (error) {
    // Yargs makes its own error of what the reader of an option throws.
    const ofYargs = error instanceof Error && error.name === 'YError';
    const failure = ofYargs ? usageError(error.message, argv) : toOclError(error);
    reportError(failure, json);
    process.exitCode = EXIT_OF[failure.code];
  }
}

outliveReaders();
await main(hideBin(process.argv));
