import { parsePlatform, matchesPlatform, formatPlatform } from '../../core/platform.ts';
import { OclError } from '../../core/errors.ts';
import { wantedName } from '../../core/reference.ts';
import { loadDocument } from '../../copy/documents.ts';
import { defineCommand } from '../command.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const manifest = defineCommand(
  (cli) =>
    cli
      .positional('action', { choices: ['get'] as const, demandOption: true, describe: 'What to do' })
      .positional('reference', { type: 'string', demandOption: true, describe: 'An image or artifact' })
      .option('platform', { type: 'string', describe: 'Of an index, the manifest of this platform' })
      .example('$0 manifest get alpine:3.20', 'The bytes as they are kept, so that their digest is right'),
  async (args) => {
    const reference = parsePlace(args.reference);
    const platform = args.platform === undefined ? undefined : parsePlatform(args.platform);
    await runCommand(args, { contentOnStdout: true, showsOnly: true }, async (env) => {
      const source = await env.stores.source(reference);
      let loaded = await loadDocument(await onlyRoot(source, wantedName(reference)), source);
      if (platform !== undefined && loaded.document.kind === 'index') {
        const entry = loaded.document.manifests.find((each) => matchesPlatform(platform, each.platform));
        if (entry === undefined)
          throw new OclError('OCL_NOT_FOUND', `Cannot find ${formatPlatform(platform)} in ${args.reference}`, {
            hint: `ocl inspect ${args.reference}`,
          });
        loaded = await loadDocument(entry, source);
      }
      process.stdout.write(loaded.bytes);
    });
  },
);
