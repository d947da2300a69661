import { diffSides, type DiffReport, type DiffSide, type TagChange } from '../../bundle/diff.ts';
import { readSide, readSideFile } from '../../bundle/diffSides.ts';
import { shortDigest } from '../../core/digest.ts';
import { printable } from '../../core/redact.ts';
import { openCollection } from '../bundle/collection.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { isFile } from '../place.ts';
import { formatBytes, formatTable, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';

const PLACE = 'a layout, library, bundle, registry HOST[:PORT][/PREFIX], lock, receipt, ledger or inventory';

export const diff = defineCommand(
  (cli) =>
    cli
      .positional('from', { type: 'string', demandOption: true, describe: `What is: ${PLACE}` })
      .positional('to', { type: 'string', demandOption: true, describe: `What it is held against: ${PLACE}` })
      .option('repository', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Of a registry, only this repository below the prefix (repeatable)',
      })
      .option('exit-code', { type: 'boolean', default: false, describe: 'End with 2 when a tag is different' })
      .option('concurrency', {
        default: 6,
        requiresArg: true,
        coerce: toCount,
        describe: 'Questions under way at once',
      })
      .example('$0 diff have.ocli ./mirror', 'What the far side lacks, and how much of it would flow')
      .example('$0 diff old.lock new.lock --exit-code', 'Whether two exports are of the same images')
      .example('$0 diff registry.local:5000/mirror delta.tar', 'What an import would change'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const from = await openSide(args.from, args, env);
      const found = diffSides(from, await openSide(args.to, args, env));
      if (env.json) env.print(JSON.stringify({ type: 'diff', ...found }));
      else print(found, env);
      const differs = found.added.length + found.moved.length + found.removed.length > 0;
      return args.exitCode && differs ? EXIT.drift : EXIT.done;
    });
  },
);

async function openSide(
  text: string,
  { repository, concurrency }: { readonly repository: readonly string[]; readonly concurrency: number },
  env: Env,
): Promise<DiffSide> {
  const file = isFile(text) ? await readSideFile(text, env) : undefined;
  if (file !== undefined) return file;
  const place = await openCollection(text, env, { repositories: repository });
  return await readSide(place, { emit: env.emit, signal: env.signal, concurrency });
}

function print(found: DiffReport, env: Env): void {
  const row = (what: string, { name, from, to }: TagChange): readonly string[] => [
    what,
    printable(name),
    from === undefined ? '-' : shortDigest(from),
    to === undefined ? '-' : shortDigest(to),
  ];
  const rows = [
    ...found.added.map((change) => row('added', change)),
    ...found.moved.map((change) => row('moved', change)),
    ...found.removed.map((change) => row('removed', change)),
  ];
  if (rows.length > 0) env.print(formatTable(['CHANGE', 'NAME', 'FROM', 'TO'], rows));
  const counts = `${found.added.length} added, ${found.moved.length} moved, ${found.removed.length} removed, ${found.same} the same`;
  const flow =
    found.flow === undefined
      ? 'how much would flow is not known: a side names images, and not what they are made of'
      : `${plural(found.flow.blobs, 'blob')} (${formatBytes(found.flow.bytes)}) would flow`;
  env.say(`${printable(found.from)} → ${printable(found.to)}: ${counts}; ${flow}`);
}
