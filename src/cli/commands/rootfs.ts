import { chooseManifest } from '../../artifact/inspect.ts';
import { Reads } from '../../artifact/reads.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { OclError } from '../../core/errors.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName } from '../../core/reference.ts';
import { flatten, type Flattened, type FlattenTarget } from '../../scan/rootfs/flatten.ts';
import { refuseOccupied } from '../../scan/rootfs/toDirectory.ts';
import { defineCommand } from '../command.ts';
import { endWithStdout } from '../content.ts';
import { formatBytes, plural } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { nearby } from '../scan/nearby.ts';

export const rootfs = defineCommand(
  (cli) =>
    cli
      .positional('reference', { type: 'string', demandOption: true, describe: 'An image' })
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        describe: 'The directory to make, or - for a tar file on standard output',
      })
      .option('platform', { type: 'string', describe: 'Which image of an index, such as linux/arm64' })
      .option('keep', {
        choices: ['setuid', 'links'] as const,
        array: true,
        nargs: 1,
        default: [] as ('setuid' | 'links')[],
        describe: 'Leave setuid bits, or links that lead outside of the directory, as they are (repeatable)',
      })
      .option('names', {
        choices: ['portable', 'any'] as const,
        default: 'portable' as const,
        describe: 'Also take absolute names, and those that only Linux takes for plain ones (any)',
      })
      .option('owner', { type: 'boolean', default: false, describe: 'Give files their owners; for root alone' })
      .example('$0 rootfs ocidir://mirror/app:1.0 -o app-root', 'A directory for scanners; nothing in it leads outside')
      .example('$0 rootfs ./bundle.tar:app:1.0 -o - | tar -t', 'A tar stream, without a file in between')
      .example('$0 rootfs alpine:3.20 --platform linux/arm64 -o alpine-root', 'One platform of an image of Docker Hub'),
  async (args) => {
    const reference = parsePlace(args.reference);
    const platform = args.platform === undefined ? undefined : parsePlatform(args.platform);
    const toStdout = args.output === '-';
    if (toStdout) endWithStdout('an archive', 'name a directory: -o app-root');
    if (args.owner && !toStdout && process.getuid?.() !== 0)
      throw new OclError('OCL_USAGE', 'Cannot give files their owners: only root may', {
        hint: 'leave --owner out, or write a tar file, which has the owners: -o -',
      });
    await runCommand(args, { contentOnStdout: toStdout }, async (env) => {
      const source = await env.stores.source(reference);
      const { descriptor } = await chooseManifest(new Reads(source), await onlyRoot(source, wantedName(reference)), {
        platform,
        host: hostPlatform(process.platform, process.arch),
      });
      const target: FlattenTarget = toStdout
        ? { kind: 'tar', stream: process.stdout }
        : { kind: 'directory', path: args.output };
      const { keep, names, owner } = args;
      const name = formatReference(reference);
      const options = { name, keep, names, owner, signal: env.signal, emit: env.emit };
      // A stream touches no disk: there the layers of a registry are fetched twice.
      if (!toStdout) await refuseOccupied(args.output);
      const flattened = toStdout
        ? await flatten(source, descriptor, target, options)
        : await nearby(
            { source, image: descriptor, name },
            env,
            async (here) => await flatten(here, descriptor, target, options),
          );
      if (!env.json) {
        env.say(text(args.output, flattened));
        return;
      }
      const { digest, platform: of } = descriptor;
      const facts = {
        reference: name,
        digest,
        ...(of === undefined ? {} : { platform: formatPlatform(of) }),
        output: args.output,
      };
      env.print(JSON.stringify({ type: 'summary', ...facts, ...flattened }));
    });
  },
);

const WORDS = {
  device: ['device', 'devices'],
  pipe: ['named pipe', 'named pipes'],
  setuid: ['setuid or setgid bit', 'setuid or setgid bits'],
  capabilities: ['set of capabilities', 'sets of capabilities'],
  link: ['link that leads outside', 'links that lead outside'],
  directory: ['directory', 'directories'],
} as const;
const SHOWN = 10;

function text(output: string, { directories, files, symlinks, hardLinks, bytes, layers, leftOut }: Flattened): string {
  const kinds = [
    plural(files, 'file'),
    counted(directories, 'directory'),
    plural(symlinks, 'link'),
    ...(hardLinks === 0 ? [] : [plural(hardLinks, 'hard link')]),
  ].join(', ');
  const lines = [
    `${output === '-' ? 'standard output' : output}: ${kinds}, ${formatBytes(bytes)}, from ${plural(layers, 'layer')}`,
  ];
  const left = Object.entries(leftOut.counts).filter(([, count]) => count > 0);
  if (left.length === 0) return lines.join('\n');
  const all = left.reduce((sum, [, count]) => sum + count, 0);
  lines.push(
    `left out or changed: ${left.map(([why, count]) => counted(count, why as keyof typeof WORDS)).join(', ')}`,
  );
  lines.push(...leftOut.listed.slice(0, SHOWN).map(({ path, why }) => `  ${why.padEnd(12)} ${printable(path)}`));
  if (all > SHOWN) lines.push(`  and ${all - SHOWN} more; --json lists them`);
  return lines.join('\n');
}

function counted(count: number, what: keyof typeof WORDS): string {
  return `${count} ${WORDS[what][count === 1 ? 0 : 1]}`;
}
