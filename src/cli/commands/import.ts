import { importBundle, type ImportReport } from '../../bundle/import.ts';
import { OclError, type OclError as Failure } from '../../core/errors.ts';
import { silent } from '../../core/events.ts';
import { Copier } from '../../copy/copier.ts';
import { ownRepository } from '../../stores.ts';
import { namingOptions, readNaming } from '../bundle/naming.ts';
import { openBundle } from '../bundle/open.ts';
import { spaceOption } from '../bundle/space.ts';
import { openTarget } from '../bundle/target.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { selectOptions, toSelect } from '../select.ts';

export const importCommand = defineCommand(
  (cli) =>
    spaceOption(namingOptions(selectOptions(cli)))
      .positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Files (or - for standard input), then the target: a directory, ocidir://LAYOUT, or HOST[:PORT][/PREFIX]',
      })
      .example('$0 import images.tar /srv/images', 'Into a library, one directory a repository')
      .example('$0 import images.tar registry.local:5000/mirror', 'Into a registry, below mirror/')
      .example('$0 import images.tar ocidir://layout', 'All into one layout')
      .example(
        "$0 import images.tar registry.local:5000 --rewrite 's#^docker.io/library/#base/#'",
        'Under other names',
      ),
  async (args) => {
    const files = args.files.slice(0, -1);
    const target = args.files.at(-1);
    if (files.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot import: name the files and then the target', {
        hint: 'ocl import images.tar DIRECTORY',
      });
    const naming = await readNaming(args);
    await runCommand(args, {}, async (env) => {
      const copier = new Copier({
        clock: env.clock,
        emit: env.emit,
        signal: env.signal,
        concurrency: args.concurrency,
      });
      const measure = args.spaceCheck ? new Copier({ clock: env.clock, emit: silent, signal: env.signal }) : undefined;
      const where = await openTarget(target, env);
      const reports: ImportReport[] = [];
      for (const file of files) {
        const bundle = await openBundle(file, env);
        try {
          reports.push(
            await importBundle(bundle.source, where, {
              copier,
              measure,
              select: toSelect(args),
              naming: {
                ...naming,
                repository: args.repository ?? ownRepository(file === '-' ? 'images' : file),
              },
            }),
          );
        } finally {
          await bundle.close();
        }
      }
      return report(reports, target, env);
    });
  },
);

function report(reports: readonly ImportReport[], target: string, env: Env): number {
  const results = reports.flatMap((each) => each.results);
  const failed = reports.flatMap((each) => each.failed);
  const copied = results.filter(({ outcome }) => outcome === 'copied').length;
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  if (env.json)
    env.print(
      JSON.stringify({
        type: 'summary',
        target,
        images: results,
        failed: failed.map(({ image, error }) => ({ image, error: plain(error) })),
      }),
    );
  else
    env.say(
      `${target}: ${plural(copied, 'image')} imported, ${results.length - copied} unchanged, ${failed.length} failed (${formatBytes(bytes)})`,
    );
  for (const { image, error } of failed) env.sayFailed(image, error);
  return failed.length > 0 ? EXIT.failed : EXIT.done;
}

function plain({ code, message, hint, side }: Failure): object {
  return { code, message, hint, side };
}
