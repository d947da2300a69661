import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Copier } from '../../copy/copier.ts';
import { OclError } from '../../core/errors.ts';
import { parsePlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { isRegistryHost } from '../../core/reference.ts';
import { prepareInputs, type ScanInputs } from '../../scan/inputs/prepare.ts';
import { SCANNERS, type ScannerName } from '../../scan/inputs/scanners.ts';
import { layoutWithin } from '../cnab/open.ts';
import { endpointOf } from '../../stores/registry/hosts.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { namedImages } from '../namedImages.ts';
import { parsePlace } from '../place.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { loadTypes, typesOption } from '../types.ts';
import { version } from '../version.ts';

export const scanInput = defineCommand(
  (cli) =>
    typesOption(cli)
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
        describe:
          'Where the same place is served, for Clair, which fetches layers by itself: http://127.0.0.1:5000, as `ocl serve` does, or the registry that is named',
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
    const servedAt = args.servedAt === undefined ? undefined : readServedAt(args.servedAt);
    await runCommand(args, { overwrite: false }, async (env) => {
      const { stores, clock, emit, signal } = env;
      let directory: string | undefined;
      let inputs: ScanInputs;
      try {
        const images = namedImages(references, env, async (path) => {
          directory ??= await mkdtemp(join(env.tmpDir, 'ocl-scan-'));
          return await layoutWithin(path, directory);
        });
        inputs = await prepareInputs(images, args.output, {
          stores,
          copier: new Copier({ clock, emit, signal }),
          types: await loadTypes(args.types),
          emit,
          scanners,
          platforms,
          servedAt,
          addressOf: (registry) => endpointOf(registry, env.reach.hosts.get(registry) ?? {}).base,
          tool: { name: 'ocl', version },
          signal,
        });
      } finally {
        if (directory !== undefined) await rm(directory, { recursive: true, force: true });
      }
      if (env.json) env.print(JSON.stringify({ type: 'summary', output: args.output, ...inputs }));
      else env.say(text(args.output, inputs));
      return inputs.inputs.length === 0 ? EXIT.notFound : EXIT.done;
    });
  },
);

/** @throws OCL_USAGE */
function readServedAt(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (isWeb && url.username === '' && url.password === '' && url.search === '' && url.hash === '') return address;
  throw new OclError('OCL_USAGE', `Cannot send Clair to ${JSON.stringify(printable(address))}: it is no web address`, {
    hint: isRegistryHost(address) ? `--served-at http://${address}` : '--served-at http://registry.local:5000',
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
  const noted = new Map<string, string[]>();
  for (const { path, notes } of inputs) for (const note of notes) noted.set(note, [...(noted.get(note) ?? []), path]);
  for (const [note, [first = '', ...others]] of [...noted].slice(0, SHOWN))
    lines.push(`  ${first}${others.length === 0 ? '' : ` and ${others.length} more`}: ${printable(note)}`);
  if (inputs.length > 0) lines.push(`next: sh ${output}/run.sh`);
  return lines.join('\n');
}
