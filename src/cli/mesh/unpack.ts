import { stat } from 'node:fs/promises';
import { printable } from '../../core/redact.ts';
import { unpackEntities } from '../../mesh/unpack.ts';
import { judgeArchive, type Verdict } from '../../mesh/verdict.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { inputReference, noteTo } from './input.ts';

export const unpack = defineCommand(
  (cli) =>
    cli
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
    await runCommand(args, {}, async (env) => {
      const { stores, tmpDir, emit, signal } = env;
      const note = noteTo(emit);
      const reference = inputReference(args.input);
      const entities = await unpackEntities(reference, args.output, {
        stores,
        tmpDir,
        signal,
        overwrite: args.overwrite,
        onNote: note,
      });
      for (const { origin, notes } of entities) for (const each of notes) note(`${origin}: ${each}`);
      for (const { kind, name, version, id, schemaVersion, origin, directory, files } of entities) {
        if (env.json)
          env.print(
            JSON.stringify({ type: 'unpacked', kind, name, version, id, schemaVersion, origin, directory, files }),
          );
        else env.print(printable(`${directory}  ${kind} ${name} ${version}, ${plural(files.length, 'file')}`));
      }
      const verdict = reference.kind === 'registry' ? undefined : await judgeFile(reference.path, tmpDir);
      if (verdict?.recognised === true && verdict.why !== undefined)
        emit({
          type: 'notice',
          level: 'info',
          message: `Meshery itself would not import ${args.input}: ${verdict.why}`,
        });
      return EXIT.done;
    });
  },
);

async function judgeFile(path: string, tmpDir: string): Promise<Verdict | undefined> {
  return (await stat(path)).isFile() ? await judgeArchive(path, tmpDir) : undefined;
}
