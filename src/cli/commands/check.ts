import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { shellQuote } from '../../artifact/types/commands.ts';
import { formatReference, parsePathReference } from '../../core/reference.ts';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type LocalSource } from '../../core/store.ts';
import { checkStore } from '../../copy/check.ts';
import { importsPath } from '../../stores/layout/session.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { describeCheck } from '../render/check.ts';
import { runCommand } from '../run.ts';
import { volumesOption, withVolumes } from '../volumes.ts';

export const check = defineCommand(
  (cli) =>
    volumesOption(
      cli.positional('place', {
        type: 'string',
        demandOption: true,
        describe: 'A layout, a library of layouts, or an archive',
      }),
    )
      .option('strict', {
        type: 'boolean',
        default: false,
        describe: 'Parts of an index that were not copied count as damage',
      })
      .example('$0 check ./mirror', 'Every layout of a library')
      .example('$0 check images.tar --json', 'A file that crossed the gap'),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const stores = await openAll(args.place, args.volumes, env);
      let damaged = false;
      const awaited = new Set<string>();
      for (const { name, path, store } of stores) {
        const report = await checkStore(store, { emit: env.emit, signal: env.signal });
        const bad = report.damaged || (args.strict && report.findings.some(({ kind }) => kind === 'absent'));
        damaged ||= bad;
        if (env.json) env.print(JSON.stringify({ type: 'check', place: name, ...report, damaged: bad }));
        else env.print(describeCheck(name, report, bad));
        for (const each of await importsAwaitedBy(path)) awaited.add(each);
      }
      if (awaited.size > 0 && !env.json)
        env.say(
          `info: imports are not complete (${awaited.size}), so there are contents that no image names yet: ocl import --check FILE... ${shellQuote(printable(args.place))}`,
        );
      return damaged ? EXIT.failed : EXIT.done;
    });
  },
);

/** Sets of volumes of which a layout has a part, and deltas for which the answer to a request has come. */
async function importsAwaitedBy(layout: string): Promise<readonly string[]> {
  const names = await readdir(importsPath(layout)).catch(() => []);
  return names.flatMap((name) => /^([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1] ?? []);
}

interface Opened {
  readonly name: string;
  readonly path: string;
  readonly store: LocalSource;
}

/** One store for a layout or archive; for a library one for each layout, since content is kept apart there. */
async function openAll(place: string, volumes: readonly string[] | undefined, env: Env): Promise<readonly Opened[]> {
  const reference = parsePathReference(place);
  if (reference.kind === 'registry')
    throw new OclError('OCL_USAGE', `Cannot check ${formatReference(reference)}: a registry checks its own disk`, {
      hint: 'copy it into a layout, and check that',
    });
  const library = await env.stores.library(withVolumes(reference, volumes));
  const repositories = await library.repositories();
  if (library.whole !== undefined) return [{ name: place, path: reference.path, store: library.whole }];
  if (repositories.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot check ${place}: there is no image layout and no archive`);
  const found: Opened[] = [];
  for (const repository of repositories) {
    const store = await library.source(repository);
    const name = `${place.replace(/\/+$/, '')}/${repository}`;
    if (store !== undefined) found.push({ name, path: join(reference.path, repository), store });
  }
  return found;
}
