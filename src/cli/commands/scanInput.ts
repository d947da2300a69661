import { builtInTypes, TypeTable } from '../../artifact/types/table.ts';
import { Copier } from '../../copy/copier.ts';
import { OclError } from '../../core/errors.ts';
import { entryName, tagOf } from '../../core/names.ts';
import { parsePlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName, type FileReference, type Reference } from '../../core/reference.ts';
import { prepareInputs, type ScanInputs } from '../../scan/inputs/prepare.ts';
import { type NamedImage } from '../../scan/inputs/found.ts';
import { SCANNERS, type ScannerName } from '../../scan/inputs/scanners.ts';
import { ownRepository } from '../../stores.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { parsePlace } from '../place.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { version } from '../version.ts';

export const scanInput = defineCommand(
  (cli) =>
    cli
      .positional('places', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Images, layouts, libraries or archives; all that is in them',
      })
      .option('for', {
        alias: 'f',
        choices: [...SCANNERS, 'all'] as const,
        array: true,
        nargs: 1,
        demandOption: true,
        describe: 'A scanner (repeatable)',
      })
      .option('output', { alias: 'o', type: 'string', demandOption: true, describe: 'The directory to make' })
      .option('platform', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Only images for this platform (repeatable); all when it is not said',
      })
      .option('served-at', {
        type: 'string',
        requiresArg: true,
        default: 'http://127.0.0.1:5000',
        describe: 'Where `ocl serve` serves the same place, for Clair, which fetches layers by itself',
      })
      .example('$0 scan-input ./mirror --for trivy -o scan && sh scan/run.sh', 'Scan all that a library holds')
      .example('$0 scan-input bundle.tar --for grype --for sbom -o scan', 'Images, and the SBOMs that came with them')
      .example('$0 scan-input ocidir://app:1.0 --for all --platform linux/amd64 -o scan', 'Every form of one image'),
  async (args) => {
    const references = args.places.map(parsePlace);
    const platforms = args.platform.map(parsePlatform);
    const scanners: readonly ScannerName[] = SCANNERS.filter((name) =>
      args.for.some((asked) => asked === name || asked === 'all'),
    );
    await runCommand(args, { overwrite: false }, async (env) => {
      const { stores, clock, emit, signal } = env;
      const inputs = await prepareInputs(namedImages(references, env), args.output, {
        stores,
        copier: new Copier({ clock, emit, signal }),
        types: new TypeTable(builtInTypes()),
        emit,
        scanners,
        platforms,
        servedAt: args.servedAt,
        tool: { name: 'ocl', version },
        signal,
      });
      if (env.json) env.print(JSON.stringify({ type: 'summary', output: args.output, ...inputs }));
      else env.say(text(args.output, inputs));
      return inputs.inputs.length === 0 ? EXIT.notFound : EXIT.done;
    });
  },
);

async function* namedImages(references: readonly Reference[], env: Env): AsyncGenerator<NamedImage> {
  for (const reference of references) {
    if (reference.kind === 'registry') {
      const source = await env.stores.source(reference);
      const root = await source.resolve(wantedName(reference) as string);
      yield { reference: formatReference(reference), repository: reference.repository, source, root };
    } else yield* localImages(reference, env);
  }
}

async function* localImages(reference: FileReference, env: Env): AsyncGenerator<NamedImage> {
  const library = await env.stores.library(reference);
  const wanted = wantedName(reference);
  const repositories = new Set(await library.repositories());
  // What has no name is in no repository of a bundle, but in the bundle.
  if (library.whole !== undefined && wanted === undefined) repositories.add(ownRepository(reference.path));
  for (const repository of repositories) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    for (const root of wanted === undefined ? await source.roots() : [await source.resolve(wanted)]) {
      const tag = tagOf(root);
      yield {
        reference:
          tag === undefined ? (entryName(root).imageName ?? `${repository}@${root.digest}`) : `${repository}:${tag}`,
        repository,
        source,
        root,
      };
    }
  }
  if (repositories.size === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot find an image in ${formatReference(reference)}`, {
      hint: `ocl ls ${reference.path}`,
    });
}

const SHOWN = 10;

function text(output: string, { inputs, skipped }: ScanInputs): string {
  const forms = new Map<string, number>();
  for (const { form } of inputs) forms.set(form, (forms.get(form) ?? 0) + 1);
  const lines = [
    `${output}: ${plural(inputs.length, 'input')}${inputs.length === 0 ? '' : ` (${[...forms].map(([form, count]) => `${count} ${form}`).join(', ')})`}, ${skipped.length} left out`,
    ...skipped
      .slice(0, SHOWN)
      .map(
        ({ reference, digest, reason }) =>
          `  left out: ${printable(reference)} (${digest.slice(0, 19)}): ${printable(reason)}`,
      ),
  ];
  if (skipped.length > SHOWN) lines.push(`  and ${skipped.length - SHOWN} more: see scan-input.json`);
  const notes = inputs.flatMap(({ path, notes: all }) => all.map((note) => `  ${path}: ${printable(note)}`));
  lines.push(...notes.slice(0, SHOWN));
  if (inputs.length > 0) lines.push(`next: sh ${output}/run.sh`);
  return lines.join('\n');
}
