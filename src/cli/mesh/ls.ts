import { existsSync } from 'node:fs';
import { OclError } from '../../core/errors.ts';
import { isRegistryHost, type RegistryReference } from '../../core/reference.ts';
import { printable } from '../../core/redact.ts';
import { ENTITY_KINDS } from '../../mesh/entity.ts';
import { listDisk, listRepository, type ListedEntity, type ListOptions } from '../../mesh/list.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, formatTable } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { inputReference } from './input.ts';

export const ls = defineCommand(
  (cli) =>
    cli
      .positional('places', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Layouts, libraries, archives, directories of files, HOST/REPOSITORY, HOST/NAMESPACE, or a registry HOST/',
      })
      .option('kind', { choices: [...ENTITY_KINDS, 'bundle'] as const, describe: 'These alone' })
      .example('$0 mesh ls ./store', 'All entities of a library')
      .example('$0 mesh ls registry.local:5000/meshery/designs/shop', 'The versions of a design')
      .example('$0 mesh ls registry.local:5000/ --kind model --json', 'All models of a registry'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const problems: string[] = [];
      const onProblem = (reference: string, error: OclError): void => {
        problems.push(reference);
        env.sayFailed(reference, error);
      };
      const listed: ListedEntity[] = [];
      for (const place of args.places)
        listed.push(...(await listPlace(place, { stores: env.stores, tmpDir: env.tmpDir, onProblem }, env)));
      const shown = args.kind === undefined ? listed : listed.filter(({ kind }) => kind === args.kind);
      if (env.json) env.print(JSON.stringify(shown));
      else if (shown.length > 0) env.print(table(shown));
      else env.say('no entities of Meshery');
      return problems.length > 0 ? EXIT.failed : EXIT.done;
    });
  },
);

async function listPlace(place: string, options: ListOptions, env: Env): Promise<readonly ListedEntity[]> {
  const host = place.replace(/^docker:\/\//, '').replace(/\/$/, '');
  if (!existsSync(place) && !host.includes('/') && isRegistryHost(host) && (place.endsWith('/') || /:\d+$/.test(host)))
    return await listHost(host, options, env);
  const reference = inputReference(place);
  if (reference.kind === 'registry') return await listNamespace(reference, options, env);
  return await listDisk(reference, options);
}

/** `HOST/NAMESPACE`, as entities are pushed to it, is no repository itself. */
async function listNamespace(
  reference: RegistryReference,
  options: ListOptions,
  env: Env,
): Promise<readonly ListedEntity[]> {
  try {
    return await listRepository(reference, options);
  } catch (error) {
    const { registry, repository, tag, digest } = reference;
    const isMissing = error instanceof OclError && error.code === 'OCL_NOT_FOUND';
    if (!isMissing || tag !== undefined || digest !== undefined) throw error;
    // Many registries tell no catalog: then the first answer says more.
    const listed = await listHost(registry, options, env, `${repository}/`).catch(() => []);
    if (listed.length === 0) throw error;
    return listed;
  }
}

/** Repositories are called by the kind of what is in them, so that the others need not be asked. */
const OWN = new RegExp(
  `(?:^|/)(?:${ENTITY_KINDS.map((kind) => (kind === 'policy' ? 'policies' : `${kind}s`)).join('|')}|bundles)/`,
);

async function listHost(host: string, options: ListOptions, env: Env, prefix = ''): Promise<readonly ListedEntity[]> {
  const listed: ListedEntity[] = [];
  for await (const repository of env.registries.catalog(host)) {
    if (!repository.startsWith(prefix) || !OWN.test(repository)) continue;
    const reference: RegistryReference = { kind: 'registry', registry: host, repository };
    listed.push(...(await listRepository(reference, options)));
  }
  return listed;
}

function table(listed: readonly ListedEntity[]): string {
  const rows = listed.map(({ reference, aliases, kind, name, version, modelVersion, size, deprecation }) => [
    printable(reference) + (aliases.length === 0 ? '' : printable(` (${aliases.join(', ')})`)),
    kind + (deprecation?.deprecated === true ? ' (deprecated)' : ''),
    printable(name),
    printable(modelVersion === undefined ? (version ?? '-') : `${modelVersion} / ${version ?? '-'}`),
    formatBytes(size),
  ]);
  return formatTable(['REFERENCE', 'KIND', 'NAME', 'VERSION', 'SIZE'], rows);
}
