import { printable } from '../../core/redact.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { configOption, readConfig } from './file.ts';

export const lint = defineCommand(
  (cli) =>
    configOption(cli)
      .option('strict', { type: 'boolean', default: false, describe: 'Exit with 1 when there are warnings' })
      .option('server', {
        type: 'boolean',
        default: false,
        describe: 'The file is for ocl sync server: steps that never run are worth a warning',
      })
      .example('$0 sync lint --config sync.yaml', 'All that can be said of a file')
      .example('$0 sync lint --config sync.yaml --strict --json', 'In a pipeline'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const { warnings: findings } = await readConfig(args.config, { lint: { server: args.server } });
      const warnings = findings.filter(({ level }) => level === 'warning').length;
      const infos = findings.length - warnings;
      for (const finding of findings) {
        const { file, line, column, level, message } = finding;
        if (env.json) env.print(JSON.stringify({ type: 'finding', level, file, line, column, message }));
        else env.print(`${printable(file)}:${line}:${column}: ${level}: ${printable(message)}`);
      }
      if (env.json) env.print(JSON.stringify({ type: 'summary', warnings, infos }));
      else
        env.say(
          findings.length === 0 ? 'nothing to remark' : `${plural(warnings, 'warning')}, ${infos} for information`,
        );
      return args.strict && warnings > 0 ? EXIT.failed : EXIT.done;
    });
  },
);
