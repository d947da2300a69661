import { formatConfig, printedConfig } from '../../sync/print.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { configOption, openConfig } from './file.ts';

export const config = defineCommand(
  (cli) =>
    configOption(cli)
      .option('show-secrets', {
        type: 'boolean',
        default: false,
        describe: 'Passwords, tokens and keys as they are, and not as ***',
      })
      .example('$0 sync config --config sync.yaml', 'What the file comes to')
      .example('$0 sync config -c sync.yaml --show-secrets > processed.yaml', 'A file that can be used instead'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const loaded = await openConfig(args.config);
      const options = { showSecrets: args.showSecrets };
      if (env.json) env.print(JSON.stringify(printedConfig(loaded, options)));
      else env.print(formatConfig(loaded, options).trimEnd());
    });
  },
);
