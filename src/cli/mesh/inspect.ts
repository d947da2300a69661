import { printable } from '../../core/redact.ts';
import { inspectInput, type MeshInspected } from '../../mesh/inspect.ts';
import { type RequiredImage, type RequiredModel } from '../../mesh/requires.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { inputReference } from './input.ts';

export const inspect = defineCommand(
  (cli) =>
    cli
      .positional('input', { type: 'string', demandOption: true, describe: 'A file, directory, archive or reference' })
      .example('$0 mesh inspect design.yml', 'What a design is, and which models and images it needs')
      .example("$0 mesh inspect registry.local/designs/shop:1.2.0 --json | jq -r '.images[].image'", 'Its images'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const { stores, tmpDir } = env;
      let first = true;
      for await (const inspected of inspectInput(inputReference(args.input), { stores, tmpDir })) {
        if (env.json) env.print(JSON.stringify(inspected));
        else env.print((first ? '' : '\n') + text(inspected));
        first = false;
      }
    });
  },
);

function text(inspected: MeshInspected): string {
  const { kind, name, version, modelVersion, id, schemaVersion, files, size, counts, notes } = inspected;
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([part, count]) => `${count} ${count === 1 ? SINGULAR[part as keyof typeof counts] : part}`);
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Kind', kind],
    ['Name', name],
    ['Version', version],
    ['Describes', modelVersion],
    ['Schema', schemaVersion],
    ['Id', id],
    ['Reference', inspected.reference ?? inspected.origin],
    ['Digest', inspected.digest],
    ['Deprecated', deprecated(inspected)],
    ['Holds', parts.join(', ')],
    ['Size', `${formatBytes(size)} in ${plural(files, 'file')}`],
  ];
  return [
    ...facts.flatMap(([key, value]) => (value ? [`${`${key}:`.padEnd(13)}${printable(value)}`] : [])),
    ...section('Models', inspected.models.map(modelLine)),
    ...section('Images', inspected.images.flatMap(imageLines)),
    ...section('Notes', notes),
  ].join('\n');
}

const SINGULAR = {
  components: 'component',
  relationships: 'relationship',
  connections: 'connection',
  policies: 'policy',
} as const;

function deprecated({ deprecation }: MeshInspected): string | undefined {
  if (deprecation?.deprecated !== true) return undefined;
  const { since, reason, replacedBy, endOfLife } = deprecation;
  const facts = [
    since === undefined ? 'yes' : `since ${since}`,
    ...(reason === undefined ? [] : [reason]),
    ...(replacedBy === undefined ? [] : [`use ${replacedBy.ref}`]),
    ...(endOfLife === undefined ? [] : [`not after ${endOfLife}`]),
  ];
  return facts.join('; ');
}

function modelLine({ name, modelVersion, registrant, uses }: RequiredModel): string {
  const from = registrant === undefined ? '' : ` of ${registrant}`;
  return `${name} ${modelVersion ?? '(any version)'}${from}, ${plural(uses, 'use')}`;
}

function imageLines({ image, usable, places }: RequiredImage): readonly string[] {
  const where = places.map(({ component, path }) => `    ${component}: ${path.join('.')}`);
  return [usable ? image : `${image}  (no reference that can be copied)`, ...where];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${printable(line)}`)];
}
