import { syncJsonSchema } from '../../sync/jsonSchema.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';

export const schema = defineCommand(
  (cli) => cli.example('$0 sync schema > sync.schema.json', 'For # yaml-language-server: $schema=sync.schema.json'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, (env) => {
      env.print(JSON.stringify(syncJsonSchema(), undefined, env.json ? undefined : 2));
      return Promise.resolve();
    });
  },
);
