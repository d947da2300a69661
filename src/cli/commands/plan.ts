import { formatLock, makeLock } from '../../bundle/lock.ts';
import { planBundle, type BundlePlan } from '../../bundle/plan.ts';
import { formatBytes } from '../../core/bytes.ts';
import { type Emit } from '../../core/events.ts';
import { parseSpeeds, type MediumSpeed } from '../../core/mediaSpeeds.ts';
import { parsePlatform } from '../../core/platform.ts';
import { Copier } from '../../copy/copier.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { measureSpace, type FileSystemSpace } from '../../io/space.ts';
import { deltaOptions, openDelta } from '../bundle/delta.ts';
import { openSources, readSourceFiles, sourceOptions } from '../bundle/sources.ts';
import { defineCommand } from '../command.ts';
import { formatDuration, formatTable, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { VOLUME_SIZE, volumeSizes } from '../volumes.ts';

export const planCommand = defineCommand(
  (cli) =>
    deltaOptions(sourceOptions(cli))
      .option('volume-size', VOLUME_SIZE)
      .option('output', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        default: '.',
        describe: 'Where the bundle is going to be written: the free space there is looked at',
      })
      .option('speed', {
        type: 'string',
        requiresArg: true,
        describe:
          'Bytes a second of the medium: 20MB, 10MB/30MB for writing and reading, cd, dvd, bd, usb2, usb3, disk, lan; several with commas',
      })
      .example('$0 plan alpine:3.20 nginx:1.27', 'How much it is')
      .example('$0 plan --from sync.yaml --volume-size dvd --speed dvd', 'How many DVDs, and how long it takes')
      .example('$0 plan ./mirror --have have.ocli', 'What is new to the far side')
      .example('$0 plan ./mirror --lock mirror.lock', 'And write down what it is'),
  async (args) => {
    const sizes = volumeSizes(args.volumeSize);
    const files = await readSourceFiles(args);
    const { dockerPlatform } = files;
    const speeds = args.speed === undefined ? [] : parseSpeeds(args.speed);
    await runCommand(args, { ...files.envOptions, dockerPlatform, showsOnly: args.lock === undefined }, async (env) => {
      const { stores, clock, emit, signal } = env;
      // Nothing is under way whose beginning and end anybody would want to see.
      const tell: Emit = (event) => {
        if (event.type === 'notice' || event.type === 'image.failed') emit(event);
      };
      const copier = new Copier({ clock, emit: tell, signal, concurrency: args.concurrency });
      const delta = await openDelta(args, files.request, env);
      const sources = await openSources(args, files, env);
      try {
        const plan = await planBundle(sources.images, {
          copier,
          waivers: sources.waivers,
          dockerPlatform: parsePlatform(dockerPlatform),
          delta,
          layOut: (nodes, names, read) => stores.planArchive(nodes, names, { read, volumeSizes: sizes, delta }),
        });
        if (args.lock !== undefined)
          await writeFileAtomic(
            args.lock,
            Buffer.from(formatLock(await makeLock(plan.surveyed, { copier, dockerPlatform }))),
          );
        const near = await measureSpace([{ path: args.output, bytes: plan.carried }]);
        const { missing } = sources.waivers;
        if (env.json) env.print(JSON.stringify({ ...plainPlan(plan, speeds, near), missing }));
        else for (const line of planLines(plan, speeds, near)) env.print(line);
      } finally {
        await sources.close();
      }
    });
  },
);

/** Bytes and milliseconds. */
function plainPlan(plan: BundlePlan, speeds: readonly MediumSpeed[], near: readonly FileSystemSpace[]): object {
  const { images, contents, listed, unique, leftOut, volumes, carried } = plan;
  return {
    type: 'plan',
    images,
    contents,
    bytes: { listed, unique, shared: listed - unique, leftOut: leftOut.bytes, carried },
    leftOut: leftOut.contents,
    volumes,
    times: speeds.map(({ name, write, read }) => ({
      medium: name,
      writeMs: Math.round((carried / write) * 1000),
      readMs: Math.round((carried / read) * 1000),
    })),
    space: {
      near: near.map(({ path, needed, free }) => ({ path, needed, free: free ?? null })),
      far: { media: carried, ...farSpace(plan) },
    },
  };
}

/** At most: what the target has already takes no room again. */
function farSpace({ unique, leftOut, cut }: BundlePlan): { store: number; waiting: number } {
  return { store: unique - leftOut.bytes, waiting: cut };
}

function planLines(
  plan: BundlePlan,
  speeds: readonly MediumSpeed[],
  near: readonly FileSystemSpace[],
): readonly string[] {
  const { images, contents, listed, unique, leftOut, volumes, carried } = plan;
  const media = new Map<string, number>();
  for (const { size } of volumes) media.set(formatBytes(size), (media.get(formatBytes(size)) ?? 0) + 1);
  const sizes = [...media].map(([size, count]) => (count === 1 ? size : `${count} of ${size}`));
  const far = farSpace(plan);
  return [
    formatTable(
      ['WHAT', 'HOW MUCH'],
      [
        ['images', String(images.length)],
        ['contents', `${contents}, ${formatBytes(listed)} counted image by image`],
        ['saved by sharing', formatBytes(listed - unique)],
        ...(leftOut.contents === 0
          ? []
          : [
              [
                'left out',
                `${formatBytes(leftOut.bytes)} in ${plural(leftOut.contents, 'content')} that the far side has`,
              ],
            ]),
        ['to carry', formatBytes(carried)],
        [volumes.length === 1 ? 'file' : 'media', `${volumes.length}: ${sizes.join(', ')}`],
        ...speeds.map(({ name, write, read }) => [
          `time, ${name}`,
          `write ${formatDuration((carried / write) * 1000)}, read ${formatDuration((carried / read) * 1000)}`,
        ]),
        ...near.map(({ path, needed, free }) => [
          'space here',
          `${path}: ${formatBytes(needed)}${free === undefined ? '' : `, ${formatBytes(free)} are free${free < needed ? ': TOO LITTLE' : ''}`}`,
        ]),
        [
          'space there',
          `${formatBytes(far.store)} in the target${far.waiting === 0 ? '' : `, and ${formatBytes(far.waiting)} while volumes are missing`}; the bundle is read where it lies`,
        ],
      ],
    ),
  ];
}
