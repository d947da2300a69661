import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { Copier } from '../../copy/copier.ts';
import { bumpFile } from '../../mesh/bump.ts';
import { openShelves } from '../../mesh/shelves.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { parseShelvesPlace } from './shelvesPlace.ts';

export const bump = defineCommand(
  (cli) =>
    cli
      .positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Documents: designs, and the model.json of models',
      })
      .option('minor', { type: 'boolean', default: false, describe: '1.2.3 becomes 1.3.0; without it 1.2.4' })
      .option('major', { type: 'boolean', default: false, describe: '1.2.3 becomes 2.0.0' })
      .option('after', {
        type: 'string',
        requiresArg: true,
        describe: 'Where they are published: the new version is after the last one there as well',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'Say the version, and write nothing' })
      .example('$0 mesh bump design.yml', 'Nothing else of the file changes')
      .example(
        '$0 mesh bump design.yml --minor --after registry.local:5000/meshery',
        'After what others have published',
      ),
  async (args) => {
    if (args.minor && args.major)
      throw new OclError('OCL_USAGE', 'Cannot bump the minor and the major version at once', {
        hint: 'leave --minor or --major away',
      });
    const part = args.major ? 'major' : args.minor ? 'minor' : 'patch';
    const place = args.after === undefined ? undefined : parseShelvesPlace(args.after);
    await runCommand(args, {}, async (env) => {
      const { stores, clock, emit, signal } = env;
      const after =
        place === undefined ? undefined : openShelves(place, { stores, copier: new Copier({ clock, emit, signal }) });
      for (const file of args.files) {
        const bumped = await bumpFile(file, { part, after, dryRun: args.dryRun });
        if (env.json) env.print(JSON.stringify({ type: 'bumped', ...bumped, written: !args.dryRun }));
        else env.print(printable(`${file}  ${bumped.from ?? 'no version'} -> ${bumped.to}`));
      }
    });
  },
);
