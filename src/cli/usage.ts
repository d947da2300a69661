import { OclError } from '../core/errors.ts';
import { COMMANDS } from './commands.ts';
import { restoreDash } from './dash.ts';

/** What yargs has against a command line, as one line of ours. */
export function usageError(message: string, argv: readonly string[]): OclError {
  const [first = ''] = argv;
  const known = COMMANDS.some(({ usage }) => String(usage).split(' ')[0] === first);
  const why = restoreDash(message)
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
  const command = known ? `ocl ${first}` : 'ocl';
  return new OclError('OCL_USAGE', `Cannot run ${command}: ${why.charAt(0).toLowerCase()}${why.slice(1)}`, {
    hint: `${command} --help`,
  });
}
