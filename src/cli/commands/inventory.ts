import { shellQuote } from '../../artifact/types/commands.ts';
import { decodeInventory, encodeInventory, takeInventory, type Inventory } from '../../bundle/inventory.ts';
import { parseReceipt } from '../../bundle/receiptSchema.ts';
import { shortDigest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { printable } from '../../core/redact.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { openCollections } from '../bundle/collection.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, formatTable, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { version } from '../version.ts';

const OPENING_BRACE = 0x7b;

export const inventory = defineCommand(
  (cli) =>
    cli
      .positional('places', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'A layout, library, bundle (all its volumes), or a registry HOST[:PORT][/PREFIX]',
      })
      .option('output', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        describe: 'The file to write, such as have.ocli',
      })
      .option('show', {
        type: 'string',
        requiresArg: true,
        describe: 'Print what such a file says, or the one in a receipt',
      })
      .option('repository', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe:
          'Of a registry, only this repository below the prefix; needed where it has no list of them (repeatable)',
      })
      .option('concurrency', {
        default: 6,
        requiresArg: true,
        coerce: toCount,
        describe: 'Questions under way at once',
      })
      .example('$0 inventory /srv/images -o have.ocli', 'What a library holds, to be carried back')
      .example('$0 inventory registry.local:5000/mirror -o have.ocli', 'What is below mirror/ in a registry')
      .example('$0 inventory --show have.ocli', 'Read one'),
  async (args) => {
    const { places, output, show } = args;
    if ((show === undefined) === (places.length === 0))
      throw new OclError('OCL_USAGE', 'Cannot take an inventory: name either a place, or a file with --show', {
        hint: 'ocl inventory /srv/images -o have.ocli',
      });
    await runCommand(args, { showsOnly: output === undefined }, async (env) => {
      if (show !== undefined) {
        return print(await readInventory(show), env);
      }
      const opened = await openCollections(places, env, { repositories: args.repository });
      const { clock, emit, signal } = env;
      const taken = await takeInventory(opened, { clock, emit, signal, concurrency: args.concurrency, version });
      if (output === undefined) return print(taken, env);
      const bytes = await encodeInventory(taken);
      await writeFileAtomic(output, bytes);
      if (env.json)
        env.print(JSON.stringify({ type: 'summary', file: output, fileBytes: bytes.length, ...summary(taken) }));
      else
        env.say(
          `${printable(output)}: ${told(taken)}, written in ${formatBytes(bytes.length)}\nnext: carry it back, then  ocl export --have ${shellQuote(printable(output))} IMAGES -o delta.tar`,
        );
    });
  },
);

/** An inventory, also that of a receipt. @throws OCL_DOCUMENT_INVALID, OCL_NOT_FOUND, OCL_LIMIT */
async function readInventory(path: string): Promise<Inventory> {
  const what = `the inventory ${path}`;
  const bytes = await readSmallFile(path, Math.max(LIMITS.inventoryBytes, LIMITS.receiptBytes), what);
  if (bytes[0] !== OPENING_BRACE) return await decodeInventory(bytes, what);
  return (await parseReceipt(bytes, `the receipt ${path}`)).inventory;
}

function summary({ of, time, tool, tags, blobs, bytes }: Inventory): object {
  return { of, time, tool, tags: countTags(tags), blobs: blobs.size, bytes };
}

function told({ tags, blobs, bytes }: Inventory): string {
  return `${plural(countTags(tags), 'tag')} in ${tags.size === 1 ? '1 repository' : `${tags.size} repositories`}, ${plural(blobs.size, 'blob')} (${formatBytes(bytes)})`;
}

function print(taken: Inventory, env: Env): void {
  const { of, time, tool, tags } = taken;
  if (env.json) {
    const repositories = Object.fromEntries([...tags].map(([name, named]) => [name, Object.fromEntries(named)]));
    env.print(JSON.stringify({ type: 'inventory', ...summary(taken), repositories }));
    return;
  }
  env.say(
    `${printable(of)} on ${time.slice(0, 19)}Z (${printable(tool.name)} ${printable(tool.version)}): ${told(taken)}`,
  );
  const rows = [...tags].flatMap(([name, named]) =>
    [...named].map(([tag, digest]) => [printable(name === '' ? '-' : name), printable(tag), shortDigest(digest)]),
  );
  if (rows.length > 0) env.print(formatTable(['REPOSITORY', 'TAG', 'DIGEST'], rows));
}

function countTags(tags: Inventory['tags']): number {
  return [...tags.values()].reduce((sum, named) => sum + named.size, 0);
}
