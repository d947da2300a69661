import { join } from 'node:path';
import { describeImage, type Listed } from '../../artifact/list.ts';
import { type TypeTable } from '../../artifact/types/table.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { shortDigest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { entryName } from '../../core/names.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, isRegistryHost, type FileReference, type RegistryReference } from '../../core/reference.ts';
import { type LocalSource } from '../../core/store.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { ownRepository } from '../../stores.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, formatTable, plural } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { loadTypes, typesOption } from '../types.ts';
import { localValues, registryValues } from '../values.ts';
import { tellOfAbsent, volumesOption, withVolumes } from '../volumes.ts';

/** What a directory lists in which there is no layout at all. */
const NONE: readonly Listed[] = [];

export const ls = defineCommand(
  (cli) =>
    typesOption(
      volumesOption(
        cli.positional('place', {
          type: 'string',
          demandOption: true,
          describe: 'A layout, library, archive, HOST/REPOSITORY, HOST/NAMESPACE, or a registry HOST',
        }),
      ),
    )
      .option('all', {
        alias: 'a',
        type: 'boolean',
        default: false,
        describe: 'Also what has no name, such as signatures',
      })
      .option('html', {
        type: 'string',
        requiresArg: true,
        describe: 'Also write the listing to this file, as a page to look at; - prints the page alone',
      })
      .example('$0 ls ./mirror', 'All images of a library')
      .example('$0 ls ./mirror --html mirror.html', 'The same as a page for a browser, which needs no network')
      .example('$0 ls registry.local:5000', 'The repositories of a registry')
      .example('$0 ls registry.local:5000/app --json', 'The images of a repository'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      if (isHostAlone(args.place)) {
        if (args.html !== undefined)
          throw new OclError('OCL_USAGE', `Cannot write a page of ${args.place}: a registry alone lists no images`, {
            hint: `ocl ls ${args.place.replace(/\/$/, '')}/REPOSITORY --html ${args.html}`,
          });
        const names: string[] = [];
        for await (const name of env.registries.catalog(args.place.replace(/^docker:\/\//, '').replace(/\/$/, '')))
          names.push(name);
        printRepositories(args.place, names, env);
        if (!env.json && names.length === 0) env.say(`no repositories in ${printable(args.place)}`);
        return;
      }
      const reference = withVolumes(parsePlace(args.place), args.volumes);
      const types = await loadTypes(args.types);
      const listed =
        reference.kind === 'registry'
          ? await listRegistry(reference, env, types)
          : await listLocal(reference, env, { types, all: args.all });
      if (listed === undefined) {
        if (args.html !== undefined)
          throw new OclError('OCL_NOT_FOUND', `Cannot write a page of ${args.place}: there is no such repository`, {
            hint: `ocl ls ${args.place}`,
          });
        return await listNamespace(reference as RegistryReference, env);
      }
      if (args.html !== undefined) {
        const { catalogPage } = await import('../render/catalogPage.ts');
        const page = catalogPage(listed, { place: args.place, types, now: env.clock.now() });
        if (args.html === '-') {
          env.print(page.trimEnd());
          return;
        }
        await writeFileAtomic(args.html, new TextEncoder().encode(page));
        env.say(`${printable(args.html)}: ${plural(listed.length, 'image')}`);
      }
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

/** Repositories below a name that is none itself; none also where the registry shows no list. @throws what breaks a list that had begun */
async function repositoriesBelow({ registry, repository }: RegistryReference, env: Env): Promise<readonly string[]> {
  const names: string[] = [];
  let hasBegun = false;
  try {
    for await (const name of env.registries.catalog(registry)) {
      hasBegun = true;
      if (name.startsWith(`${repository}/`)) names.push(name);
    }
  } catch (error) {
    // A part would be taken for the whole.
    if (hasBegun || env.signal.aborted) throw error;
    // That there is no such repository tells more.
  }
  return names;
}

/** @param names of repositories of the registry */
function printRepositories(registry: string, names: readonly string[], env: Env): void {
  if (env.json) env.print(JSON.stringify({ registry, repositories: names }));
  else for (const name of names) env.print(printable(name));
}

/** A name that is no repository may hold some, which are listed then. @throws OCL_NOT_FOUND, with what to type, where there are none */
async function listNamespace(reference: RegistryReference, env: Env): Promise<void> {
  const { registry } = reference;
  const place = formatReference(reference);
  const names = await repositoriesBelow(reference, env);
  if (names.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot list ${place}: ${registry} has no repository of that name`, {
      hint: `ocl ls ${registry}/ lists its repositories, if it shows them to you; each is named in full, like ${place}/NAME`,
    });
  printRepositories(registry, names, env);
  env.say(`${printable(place)} is no repository; below it: ${names.length}`);
}

/** Undefined: there is no such repository. */
async function listRegistry(
  reference: RegistryReference,
  env: Env,
  types: TypeTable,
): Promise<readonly Listed[] | undefined> {
  const source = await env.stores.source(reference);
  const describe = async (one: RegistryReference, name: string): Promise<Listed> =>
    await describeImage(source, formatReference(one), await source.resolve(name), {
      types,
      values: registryValues(one),
    });
  const one = reference.digest ?? reference.tag;
  if (one !== undefined) return [await describe(reference, one)];
  const tags: string[] = [];
  try {
    for await (const tag of source.tags()) tags.push(tag);
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
  const listed: Listed[] = [];
  for (const tag of tags) listed.push(await describe({ ...reference, tag }, tag));
  return listed;
}

async function listLocal(
  reference: FileReference,
  env: Env,
  { types, all }: { readonly types: TypeTable; readonly all: boolean },
): Promise<readonly Listed[]> {
  const library = await env.stores.library(reference);
  await tellOfAbsent(library.whole, env);
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
      const path = library.whole === undefined ? join(reference.path, repository) : reference.path;
      const name = tag === undefined ? `${repository}@${root.digest}` : `${repository}:${tag}`;
      const values = localValues(path, source, root);
      listed.push(await describeImage(source, name, root, { types, values, repository }));
    }
  }
  return listed;
}

async function rootsOf(source: LocalSource, wanted: string | undefined): Promise<readonly Descriptor[]> {
  return wanted === undefined ? await source.roots() : [await source.resolve(wanted)];
}

function table(listed: readonly Listed[]): string {
  const rows = listed.map((each) => [
    printable(each.reference),
    typeName(each),
    shortDigest(each.digest),
    formatBytes(each.size),
    printable(each.created?.slice(0, 10) ?? '-'),
    each.platforms.length === 0 ? '-' : printable(each.platforms.join(', ')),
    each.actions?.[0]?.command ?? '-',
  ]);
  return formatTable(['REFERENCE', 'TYPE', 'DIGEST', 'SIZE', 'CREATED', 'PLATFORMS', 'USE'], rows);
}

function typeName({ kind, artifact, problem, deprecation }: Listed): string {
  if (problem !== undefined) return 'DAMAGED';
  const name = artifact === undefined || artifact.id === 'artifact' ? kind : artifact.name;
  return `${printable(name)}${deprecation?.deprecated === true ? ' (deprecated)' : ''}`;
}
