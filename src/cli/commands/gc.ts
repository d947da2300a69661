import { OclError } from '../../core/errors.ts';
import { parsePathReference } from '../../core/reference.ts';
import { defineCommand } from '../command.ts';
import { toMilliseconds } from '../duration.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';

export const gc = defineCommand(
  (cli) =>
    cli
      .positional('place', { type: 'string', demandOption: true, describe: 'A layout, or a library of layouts' })
      .option('grace', {
        type: 'string',
        default: '1h',
        coerce: toMilliseconds,
        describe: 'Leave what is younger: 90s, 30m, 1h, 7d, or 0',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'Say what would be removed, and remove nothing' })
      .option('forget-imports', {
        type: 'boolean',
        default: false,
        describe: 'Also what imports of volumes have brought whose last volumes will not come',
      })
      .example('$0 gc ./mirror --dry-run', 'What nothing names any more')
      .example('$0 gc ocidir://mirror/alpine --grace 0', 'Remove it at once'),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const reference = parsePathReference(args.place);
      if (reference.kind === 'registry')
        throw new OclError('OCL_USAGE', `Cannot collect garbage in ${args.place}: it is a registry`);
      for (const { layout, report } of await env.stores.collectGarbage(reference, {
        grace: args.grace,
        dryRun: args.dryRun,
        forgetImports: args.forgetImports,
      })) {
        if (env.json) env.print(JSON.stringify({ type: 'gc', layout, ...report }));
        else {
          for (const { digest, size } of report.removed) env.print(`${digest}  ${formatBytes(size)}`);
          for (const { digest, size } of report.parts)
            env.print(`${digest}  ${formatBytes(size)} of an unfinished transfer`);
          const verb = report.dryRun ? 'would remove' : 'removed';
          const resumable = plural(report.resumable, 'unfinished transfer');
          env.say(
            `${layout}: ${verb} ${plural(report.removed.length, 'blob')} (${formatBytes(report.bytes)} freed) and ${plural(report.leftovers, 'unfinished file')}; kept ${report.kept}${report.young === 0 ? '' : `, left ${report.young} younger than the grace period`}${report.resumable === 0 ? '' : `, left ${resumable} for the next copy`}${report.imports === 0 ? '' : `, with what ${plural(report.imports, 'import')} of volumes brought so far`}`,
          );
        }
      }
    });
  },
);
