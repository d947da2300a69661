import { OclError } from '../core/errors.ts';
import { EXIT_OF } from './exit.ts';
import { reportError } from './run.ts';

/**
 * Before an archive goes to standard output. Elsewhere who closes the pipe has read enough; here half an archive was read, and whoever
 * waits must learn of it.
 * @param what that goes there, for messages; `hint` says what else can be typed
 * @throws OCL_USAGE when it is a terminal
 */
export function endWithStdout(what: string, hint: string): void {
  if (process.stdout.isTTY) throw new OclError('OCL_USAGE', `Cannot write ${what} to a terminal`, { hint });
  process.stdout.prependListener('error', (error: NodeJS.ErrnoException) => {
    const why = error.code === 'EPIPE' ? 'whoever was to read it has stopped' : error.message;
    const told = error.code === 'EPIPE' ? 'see what the command behind the pipe says' : undefined;
    reportError(new OclError('OCL_IO', `Cannot write ${what}: ${why}`, { hint: told, cause: error }), false);
    process.exit(EXIT_OF.OCL_IO);
  });
}
