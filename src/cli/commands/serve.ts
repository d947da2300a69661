import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { parsePathReference } from '../../core/reference.ts';
import { createRegistryHandler } from '../../serve/handler.ts';
import { isLoopback } from '../../serve/hosts.ts';
import { listen } from '../../serve/listen.ts';
import { defineCommand } from '../command.ts';
import { aborted, parseListen } from '../listen.ts';
import { isArchiveName } from '../place.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { makeUploads } from '../uploads.ts';
import { tellOfAbsent, volumesOption, withVolumes } from '../volumes.ts';

export const serve = defineCommand(
  (cli) =>
    volumesOption(
      cli.positional('place', {
        type: 'string',
        demandOption: true,
        describe: 'A layout, a library of layouts, or an archive',
      }),
    )
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
      .example('$0 serve images.tar --read-only --listen 0.0.0.0:5000', 'A bundle as it lies, for a whole network')
      .example('$0 serve images.vol*.tar', 'Straight from the volumes of a set'),
  async (args) => {
    const { host, port } = parseListen(args.listen, '127.0.0.1:5000');
    await runCommand(args, {}, async (env) => {
      const { emit } = env;
      const reference = withVolumes(parsePathReference(args.place), args.volumes);
      const library = await env.stores.library(reference, { create: !args.readOnly && !isArchiveName(args.place) });
      await tellOfAbsent(library.whole, env);
      const tree = reference.kind === 'path' && library.whole === undefined ? reference.path : undefined;
      const beside = tree === undefined || args.readOnly ? undefined : tree;
      if (beside !== undefined && !existsSync(beside))
        emit({ type: 'notice', level: 'info', message: `${beside} is not there yet, and is made` });
      const { directory: temporary, refused } = await makeUploads(beside, env.tmpDir);
      if (refused !== undefined)
        emit({
          type: 'notice',
          level: 'warning',
          message: `${args.place} takes no pushes and no deletions: ${refused.message}`,
        });
      const readOnly = args.readOnly || !library.writable || refused !== undefined;
      if (!readOnly && !isLoopback(host))
        emit({
          type: 'notice',
          level: 'warning',
          message: 'anyone who reaches this server can push and delete; --read-only prevents it',
        });
      const handler = createRegistryHandler({
        library,
        readOnly,
        tmpDir: temporary,
        clock: env.clock,
        emit,
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
              readOnly,
              repositories: count,
            }),
          );
        else
          env.say(
            `serving ${plural(count, 'repository').replace(/ys$/, 'ies')} of ${args.place} at ${server.url}${readOnly ? ' (read-only)' : ''}; Ctrl-C stops it`,
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
