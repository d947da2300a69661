import { shellQuote } from '../../artifact/types/commands.ts';
import { importIntoArchive } from '../../bundle/importArchive.ts';
import { importBundles } from '../../bundle/import.ts';
import { makeReceipt, REREAD_MODES } from '../../bundle/receipt.ts';
import { formatRequest, makeRequest, sumOf } from '../../bundle/request.ts';
import { OclError } from '../../core/errors.ts';
import { silent } from '../../core/events.ts';
import { printable } from '../../core/redact.ts';
import { Copier } from '../../copy/copier.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { isRenaming, namingOptions, readNaming, warnOfUnused } from '../bundle/naming.ts';
import { reportCheck, reportImport, tellNames, tellReceipt } from '../bundle/imported.ts';
import { FROM_STDIN, OpenBundles } from '../bundle/open.ts';
import { spaceOption } from '../bundle/space.ts';
import { openTarget } from '../bundle/target.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { firstPlatform, selectOptions, toSelect } from '../select.ts';
import { version } from '../version.ts';

/** Yargs takes a positional that repeats for the last one. */
const USAGE = '$0 import <files..> <target>\n\nTake what is in such a file into a layout, library or registry';

export const importCommand = defineCommand(
  (cli) =>
    spaceOption(namingOptions(selectOptions(cli.usage(USAGE))))
      .positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Files (or - for standard input), then the target: a directory, ocidir://LAYOUT, HOST[:PORT][/PREFIX] or docker-archive:FILE',
      })
      .option('check', {
        type: 'boolean',
        default: false,
        describe: 'Write nothing: say which blobs are missing that a delta leaves out, and which volumes, by image',
      })
      .option('request', {
        type: 'string',
        requiresArg: true,
        describe: 'When something is missing, ask for it in this file, which ocl export --request answers',
      })
      .option('receipt', {
        type: 'string',
        requiresArg: true,
        describe:
          'Write down what arrived and was read again: for whoever answers for it, and as --since of the next delta',
      })
      .option('reread', {
        choices: REREAD_MODES,
        default: 'sample' as const,
        describe:
          'What the receipt reads again: documents, configs and one in ten layers, all, or documents alone (none)',
      })
      .option('keep-going', {
        type: 'boolean',
        default: false,
        describe:
          'Take the images of a delta that can be completed when others cannot; otherwise nothing is written then',
      })
      .option('move-tags', {
        type: 'boolean',
        default: false,
        describe: 'Set the tags of a delta also where the target has something newer under them',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace a docker archive that exists' })
      .option('state', {
        type: 'string',
        requiresArg: true,
        describe: 'Where parts of contents wait for further volumes; beside the images, or below your state directory',
      })
      .example('$0 import images.tar /srv/images', 'Into a library, one directory a repository')
      .example('$0 import images.tar registry.local:5000/mirror', 'Into a registry, below mirror/')
      .example('$0 import images.tar ocidir://layout', 'All into one layout')
      .example("$0 import images.tar registry.local:5000 --rewrite 's#^docker.io/library/#base/#'", 'Under other names')
      .example('$0 import images.tar docker-archive:for-docker.tar', 'For tools that read nothing else')
      .example('$0 import /media/disc/images.vol02of03.tar /srv/images', 'Volumes in any order, over days')
      .example('$0 import delta.tar /srv/images --receipt receipt.json --reread all', 'With proof of what arrived')
      .example(
        '$0 import --check delta.tar /srv/images --request missing.json',
        'Whether a delta finds there what it needs',
      ),
  async (args) => {
    const files = args.files.slice(0, -1);
    const target = args.files.at(-1);
    if (files.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot import: name the files and then the target', {
        hint: 'ocl import images.tar DIRECTORY',
      });
    const naming = await readNaming(args);
    const { overwrite, spaceCheck } = args;
    await runCommand(args, { overwrite, spaceCheck, dockerPlatform: firstPlatform(args) }, async (env) => {
      const started = env.clock.now();
      const copier = new Copier({
        clock: env.clock,
        emit: env.emit,
        signal: env.signal,
        concurrency: args.concurrency,
      });
      const measure = args.spaceCheck ? new Copier({ clock: env.clock, emit: silent, signal: env.signal }) : undefined;
      // What flows by goes into the target as it comes, and so has to be wanted as a whole.
      const flowing =
        files.length === 1 && files[0] === '-' && takesAll(args)
          ? await openTarget(target, env, args.state)
          : undefined;
      const opened =
        flowing === undefined || flowing.kind === 'archive'
          ? await OpenBundles.open(files, env)
          : await OpenBundles.incoming(
              { target: flowing, copier, naming: { ...naming, repository: args.repository ?? FROM_STDIN } },
              env,
            );
      try {
        const bundles = opened.bundles.map(({ source, repository, file }) => ({
          source,
          file,
          naming: { ...naming, repository: args.repository ?? repository },
        }));
        await warnOfUnused(args, bundles, env.emit);
        const where = flowing ?? (await openTarget(target, env, args.state));
        if (where.kind === 'archive') {
          if (args.check || args.receipt !== undefined)
            throw new OclError('OCL_USAGE', 'Cannot check an archive, or write a receipt of it: it is written anew');
          const written = await importIntoArchive(bundles, where.sink, { copier, select: toSelect(args) });
          const status = reportImport(written, target, env);
          if (isRenaming(args)) tellNames(written.arrived, env);
          return status;
        }
        const imported = await importBundles(bundles, where, {
          copier,
          measure,
          clock: env.clock,
          emit: env.emit,
          signal: env.signal,
          select: toSelect(args),
          keepGoing: args.keepGoing,
          moveTags: args.moveTags,
          checkOnly: args.check,
          missing: async (incomplete) => {
            if (args.request === undefined) return;
            const { clock, emit, signal } = env;
            const options = { clock, emit, signal, concurrency: args.concurrency, version };
            const sources = bundles.map(({ source }) => source);
            const asked = await makeRequest(incomplete, { target: where, bundles: sources, options });
            await writeFileAtomic(args.request, Buffer.from(await formatRequest(asked)));
            const next = `carry it back, then  ocl export --request ${shellQuote(printable(args.request))} PLACE -o mend.tar`;
            env.say(
              `${args.request}: asks for ${plural(asked.missing.length, 'blob')} (${formatBytes(sumOf(asked.missing))})\nnext: ${next}`,
            );
          },
        });
        if (args.check) return reportCheck(imported, target, env);
        const status = reportImport(imported, target, env);
        if (isRenaming(args)) tellNames(imported.arrived, env);
        if (args.receipt === undefined) return status;
        const { clock, emit, signal } = env;
        const receipt = await makeReceipt(
          imported,
          { target: where, bundles: bundles.map(({ source }) => source) },
          { clock, emit, signal, concurrency: args.concurrency, version, reread: args.reread, started },
        );
        await writeFileAtomic(args.receipt, Buffer.from(`${JSON.stringify(receipt, undefined, 2)}\n`));
        return tellReceipt(receipt, args.receipt, env) ? status : EXIT.failed;
      } finally {
        await opened.close();
      }
    });
  },
);

function takesAll(args: {
  readonly check: boolean;
  readonly only: readonly string[];
  readonly platform: readonly string[];
  readonly referrers: boolean;
  readonly digestTags: boolean;
}): boolean {
  const { check, only, platform, referrers, digestTags } = args;
  return !check && only.length === 0 && platform.length === 0 && referrers && digestTags;
}
