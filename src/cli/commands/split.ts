import { shellQuote } from '../../artifact/types/commands.ts';
import { deltaOf, splitBundle } from '../../bundle/split.ts';
import { OclError } from '../../core/errors.ts';
import { countImages } from '../../core/names.ts';
import { parsePathReference } from '../../core/reference.ts';
import { Copier } from '../../copy/copier.ts';
import { openLocal } from '../bundle/open.ts';
import { spaceOption } from '../bundle/space.ts';
import { destinationOf, reportWritten } from '../bundle/written.ts';
import { defineCommand } from '../command.ts';
import { runCommand } from '../run.ts';
import { VOLUME_SIZE, volumeSizes, volumesOption, withVolumes } from '../volumes.ts';

export const split = defineCommand(
  (cli) =>
    spaceOption(
      volumesOption(
        cli.positional('bundle', {
          type: 'string',
          demandOption: true,
          describe: 'A bundle, or another archive or layout; it stays as it is',
        }),
      ),
    )
      .option('volume-size', VOLUME_SIZE)
      .option('output', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        describe: 'The name before .volNNofNN.tar; that of the bundle when it is not said',
      })
      .option('docker-platform', {
        type: 'string',
        requiresArg: true,
        default: 'linux/amd64',
        describe: 'Which image of an index docker load gets',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace volumes that exist' })
      .example('$0 split images.tar --volume-size dvd', 'images.vol01of03.tar and so on, for as many DVDs as it takes')
      .example('$0 split images.tar --volume-size usb:64G,usb:16G -o stick', 'One large stick, then small ones'),
  async (args) => {
    const sizes = volumeSizes(args.volumeSize);
    if (sizes === undefined)
      throw new OclError('OCL_USAGE', 'Cannot split a bundle: say how large its volumes may be', {
        hint: `ocl split ${shellQuote(args.bundle)} --volume-size dvd`,
      });
    const { overwrite, spaceCheck, dockerPlatform } = args;
    await runCommand(args, { overwrite, spaceCheck, dockerPlatform }, async (env) => {
      const { stores, clock, emit, signal } = env;
      const reference = withVolumes(parsePathReference(args.bundle), args.volumes);
      const source = await openLocal(reference, stores);
      const output = args.output ?? args.bundle.replace(/(?:\.vol\d+of\d+)?\.tar$/i, '');
      const sink = await stores.archive(destinationOf(output, sizes), {
        delta: deltaOf(source.record),
      });
      const results = await splitBundle(source, sink, new Copier({ clock, emit, signal }));
      const images = countImages(await source.roots());
      reportWritten({ sink, output, results, images, missing: [] }, env);
    });
  },
);
