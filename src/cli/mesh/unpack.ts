import { stat } from 'node:fs/promises';
import { judgeArchive, type Verdict } from '../../mesh/verdict.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { inputReference } from './input.ts';
import { relocationOptions, toRelocation } from './relocation.ts';
import { unpackAndTell } from './unpacked.ts';

export const unpack = defineCommand(
  (cli) =>
    relocationOptions(cli)
      .positional('input', {
        type: 'string',
        demandOption: true,
        describe: 'A file that ocl or Meshery wrote, or a reference to a registry, layout or archive',
      })
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        describe: 'The directory to write to; several entities get one below it each',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace files that are there' })
      .example('$0 mesh unpack design.tar -o design', 'The files of a design as they were')
      .example('$0 mesh unpack registry.local:5000/models/istio:1.2 -o istio', 'From a registry'),
  async (args) => {
    const { output, overwrite } = args;
    const relocation = toRelocation(args);
    await runCommand(args, {}, async (env) => {
      const reference = inputReference(args.input);
      await unpackAndTell(reference, { output, overwrite, relocation }, env);
      const verdict = reference.kind === 'registry' ? undefined : await judgeFile(reference.path, env.tmpDir);
      if (verdict?.recognised === true && verdict.why !== undefined)
        env.emit({
          type: 'notice',
          level: 'info',
          message: `Meshery itself would not import ${args.input}: ${verdict.why}`,
        });
    });
  },
);

async function judgeFile(path: string, tmpDir: string): Promise<Verdict | undefined> {
  return (await stat(path)).isFile() ? await judgeArchive(path, tmpDir) : undefined;
}
