import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { parsePathReference } from '../../core/reference.ts';
import { createRegistryHandler } from '../../serve/handler.ts';
import { listen } from '../../serve/listen.ts';
import { makeDirectory } from '../../io/atomicFile.ts';
import { isRunning } from '../../io/lock.ts';
import { defineCommand } from '../command.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';

const STALE = 24 * 3_600_000;

export const serve = defineCommand(
  (cli) =>
    cli
      .positional('place', {
        type: 'string',
        demandOption: true,
        describe: 'A layout, a library of layouts, or an archive',
      })
      .option('listen', {
        type: 'string',
        default: '127.0.0.1:5000',
        describe: 'ADDRESS:PORT; port 0 takes a free one',
      })
      .option('read-only', { type: 'boolean', default: false, describe: 'Take no pushes and no deletions' })
      .option('allow-host', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'A name by which clients may call this server (repeatable)',
      })
      .example('$0 serve ./mirror', 'docker pull localhost:5000/library/alpine:3.20')
      .example('$0 serve images.tar --read-only --listen 0.0.0.0:5000', 'A bundle as it lies, for a whole network'),
  async (args) => {
    const { host, port } = parseListen(args.listen);
    await runCommand(args, {}, async (env) => {
      const reference = parsePathReference(args.place);
      const library = await env.stores.library(reference);
      const temporary = await makeTemporary(
        reference.kind === 'path' && library.whole === undefined && !args.readOnly ? args.place : env.tmpDir,
      );
      const handler = createRegistryHandler({
        library,
        readOnly: args.readOnly,
        tmpDir: temporary,
        clock: env.clock,
        emit: env.emit,
      });
      try {
        const server = await listen(handler, {
          host,
          port,
          ...(args.allowHost.length === 0 ? {} : { allowedHosts: args.allowHost }),
        });
        const count = (await library.repositories()).length;
        if (env.json)
          env.print(
            JSON.stringify({
              type: 'listening',
              url: server.url,
              readOnly: args.readOnly || !library.writable,
              repositories: count,
            }),
          );
        else
          env.say(
            `serving ${plural(count, 'repository').replace(/ys$/, 'ies')} of ${args.place} at ${server.url}${args.readOnly || !library.writable ? ' (read-only)' : ''}; Ctrl-C stops it`,
          );
        await aborted(env.signal);
        await server.close();
      } finally {
        await handler.close();
        await rm(temporary, { recursive: true, force: true });
      }
    });
  },
);

/** Uploads grow beside the library, so that a finished one becomes a blob by a link. What killed servers left there is removed. */
async function makeTemporary(place: string): Promise<string> {
  await makeDirectory(place);
  for (const name of await readdir(place)) {
    const pid = /^\.ocl-serve-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    // A server of another host may use the same disk: what it works on is young.
    const { mtimeMs } = await stat(join(place, name));
    if (Date.now() - mtimeMs > STALE) await rm(join(place, name), { recursive: true, force: true });
  }
  return await mkdtemp(join(place, `.ocl-serve-${process.pid}-`));
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw new OclError('OCL_USAGE', `Cannot listen on ${JSON.stringify(text)}: it must be like 127.0.0.1:5000`);
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, '') || '0.0.0.0', port };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
