import { extname } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type Reference } from '../../core/reference.ts';
import { Copier } from '../../copy/copier.ts';
import { bundleName, writeBundle, type MissingPart } from '../../mesh/bundle.ts';
import { collectBundle } from '../../mesh/collect.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { selectOptions, toSelect } from '../select.ts';
import { inputReference } from './input.ts';
import { packingOptions, toPacking } from './packing.ts';
import { parseShelvesPlace } from './shelvesPlace.ts';

export const bundle = defineCommand(
  (cli) =>
    packingOptions(selectOptions(cli))
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Designs (files or references) and whatever else goes along, then the target: a layout, archive or registry',
      })
      .option('models', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe:
          'Where the models are that the designs refer to: a directory, layout, archive or HOST[/NAMESPACE] (repeatable)',
      })
      .option('images-from', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Where container images are looked for before their own registries (repeatable)',
      })
      .option('registries', {
        type: 'boolean',
        default: true,
        describe: 'Ask the registries that images name; --no-registries looks in --images-from alone',
      })
      .option('images', {
        type: 'boolean',
        default: true,
        describe: 'Carry the container images; --no-images leaves them',
      })
      .option('allow-missing', {
        type: 'boolean',
        default: false,
        describe: 'Write the bundle without what is not found, and say in it what that is',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .example(
        '$0 mesh bundle shop.yml shop.tar --models ./meshmodel',
        'A design with its models and images, for ocl import on the far side',
      )
      .example(
        '$0 mesh bundle shop.yml ocidir://carry:1.0 --models registry.local:5000/meshery --images-from ./mirror',
        'Into a layout, for ocl export',
      ),
  async (args) => {
    const inputs = args.paths.slice(0, -1);
    const last = args.paths.at(-1);
    if (inputs.length === 0 || last === undefined)
      throw new OclError('OCL_USAGE', 'Cannot bundle: name the designs and then the target', {
        hint: 'ocl mesh bundle design.yml bundle.tar --models ./models',
      });
    const models = args.models.map(parseShelvesPlace);
    const images = args.imagesFrom.map(parseShelvesPlace);
    const target = bundleTarget(last);
    const packing = toPacking(args);
    await runCommand(args, { overwrite: args.overwrite, dockerPlatform: args.platform[0] }, async (env) => {
      const { stores, clock, emit, signal, tmpDir } = env;
      const contents = await collectBundle(inputs.map(inputReference), {
        stores,
        tmpDir,
        models,
        images,
        pack: packing,
        withImages: args.images,
        ownRegistries: args.registries,
        signal,
        onNote: (message) => emit({ type: 'notice', level: 'info', message }),
      });
      judge(contents.missing, args.allowMissing, env);
      const to = await stores.sink(target);
      const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
      const named = target.kind !== 'registry';
      const full = bundleName(contents, target.tag);
      const results = await writeBundle(contents, to, {
        copier,
        select: toSelect(args),
        named,
        name: named ? { tag: target.tag ?? full, imageName: full } : { tag: full.slice(full.lastIndexOf(':') + 1) },
      });
      const index = results.at(-1)?.root.digest;
      const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
      const parts = contents.parts.map(({ role, name, root }) => ({ role, name, digest: root.digest }));
      if (env.json)
        env.print(
          JSON.stringify({ type: 'bundle', target: last, digest: index, bytes, parts, missing: contents.missing }),
        );
      else {
        for (const { role, name, digest } of parts) env.say(printable(`${role.padEnd(12)} ${name}@${digest}`));
        env.print(`${printable(last)}@${index ?? ''}  ${plural(parts.length, 'part')}, ${formatBytes(bytes)}`);
      }
    });
  },
);

/** A bare name with the ending of an archive is a file, not an image of Docker Hub. */
function bundleTarget(text: string): Reference {
  const isFile = ['.tar', '.oci'].includes(extname(text)) && !text.includes(':');
  return isFile ? { kind: 'path', path: text } : inputReference(text);
}

/** Each missing part is told; without leave the first of them ends it. @throws OCL_INCOMPLETE */
function judge(missing: readonly MissingPart[], allowed: boolean, env: Env): void {
  for (const part of missing) env.emit({ type: 'notice', level: 'warning', message: sentence(part) });
  if (missing.length === 0 || allowed) return;
  throw new OclError(
    'OCL_INCOMPLETE',
    `Cannot bundle: ${plural(missing.length, 'part')} not found: ${missing.map(({ role, name }) => `${role} ${name}`).join(', ')}`,
    { hint: 'say where they are with --models or --images-from, or leave them with --allow-missing' },
  );
}

function sentence({ role, name, asked, neededBy }: MissingPart): string {
  const where = asked.length === 0 ? 'which is no name of an image' : `not in ${asked.join(', ')}`;
  const others = neededBy.length > 3 ? ` and ${neededBy.length - 3} more` : '';
  return `missing ${role} ${name}: ${where}; needed by ${neededBy.slice(0, 3).join(', ')}${others}`;
}
