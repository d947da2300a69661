import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { Copier } from '../../copy/copier.ts';
import { type Published } from '../../mesh/publish.ts';
import { pushEntities } from '../../mesh/push.ts';
import { openShelves } from '../../mesh/shelves.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { inputReference, quietCopies } from './input.ts';
import { packingOptions, toPacking } from './packing.ts';
import { parseShelvesPlace } from './shelvesPlace.ts';

export const push = defineCommand(
  (cli) =>
    packingOptions(cli)
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Files, directories or references with entities, then HOST[:PORT][/NAMESPACE], a library, layout or archive',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'Replace a version that is there with another content',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .example(
        '$0 mesh push design.yml registry.local:5000/meshery',
        'As meshery/designs/NAME, with latest and the like',
      )
      .example('$0 mesh push ./models ./library', 'All models of a directory, each a layout of a library'),
  async (args) => {
    const inputs = args.paths.slice(0, -1);
    const target = args.paths.at(-1);
    if (inputs.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot push: name the inputs and then the target', {
        hint: 'ocl mesh push design.yml registry.example/meshery',
      });
    const place = parseShelvesPlace(target);
    const packing = toPacking(args);
    await runCommand(args, { overwrite: args.overwrite }, async (env) => {
      const { stores, clock, emit, signal, tmpDir } = env;
      const copier = new Copier({ clock, emit: quietCopies(emit), signal });
      const shelves = openShelves(place, { stores, copier });
      const published: Published[] = [];
      const failed: { readonly entity: string; readonly error: OclError }[] = [];
      for (const input of inputs) {
        const found = pushEntities(inputReference(input), shelves, {
          stores,
          copier,
          tmpDir,
          force: args.force,
          pack: packing,
          onNote: (message) => emit({ type: 'notice', level: 'info', message }),
          onFailed: (entity, error) => failed.push({ entity, error }),
        });
        for await (const one of found) {
          published.push(one);
          if (env.json) env.print(JSON.stringify({ type: 'published', ...one }));
          else env.print(line(one));
        }
      }
      // One thing that fails alone is the failure of the command, with its own exit status.
      const [first] = failed;
      if (first !== undefined && failed.length === 1 && published.length === 0) throw first.error;
      await shelves.finish();
      for (const { entity, error } of failed) env.sayFailed(entity, error);
      const unchanged = published.filter(({ outcome }) => outcome === 'unchanged').length;
      const counts = { published: published.length - unchanged, unchanged, failed: failed.length };
      if (env.json) env.print(JSON.stringify({ type: 'summary', target: shelves.name, ...counts }));
      else
        env.say(
          `${printable(shelves.name)}: ${plural(counts.published, 'version')} published, ${unchanged} unchanged, ${failed.length} failed`,
        );
      return failed.length > 0 ? EXIT.failed : EXIT.done;
    });
  },
);

function line({ repository, tag, digest, outcome, aliases, previous }: Published): string {
  const also = Object.keys(aliases).toSorted();
  const facts = [
    ...(also.length === 0 ? [] : [`also ${also.join(', ')}`]),
    ...(previous === undefined ? [] : [`after ${previous.version}`]),
  ];
  const more = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  return printable(`${repository}:${tag}@${digest}  ${outcome}${more}`);
}
