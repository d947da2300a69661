import { type Deprecation } from '../../artifact/deprecation.ts';
import { OclError } from '../../core/errors.ts';
import { Copier } from '../../copy/copier.ts';
import { bundledImages, deliverImages } from '../../mesh/bundled.ts';
import { deprecationsIn } from '../../mesh/deprecate.ts';
import { type Reference } from '../../core/reference.ts';
import { type Relocation } from '../../mesh/relocate.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { runCommand } from '../run.ts';
import { selectOptions, toSelect } from '../select.ts';
import { inputReference } from './input.ts';
import { relocationOptions, toRelocation } from './relocation.ts';
import { unpackAndTell } from './unpacked.ts';

export const pull = defineCommand(
  (cli) =>
    relocationOptions(selectOptions(cli))
      .positional('reference', {
        type: 'string',
        demandOption: true,
        describe: 'A version or alias in a registry or layout, or a bundle',
      })
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        describe: 'The directory to write to; several entities get one below it each',
      })
      .option('images-to', {
        type: 'string',
        requiresArg: true,
        describe: 'Of a bundle: bring its container images to this HOST[:PORT][/PREFIX], and call them so',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace files that are there' })
      .example('$0 mesh pull registry.local:5000/meshery/designs/shop:1 -o shop', 'The newest of version 1')
      .example(
        '$0 mesh pull shop.tar -o shop --images-to registry.far:5000/mirror',
        'A bundle: its images into a registry, its design pointing there',
      ),
  async (args) => {
    if (args.imagesTo !== undefined && args.registry !== undefined)
      throw new OclError('OCL_USAGE', 'Cannot take both --images-to and --registry: the one says the other', {
        hint: 'leave --registry away',
      });
    const reference = inputReference(args.reference);
    const relocation = toRelocation({ ...args, registry: args.imagesTo ?? args.registry });
    await runCommand(args, {}, async (env) => {
      for (const { name, deprecation } of await deprecationsIn(reference, env.stores))
        env.emit({ type: 'notice', level: 'warning', message: warning(name, deprecation) });
      if (args.imagesTo !== undefined && relocation !== undefined)
        await deliver(reference, relocation, { env, select: toSelect(args), concurrency: args.concurrency });
      const { output, overwrite } = args;
      await unpackAndTell(reference, { output, overwrite, relocation }, env);
    });
  },
);

function warning(name: string, { since, reason, replacedBy, endOfLife }: Deprecation): string {
  const facts = [
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(reason === undefined ? [] : [reason]),
    ...(replacedBy === undefined ? [] : [`use ${replacedBy.ref} instead`]),
    ...(endOfLife === undefined ? [] : [`its end is ${endOfLife}`]),
  ];
  return `${name} is deprecated${facts.length === 0 ? '' : `: ${facts.join('; ')}`}`;
}

async function deliver(
  reference: Reference,
  relocation: Relocation,
  {
    env,
    select,
    concurrency,
  }: { readonly env: Env; readonly select: ReturnType<typeof toSelect>; readonly concurrency: number },
): Promise<void> {
  const { stores, clock, emit, signal } = env;
  const images = await bundledImages(reference, stores);
  if (images.length === 0)
    emit({ type: 'notice', level: 'warning', message: 'there is no bundle with images to bring anywhere' });
  const copier = new Copier({ clock, emit, signal, concurrency });
  for await (const result of deliverImages(images, relocation, { stores, copier, select }))
    if (env.json) env.print(JSON.stringify({ type: 'delivered', image: result.image, digest: result.root.digest }));
}
