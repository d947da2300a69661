import { stat } from 'node:fs/promises';
import { importBundle, type ImportReport, type ImportTarget } from '../../bundle/import.ts';
import { OclError, type OclError as Failure } from '../../core/errors.ts';
import { isRegistryHost, isRepository, parsePathReference } from '../../core/reference.ts';
import { Copier } from '../../copy/copier.ts';
import { ownRepository } from '../../stores.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { selectOptions, toSelect } from '../select.ts';
import { spoolStdin } from '../stdin.ts';

export const importCommand = defineCommand(
  (cli) =>
    selectOptions(cli)
      .positional('files', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'Files (or - for standard input), then the target: a directory, ocidir://LAYOUT, or HOST[:PORT][/PREFIX]',
      })
      .option('only', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Only this name (repeatable)',
      })
      .option('scoped', {
        type: 'boolean',
        default: false,
        describe: "Keep the registry's name as a part of the repository: docker.io/library/alpine",
      })
      .option('repository', {
        type: 'string',
        describe: 'The repository of images that carry no full name; the file name when it is not said',
      })
      .example('$0 import images.tar /srv/images', 'Into a library, one directory a repository')
      .example('$0 import images.tar registry.local:5000/mirror', 'Into a registry, below mirror/')
      .example('$0 import images.tar ocidir://layout', 'All into one layout'),
  async (args) => {
    const files = args.files.slice(0, -1);
    const target = args.files.at(-1);
    if (files.length === 0 || target === undefined)
      throw new OclError('OCL_USAGE', 'Cannot import: name the files and then the target', {
        hint: 'ocl import images.tar DIRECTORY',
      });
    await runCommand(args, {}, async (env) => {
      const copier = new Copier({
        clock: env.clock,
        emit: env.emit,
        signal: env.signal,
        concurrency: args.concurrency,
      });
      const where = await openTarget(target, env);
      const reports: ImportReport[] = [];
      for (const file of files) {
        const path = file === '-' ? await spoolStdin(env.tmpDir, env.signal) : undefined;
        try {
          reports.push(
            await importBundle(parsePathReference(path?.path ?? file), where, {
              stores: env.stores,
              emit: env.emit,
              copier,
              select: toSelect(args),
              scoped: args.scoped,
              repository: args.repository ?? ownRepository(file === '-' ? 'images' : file),
              only: args.only,
            }),
          );
        } finally {
          await path?.remove();
        }
      }
      return report(reports, target, env);
    });
  },
);

async function openTarget(text: string, env: Env): Promise<ImportTarget> {
  const { stores } = env;
  const reference = parsePathReference(text);
  if (reference.kind === 'registry') return registryTarget(`${reference.registry}/${reference.repository}`, env);
  if (reference.kind === 'layout') return { kind: 'layout', sink: await stores.sink(reference) };
  if (reference.kind !== 'path')
    throw new OclError('OCL_USAGE', `Cannot import into ${text}: it is an archive`, {
      hint: 'name a directory, or HOST:PORT[/PREFIX]',
    });
  const directory = await isDirectory(text);
  if (looksLikeRegistry(text)) {
    if (!directory) return registryTarget(text, env);
    throw new OclError(
      'OCL_AMBIGUOUS',
      `Cannot import into ${text}: it may be a registry, and is a directory as well`,
      { hint: `write ./${text} for the directory, docker://${text} for the registry` },
    );
  }
  const library = await stores.library(reference, { create: true });
  return { kind: 'repositories', name: text, open: async (repository) => await library.sink(repository) };
}

function looksLikeRegistry(text: string): boolean {
  if (/^[./~]/.test(text)) return false;
  const [host = ''] = text.split('/');
  return isRegistryHost(host) && (/[.:]/.test(host) || host === 'localhost');
}

function registryTarget(text: string, env: Env): ImportTarget {
  const [registry = '', ...rest] = text.replace(/\/+$/, '').split('/');
  const prefix = rest.join('/');
  if (!isRegistryHost(registry) || (prefix !== '' && !isRepository(prefix)))
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot import into ${text}: it is no HOST[:PORT][/PREFIX]`);
  return {
    kind: 'repositories',
    name: text,
    open: async (repository) =>
      await env.stores.sink({
        kind: 'registry',
        registry,
        repository: prefix === '' ? repository : `${prefix}/${repository}`,
      }),
  };
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function report(reports: readonly ImportReport[], target: string, env: Env): number {
  const results = reports.flatMap((each) => each.results);
  const failed = reports.flatMap((each) => each.failed);
  const copied = results.filter(({ outcome }) => outcome === 'copied').length;
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  if (env.json)
    env.print(
      JSON.stringify({
        type: 'summary',
        target,
        images: results,
        failed: failed.map(({ image, error }) => ({ image, error: plain(error) })),
      }),
    );
  else
    env.say(
      `${target}: ${plural(copied, 'image')} imported, ${results.length - copied} unchanged, ${failed.length} failed (${formatBytes(bytes)})`,
    );
  for (const { image, error } of failed) env.sayFailed(image, error);
  return failed.length > 0 ? EXIT.failed : EXIT.done;
}

function plain({ code, message, hint, side }: Failure): object {
  return { code, message, hint, side };
}
