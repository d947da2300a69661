import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { Copier } from '../../copy/copier.ts';
import { type Entity } from '../../mesh/entity.ts';
import { packEntities, type Packed, type PackIntoOptions } from '../../mesh/packInto.ts';
import { readEntities } from '../../mesh/read.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { inputReference, noteTo, quietCopies } from './input.ts';
import { packingOptions, toPacking } from './packing.ts';
import { packTarget } from './target.ts';

export const pack = defineCommand(
  (cli) =>
    packingOptions(cli)
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Files, directories or references with entities of Meshery, then the target',
      })
      .option('format', {
        choices: ['oci', 'meshery-legacy'] as const,
        default: 'oci' as const,
        describe: 'Of an archive: an image layout that Meshery imports as well, or just what Meshery itself writes',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'Replace a version that is there with another content',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 mesh pack design.yml design.tar', 'A design as a file that Meshery imports and OCI tools read')
      .example('$0 mesh pack ./models registry.local:5000/meshery', 'A tree of models, as meshery/models/NAME')
      .example('$0 mesh pack design.yml ocidir://store:v1', 'A design into a layout, under a tag of your own'),
  async (args) => {
    const inputs = args.paths.slice(0, -1);
    const target = args.paths.at(-1);
    if (inputs.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot pack: name the inputs and then the target', {
        hint: 'ocl mesh pack design.yml design.tar',
      });
    const legacy = args.format === 'meshery-legacy';
    const how = toPacking(args, legacy);
    const open = packTarget(target, { legacy });
    await runCommand(args, { overwrite: args.overwrite, archiveForm: legacy ? 'docker' : 'layout' }, async (env) => {
      const { clock, emit, signal } = env;
      const loud = new Copier({ clock, emit, signal, concurrency: args.concurrency });
      const shelves = open(env, loud);
      const copier = shelves.staged === true ? new Copier({ clock, emit: quietCopies(emit), signal }) : loud;
      const note = noteTo(emit);
      const failed: { readonly origin: string; readonly error: OclError }[] = [];
      const onFailed = (origin: string, error: OclError): void => void failed.push({ origin, error });
      const packed: Packed[] = [];
      const entities = readAll(inputs, env, onFailed);
      const options: PackIntoOptions = { copier, pack: how, onFailed, force: args.force };
      for await (const one of packEntities(entities, shelves, options)) {
        packed.push(one);
        for (const each of one.notes) note(`${one.origin}: ${each}`);
        if (env.json) env.print(JSON.stringify({ type: 'packed', ...one }));
        else env.print(printable(`${one.target}@${one.digest}`));
      }
      // One thing that fails alone is the failure of the command, with its own exit status.
      const [first] = failed;
      if (first !== undefined && failed.length === 1 && packed.length === 0) throw first.error;
      for (const { origin, error } of failed) env.sayFailed(origin, error);
      const unchanged = packed.filter(({ outcome }) => outcome === 'unchanged').length;
      const counts = { packed: packed.length - unchanged, unchanged, failed: failed.length };
      if (env.json) env.print(JSON.stringify({ type: 'summary', target, ...counts }));
      else if (packed.length > 1 || failed.length > 0)
        env.say(
          `${printable(target)}: ${counts.packed === 1 ? '1 entity' : `${counts.packed} entities`} packed, ${unchanged} unchanged, ${failed.length} failed`,
        );
      return failed.length > 0 ? EXIT.failed : EXIT.done;
    });
  },
);

async function* readAll(
  inputs: readonly string[],
  { stores, tmpDir, emit, signal }: Env,
  onFailed: (origin: string, error: OclError) => void,
): AsyncGenerator<Entity> {
  const options = {
    stores,
    tmpDir,
    onNote: noteTo(emit),
    onBroken: (error: OclError, place: string): void => onFailed(place, error),
  };
  for (const input of inputs) {
    for await (const entity of readEntities(inputReference(input), options)) {
      signal.throwIfAborted();
      yield entity;
    }
  }
}
