import { OclError } from '../../core/errors.ts';
import { defineCommand } from '../command.ts';
import { toMilliseconds } from '../duration.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { listDatabases } from '../scan/list.ts';
import { placeDatabases, tellServed } from '../scan/place.ts';

export const scanDb = defineCommand(
  (cli) =>
    cli
      .positional('action', { choices: ['place', 'ls'] as const, demandOption: true, describe: 'What to do' })
      .positional('places', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Databases, or layouts, libraries and archives with such; ls: also the cache of a scanner',
      })
      .option('for', { choices: ['trivy', 'grype'] as const, describe: 'place: whose databases are placed' })
      .option('cache', {
        type: 'string',
        requiresArg: true,
        describe: 'place: the cache of the scanner: --cache-dir of Trivy, GRYPE_DB_CACHE_DIR',
      })
      .option('serve', {
        type: 'string',
        requiresArg: true,
        describe: 'place: put nothing anywhere, but say how Trivy gets them from `ocl serve` at this HOST:PORT',
      })
      .option('read', {
        type: 'boolean',
        default: false,
        describe:
          "ls: also read what Trivy's databases say of themselves, which takes seconds; --max-age does so always",
      })
      .option('max-age', { type: 'string', requiresArg: true, describe: 'Fail when one is older, such as 7d or 36h' })
      .example('$0 scan-db place ./mirror --for trivy --cache trivy-cache', 'All databases of Trivy in a library')
      .example('$0 scan-db place oci:grype-db:6 --for grype --cache grype-db --max-age 5d', 'One, if it is new')
      .example('$0 scan-db place ./mirror --for trivy --serve 127.0.0.1:5000', 'Options for what `ocl serve` serves')
      .example('$0 scan-db ls ./mirror ./trivy-cache --max-age 7d', 'What there is, and how old it is'),
  async (args) => {
    const references = args.places.map(parsePlace);
    const maxAge = args.maxAge === undefined ? undefined : toMilliseconds(args.maxAge);
    const { cache, serve, for: scanner } = args;
    if (args.action === 'ls') {
      await runCommand(
        args,
        { showsOnly: true },
        async (env) => await listDatabases(references, { maxAge, read: args.read }, env),
      );
      return;
    }
    if (scanner === undefined)
      throw new OclError('OCL_USAGE', 'Cannot place a database: it is not said for which scanner', {
        hint: 'add --for trivy or --for grype',
      });
    if ((cache === undefined) === (serve === undefined))
      throw new OclError('OCL_USAGE', 'Cannot place a database: it takes either --cache or --serve', {
        hint: 'add --cache DIR, the cache of the scanner',
      });
    await runCommand(args, {}, async (env) => {
      if (cache !== undefined) await placeDatabases(references, { scanner, cache, maxAge }, env);
      else await tellServed(references, { scanner, host: serve ?? '', maxAge }, env);
    });
  },
);
