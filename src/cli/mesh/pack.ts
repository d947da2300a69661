import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { parseReference } from '../../core/reference.ts';
import { Copier } from '../../copy/copier.ts';
import { packInto } from '../../mesh/pack.ts';
import { readEntities } from '../../mesh/read.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { inputReference } from './input.ts';

export const pack = defineCommand(
  (cli) =>
    cli
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Files, directories or references with entities of Meshery, then the target',
      })
      .example('$0 mesh pack design.yml ocidir://store:v1', 'A design into a layout'),
  async (args) => {
    const inputs = args.paths.slice(0, -1);
    const target = args.paths.at(-1);
    if (inputs.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot pack: name the inputs and then the target', {
        hint: 'ocl mesh pack design.yml design.tar',
      });
    await runCommand(args, {}, async (env) => {
      const { stores, clock, emit, signal } = env;
      const copier = new Copier({ clock, emit, signal });
      for (const input of inputs) {
        for await (const entity of readEntities(inputReference(input), { stores })) {
          const packed = await packInto(entity, parseReference(target), { stores, copier });
          if (env.json) env.print(JSON.stringify({ type: 'packed', ...packed }));
          else env.print(printable(`${packed.target}@${packed.digest}`));
        }
      }
    });
  },
);
