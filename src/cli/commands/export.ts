import { exportImages } from '../../bundle/export.ts';
import { type BundleSources } from '../../bundle/sources.ts';
import { type Sink } from '../../core/store.ts';
import { Copier, type CopyResult } from '../../copy/copier.ts';
import { openSources, sourceOptions } from '../bundle/sources.ts';
import { defineCommand } from '../command.ts';
import { endWithStdout } from '../content.ts';
import { formatBytes, plural } from '../render/format.ts';
import { warnOfCompressedName } from '../place.ts';
import { runCommand } from '../run.ts';

export const exportCommand = defineCommand(
  (cli) =>
    sourceOptions(cli)
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        describe: 'The file to write, or - for standard output',
      })
      .option('docker-platform', {
        type: 'string',
        default: 'linux/amd64',
        describe: 'Which image of an index docker load gets',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .example('$0 export alpine:3.20 nginx:1.27 -o images.tar', 'Two images of Docker Hub')
      .example('$0 export ./mirror -o mirror.tar', 'All that a library holds')
      .example('$0 export alpine:3.20 -o - | ssh far ocl import - /srv/images', 'Without a file in between'),
  async (args) => {
    const toStdout = args.output === '-';
    if (toStdout) endWithStdout('an archive', 'name a file: -o images.tar');
    await runCommand(
      args,
      { overwrite: args.overwrite, dockerPlatform: args.dockerPlatform, contentOnStdout: toStdout },
      async (env) => {
        const { stores, clock, emit, signal } = env;
        warnOfCompressedName(args.output, emit);
        const sink = await stores.archive(toStdout ? { stream: process.stdout, name: '-' } : { path: args.output });
        const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
        const sources = await openSources(args, env);
        const results = await exportFrom(sources, sink, copier);
        const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
        if (env.json) env.print(JSON.stringify({ type: 'summary', file: args.output, images: results }));
        else
          env.say(
            `${toStdout ? 'standard output' : args.output}: ${plural(results.length, 'image')}, ${formatBytes(bytes)}\nnext: carry the file over, then  ocl import ${toStdout ? 'FILE' : args.output} DIRECTORY`,
          );
      },
    );
  },
);

async function exportFrom(sources: BundleSources, sink: Sink, copier: Copier): Promise<readonly CopyResult[]> {
  try {
    return await exportImages(sources.images, sink, { copier });
  } finally {
    await sources.close();
  }
}
