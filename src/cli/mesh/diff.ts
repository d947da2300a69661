import { printable } from '../../core/redact.ts';
import { diffEntities, type Changes, type EntityName, type MeshDiff } from '../../mesh/diff.ts';
import { readEntity } from '../../mesh/readOne.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { runCommand } from '../run.ts';
import { inputReference } from './input.ts';

/** Changed members of one part that are shown. */
const SHOWN = 50;

export const diff = defineCommand(
  (cli) =>
    cli
      .positional('from', { type: 'string', demandOption: true, describe: 'A file, directory, archive or reference' })
      .positional('to', { type: 'string', demandOption: true, describe: 'What it is compared with' })
      .option('exit-code', { type: 'boolean', default: false, describe: 'Exit with 2 when they differ' })
      .example('$0 mesh diff design.yml registry.local/designs/shop:1.2.0', 'What was changed since it was published')
      .example('$0 mesh diff models/istio/v1.0.0 models/istio/v1.1.0 --json', 'Two versions of a model'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const { stores, tmpDir } = env;
      const from = await readEntity(inputReference(args.from), { stores, tmpDir });
      const found = diffEntities(from, await readEntity(inputReference(args.to), { stores, tmpDir }));
      if (env.json) env.print(JSON.stringify(found));
      else for (const line of lines(found)) env.print(printable(line));
      return args.exitCode && found.differs ? EXIT.drift : EXIT.done;
    });
  },
);

function lines({ from, to, differs, fields, parts, files }: MeshDiff): readonly string[] {
  const head = [`- ${shown(from)}`, `+ ${shown(to)}`];
  if (!differs) return [...head, '  no difference'];
  return [
    ...head,
    ...fields.map((path) => `~ ${path}`),
    ...parts.flatMap((part) => [
      ...addedAndRemoved(part, ({ name }) => `${part.kind} ${name}`),
      ...part.changed.flatMap(({ name, paths }) => [
        `~ ${part.kind} ${name}`,
        ...paths.slice(0, SHOWN).map((path) => `    ${path}`),
        ...(paths.length > SHOWN ? [`    and ${paths.length - SHOWN} more`] : []),
      ]),
    ]),
    ...addedAndRemoved(files, (path) => path),
    ...files.changed.map((path) => `~ ${path}`),
  ];
}

function shown({ kind, name, version, origin }: EntityName): string {
  return `${kind} ${name} ${version}  (${origin})`;
}

function addedAndRemoved<T>({ added, removed }: Changes<T>, show: (item: T) => string): readonly string[] {
  return [...added.map((item) => `+ ${show(item)}`), ...removed.map((item) => `- ${show(item)}`)];
}
