import { inspectBundle, type BundleInspection, type InspectedImage } from '../../artifact/cnab/inspect.ts';
import { shortDigest } from '../../core/digest.ts';
import { printable } from '../../core/redact.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, formatTable, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { withBundle } from './open.ts';

export const inspect = defineCommand(
  (cli) =>
    cli
      .positional('bundle', {
        type: 'string',
        demandOption: true,
        describe: 'A bundle in a registry or layout, a thick archive, or a bundle.json',
      })
      .example('$0 cnab inspect registry.local:5000/shop:1.0', 'A bundle in a registry')
      .example('$0 cnab inspect shop.tgz', 'A thick archive'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      await withBundle(args.bundle, env, async (open) => {
        const inspection = await inspectBundle(open);
        env.print(env.json ? JSON.stringify(inspection) : text(inspection));
      });
    });
  },
);

const FORMS: Readonly<Record<BundleInspection['form'], string>> = {
  index: 'index with annotations',
  list: 'index without annotations (the bundle file was found by trial)',
  thick: 'thick archive',
  file: 'bundle file alone',
};

function text(inspection: BundleInspection): string {
  const { name, version, description, schemaVersion, form, digest, configMediaType, images } = inspection;
  const facts: [string, string | undefined][] = [
    ['Bundle', [name, version].filter((part) => part !== undefined).join(' ')],
    ['About', description],
    ['Schema', schemaVersion],
    ['Form', FORMS[form]],
    ['Digest', digest],
    ['Config', configMediaType],
  ];
  const lines = facts
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([label, value]) => `${`${label}:`.padEnd(9)}${printable(value ?? '')}`);
  const rows = images.map((image) => [
    image.role === 'invocation' ? 'invocation' : printable(image.name),
    image.digest === undefined ? '-' : shortDigest(image.digest),
    image.size === undefined ? '-' : formatBytes(image.size),
    image.problem === undefined ? image.where : 'DAMAGED',
    image.by ?? '-',
    image.platforms.length === 0 ? '-' : printable(image.platforms.join(', ')),
    printable(image.reference),
  ]);
  const table = formatTable(['IMAGE', 'DIGEST', 'SIZE', 'WHERE', 'TOLD BY', 'PLATFORMS', 'REFERENCE'], rows);
  return [...lines, table, ...foreignLines(images), ...next(images)].join('\n');
}

function foreignLines(images: readonly InspectedImage[]): readonly string[] {
  const foreign = images.flatMap((image) => image.foreign);
  if (foreign.length === 0) return [];
  return [
    'Foreign layers (not copied unless --include-foreign is given):',
    ...foreign.map(
      ({ digest, size, urls }) =>
        `  ${digest}  ${formatBytes(size).padStart(8)}  ${printable(urls[0] ?? 'no address')}`,
    ),
  ];
}

function next(images: readonly InspectedImage[]): readonly string[] {
  const elsewhere = images.filter(({ where }) => where === 'elsewhere').length;
  return elsewhere === 0
    ? []
    : [
        `${plural(elsewhere, 'image')} elsewhere: ocl cnab relocate --include-foreign fetches what is elsewhere, without logins`,
      ];
}
