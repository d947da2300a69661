import { typesJsonSchema, type ArtifactType, type Rule } from '../../artifact/types/schema.ts';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { loadTypes, typesOption } from '../types.ts';

export const types = defineCommand(
  (cli) =>
    typesOption(cli)
      .positional('id', { type: 'string', describe: 'One type, with its rules and commands' })
      .option('schema', {
        type: 'boolean',
        default: false,
        describe: 'Print the JSON Schema of a file of types, for editors',
      })
      .example('$0 types', 'All that ocl can tell apart')
      .example('$0 types helm-chart', 'How a Helm chart is told, and how to use it')
      .example('$0 types --types mine.yaml', 'With types of your own; ~/.config/ocl/types.yaml is read by itself'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      if (args.schema) {
        env.print(JSON.stringify(typesJsonSchema(), undefined, 2));
        return;
      }
      const table = await loadTypes(args.types);
      const { id } = args;
      const found = id === undefined ? [...table.types.values()] : [one(table.types, id)];
      if (env.json) env.print(JSON.stringify(id === undefined ? found : found[0]));
      else env.print(id === undefined ? overview(found) : found.map(details).join('\n'));
    });
  },
);

function one(known: ReadonlyMap<string, ArtifactType>, id: string): ArtifactType {
  const type = known.get(id);
  if (type !== undefined) return type;
  const near = [...known.keys()].filter((each) => each.includes(id.toLowerCase())).slice(0, 5);
  throw new OclError('OCL_NOT_FOUND', `Cannot show the artifact type ${JSON.stringify(id)}: there is none`, {
    hint: near.length === 0 ? 'ocl types' : `ocl types ${near.join(', or ')}`,
  });
}

function overview(known: readonly ArtifactType[]): string {
  const rows = known
    .toSorted((a, b) => (a.category < b.category ? -1 : a.category > b.category ? 1 : a.id < b.id ? -1 : 1))
    .map(({ id, name, category, scan }) => [id, printable(name), category, scan]);
  return formatTable(['ID', 'NAME', 'CATEGORY', 'SCAN'], rows);
}

function details({ id, name, category, scan, note, match, actions, scanWhen = [] }: ArtifactType): string {
  const lines = [
    `${'Type:'.padEnd(10)}${name} (${id})`,
    `${'Category:'.padEnd(10)}${category}`,
    `${'Scan:'.padEnd(10)}${[scan, ...scanWhen.map((each) => `${each.scan} when ${ruleText(each.when)}`)].join('; ')}`,
    ...(note === undefined ? [] : [`${'Note:'.padEnd(10)}${note}`]),
    'Told by:',
    ...(match.length === 0 ? ['  nothing: it is what remains'] : match.map((rule) => `  ${ruleText(rule)}`)),
    ...(actions.length === 0 ? [] : ['Use:', ...actions.map(({ label, command }) => `  ${command}   # ${label}`)]),
  ];
  return lines.map(printable).join('\n');
}

function ruleText(rule: Rule): string {
  return Object.entries(rule)
    .filter(([condition]) => condition !== 'priority')
    .map(([condition, wanted]) => `${condition} ${wantedText(wanted, condition === 'configHas' ? 'and' : 'or')}`)
    .join(' and ');
}

function wantedText(wanted: unknown, word: string): string {
  if (Array.isArray(wanted)) return wanted.join(` ${word} `);
  if (typeof wanted !== 'object' || wanted === null) return String(wanted);
  return Object.entries(wanted)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' and ');
}
