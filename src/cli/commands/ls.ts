import { describeImage, type Listed } from '../../artifact/list.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { shortDigest } from '../../core/digest.ts';
import { entryName } from '../../core/names.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, isRegistryHost, type FileReference, type RegistryReference } from '../../core/reference.ts';
import { type LocalSource } from '../../core/store.ts';
import { ownRepository } from '../../stores.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, formatTable } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { tellOfAbsent, volumesOption, withVolumes } from '../volumes.ts';

/** What a directory lists in which there is no layout at all. */
const NONE: readonly Listed[] = [];

export const ls = defineCommand(
  (cli) =>
    volumesOption(
      cli.positional('place', {
        type: 'string',
        demandOption: true,
        describe: 'A layout, library, archive, HOST/REPOSITORY, or a registry HOST',
      }),
    )
      .option('all', {
        alias: 'a',
        type: 'boolean',
        default: false,
        describe: 'Also what has no name, such as signatures',
      })
      .example('$0 ls ./mirror', 'All images of a library')
      .example('$0 ls registry.local:5000', 'The repositories of a registry')
      .example('$0 ls registry.local:5000/app --json', 'The images of a repository'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      if (isHostAlone(args.place)) {
        const names: string[] = [];
        for await (const name of env.registries.catalog(args.place.replace(/^docker:\/\//, '').replace(/\/$/, '')))
          names.push(name);
        if (env.json) env.print(JSON.stringify({ registry: args.place, repositories: names }));
        else for (const name of names) env.print(printable(name));
        if (!env.json && names.length === 0) env.say(`no repositories in ${printable(args.place)}`);
        return;
      }
      const reference = withVolumes(parsePlace(args.place), args.volumes);
      const listed =
        reference.kind === 'registry' ? await listRegistry(reference, env) : await listLocal(reference, env, args.all);
      if (env.json) env.print(JSON.stringify(listed));
      else if (listed === NONE) env.say(`no image layouts in ${printable(args.place)}`);
      else env.print(table(listed));
    });
  },
);

function isHostAlone(text: string): boolean {
  const host = text.replace(/^docker:\/\//, '').replace(/\/$/, '');
  return (
    !host.includes('/') &&
    isRegistryHost(host) &&
    (/:\d+$/.test(host) || host === 'localhost' || text.endsWith('/') || text.startsWith('docker://'))
  );
}

async function listRegistry(reference: RegistryReference, env: Env): Promise<readonly Listed[]> {
  const source = await env.stores.source(reference);
  const one = reference.digest ?? reference.tag;
  if (one !== undefined) return [await describeImage(source, formatReference(reference), await source.resolve(one))];
  const listed: Listed[] = [];
  for await (const tag of source.tags()) {
    listed.push(await describeImage(source, formatReference({ ...reference, tag }), await source.resolve(tag)));
  }
  return listed;
}

async function listLocal(reference: FileReference, env: Env, all: boolean): Promise<readonly Listed[]> {
  const library = await env.stores.library(reference);
  await tellOfAbsent(library.whole, env.emit);
  const listed: Listed[] = [];
  const wanted = reference.digest ?? reference.tag;
  const repositories = new Set(await library.repositories());
  if (repositories.size === 0 && library.whole === undefined) return NONE;
  // What has no name at all is in no repository of a bundle, but in the bundle.
  if (all && library.whole !== undefined) repositories.add(ownRepository(reference.path));
  for (const repository of repositories) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    for (const root of await rootsOf(source, wanted)) {
      const { tag } = entryName(root);
      if (tag === undefined && !all && wanted === undefined) continue;
      listed.push(
        await describeImage(source, tag === undefined ? `${repository}@${root.digest}` : `${repository}:${tag}`, root),
      );
    }
  }
  return listed;
}

async function rootsOf(source: LocalSource, wanted: string | undefined): Promise<readonly Descriptor[]> {
  return wanted === undefined ? await source.roots() : [await source.resolve(wanted)];
}

function table(listed: readonly Listed[]): string {
  const rows = listed.map(({ reference, kind, platforms, size, created, digest, problem, deprecation }) => [
    printable(reference),
    problem === undefined ? `${printable(kind)}${deprecation?.deprecated === true ? ' (deprecated)' : ''}` : 'DAMAGED',
    shortDigest(digest),
    formatBytes(size),
    created?.slice(0, 10) ?? '-',
    platforms.length === 0 ? '-' : platforms.join(', '),
  ]);
  return formatTable(['REFERENCE', 'TYPE', 'DIGEST', 'SIZE', 'CREATED', 'PLATFORMS'], rows);
}
