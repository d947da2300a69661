import { basename } from 'node:path';
import { exportImages } from '../../bundle/export.ts';
import { Ledger, sentBy, type Exported } from '../../bundle/ledger.ts';
import { formatLock, makeLock, type LockFile } from '../../bundle/lock.ts';
import { OclError } from '../../core/errors.ts';
import { Copier, type CopyResult } from '../../copy/copier.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { openSources, readSourceFiles, sourceOptions } from '../bundle/sources.ts';
import { spaceOption } from '../bundle/space.ts';
import { destinationOf, reportWritten } from '../bundle/written.ts';
import { deltaOptions, openDelta } from '../bundle/delta.ts';
import { defineCommand } from '../command.ts';
import { endWithStdout } from '../content.ts';
import { warnOfCompressedName } from '../place.ts';
import { runCommand } from '../run.ts';
import { VOLUME_SIZE, volumeSizes } from '../volumes.ts';

export const exportCommand = defineCommand(
  (cli) =>
    deltaOptions(spaceOption(sourceOptions(cli)))
      .option('output', {
        alias: 'o',
        type: 'string',
        demandOption: true,
        describe: 'The file to write, or - for standard output; with --volume-size the name before .volNNofNN.tar',
      })
      .option('format', {
        choices: ['oci-archive', 'docker-archive'] as const,
        default: 'oci-archive' as const,
        describe: 'A layout that docker load reads as well, or what docker save wrote before version 25',
      })
      .option('volume-size', VOLUME_SIZE)
      .option('ledger', {
        type: 'string',
        requiresArg: true,
        describe: 'Note in this file what was sent, for --since the next time; one for each far side',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .example('$0 export alpine:3.20 nginx:1.27 -o images.tar', 'Two images of Docker Hub')
      .example('$0 export ./mirror -o mirror.tar', 'All that a library holds')
      .example('$0 export ./mirror -o mirror.tar --volume-size dvd', 'On as many DVDs as it takes')
      .example('$0 export --from sync.yaml -o mirror.tar --lock mirror.lock', 'What a sync file mirrors')
      .example('$0 export --locked mirror.lock ./mirror -o again.tar', 'The same bytes once more')
      .example('$0 export ./mirror --have have.ocli -o delta.tar', 'What the far side does not have yet')
      .example('$0 export ./mirror --since site.ledger --ledger site.ledger -o delta.tar', 'What was not sent yet')
      .example('$0 export ./mirror --request missing.json -o mend.tar', 'What the far side said it lacks')
      .example('$0 export alpine:3.20 -o - | ssh far ocl import - /srv/images', 'Without a file in between'),
  async (args) => {
    const toStdout = args.output === '-';
    const sizes = volumeSizes(args.volumeSize);
    if (toStdout && args.volumeSize !== undefined)
      throw new OclError('OCL_USAGE', 'Cannot write volumes to standard output', {
        hint: 'name a file: -o images.tar',
      });
    const form = args.format === 'docker-archive' ? 'docker' : 'layout';
    if (
      form === 'docker' &&
      (args.volumeSize !== undefined || args.have.length > 0 || args.since.length > 0 || args.request !== undefined)
    )
      throw new OclError('OCL_USAGE', 'Cannot write a docker archive in volumes, or as a delta', {
        hint: 'leave --format away: docker load and podman load read such bundles too',
      });
    if (toStdout) endWithStdout('an archive', 'name a file: -o images.tar');
    const files = await readSourceFiles(args);
    const { dockerPlatform } = files;
    await runCommand(
      args,
      {
        ...files.envOptions,
        overwrite: args.overwrite,
        spaceCheck: args.spaceCheck,
        dockerPlatform,
        contentOnStdout: toStdout,
      },
      async (env) => {
        const { stores, clock, emit, signal } = env;
        warnOfCompressedName(args.output, emit);
        const delta = await openDelta(args, files.request, env);
        const ledger = args.ledger === undefined ? undefined : await Ledger.open(args.ledger, { clock, emit });
        await ledger?.prepare();
        const sink = await stores.archive(destinationOf(args.output, sizes), { delta, form });
        const copier = new Copier({ clock, emit, signal, concurrency: args.concurrency });
        const sources = await openSources(args, files, env);
        let lock: LockFile | undefined;
        let sent: Pick<Exported, 'surveyed' | 'carried'> | undefined;
        let results: readonly CopyResult[];
        try {
          results = await exportImages(sources.images, sink, {
            copier,
            waivers: sources.waivers,
            delta,
            before: async (surveyed, carried) => {
              sent = { surveyed, carried };
              if (args.lock !== undefined) lock = await makeLock(surveyed, { copier, dockerPlatform });
            },
          });
        } finally {
          await sources.close();
        }
        if (args.lock !== undefined && lock !== undefined)
          await writeFileAtomic(args.lock, Buffer.from(formatLock(lock)));
        // Only now: what is noted and was never written would be missing there for ever.
        if (sent !== undefined)
          await ledger?.add(sentBy({ ...sent, delta, record: sink.record, file: basename(args.output) }));
        reportWritten({ sink, output: args.output, results, missing: sources.waivers.missing }, env);
      },
    );
  },
);
