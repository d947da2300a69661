import { inspect, type ImageFacts, type Inspection } from '../../artifact/inspect.ts';
import { hostPlatform, parsePlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName } from '../../core/reference.ts';
import { defineCommand } from '../command.ts';
import { formatBytes } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { loadTypes, typesOption } from '../types.ts';
import { valuesOf } from '../values.ts';
import { volumesOption, withVolumes } from '../volumes.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';

export const inspectCommand = defineCommand(
  (cli) =>
    typesOption(
      volumesOption(
        cli.positional('reference', { type: 'string', demandOption: true, describe: 'An image or artifact' }),
      ),
    )
      .option('platform', { type: 'string', describe: 'Which image of an index, such as linux/arm64' })
      .example('$0 inspect alpine:3.20', 'An image of Docker Hub')
      .example('$0 inspect ocidir://mirror/alpine:3.20 --platform linux/arm64', 'One platform of a layout'),
  async (args) => {
    const reference = withVolumes(parsePlace(args.reference), args.volumes);
    const platform = args.platform === undefined ? undefined : parsePlatform(args.platform);
    await runCommand(args, { showsOnly: true }, async (env) => {
      const source = await env.stores.source(reference);
      const root = await onlyRoot(source, wantedName(reference));
      const inspection = await inspect(source, formatReference(reference), root, {
        platform,
        host: hostPlatform(process.platform, process.arch),
        usage: { types: await loadTypes(args.types), values: valuesOf(reference, source, root) },
      });
      env.print(env.json ? JSON.stringify(inspection) : text(inspection));
    });
  },
);

function text(inspection: Inspection): string {
  const { reference, digest, mediaType, kind, artifact, platforms, manifest, size, subject, layers, image } =
    inspection;
  const facts: [string, string | undefined][] = [
    ['Reference', reference],
    ['Digest', digest],
    ['Type', artifact === undefined ? kind : `${artifact.name} (${artifact.id})`],
    ['Told by', artifact?.why],
    ['Media type', mediaType],
    ['Platforms', platforms.join(', ')],
    ['Shown', platforms.length > 0 ? `${manifest.platform ?? '-'}  ${manifest.digest}` : manifest.platform],
    ['Size', formatBytes(size)],
    ['Subject', subject],
    ['Config', inspection.configFault === undefined ? undefined : `not as its type says: ${inspection.configFault}`],
    ...(image === undefined ? [] : imageFacts(image)),
  ];
  const lines = facts
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value ?? '')}`);
  const sections = [
    section(
      'Use',
      (inspection.actions ?? []).map(({ label, command: line }) => `${line}   # ${label}`),
    ),
    section('Environment', image?.env ?? []),
    section('Labels', pairs(image?.labels ?? {})),
    section('Annotations', pairs(inspection.annotations)),
    section(
      'Layers',
      layers.map(
        (layer) => `${layer.digest}  ${formatBytes(layer.size).padStart(8)}  ${layer.title ?? layer.mediaType}`,
      ),
    ),
    section(
      'History',
      (image?.history ?? []).map(
        (line) => `${(line.size === undefined ? '' : formatBytes(line.size)).padStart(8)}  ${line.instruction}`,
      ),
    ),
  ];
  return [lines.join('\n'), ...sections.filter((each) => each !== '')].join('\n');
}

function imageFacts(image: ImageFacts): [string, string | undefined][] {
  return [
    ['Created', image.created],
    ['Author', image.author],
    ['User', image.user],
    ['Entrypoint', command(image.entrypoint)],
    ['Command', command(image.cmd)],
    ['Directory', image.workingDir],
    ['Ports', image.ports.join(', ')],
    ['Volumes', image.volumes.join(', ')],
    ['Stop signal', image.stopSignal],
  ];
}

function command(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : JSON.stringify(words);
}

function pairs(map: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(map).map(([key, value]) => `${key}=${value}`);
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n${lines.map((line) => `  ${printable(line)}`).join('\n')}`;
}
