import { OclError, toOclError } from '../core/errors.ts';
import { printable, redact } from '../core/redact.ts';
import { createEnv, type Env, type EnvOptions, type GlobalArguments } from './env.ts';
import { EXIT, EXIT_OF } from './exit.ts';
import { failureText } from './render/failure.ts';
import { endWhenUnread } from './unread.ts';

/**
 * Runs a command's action in an environment, and turns what it throws into a message and an exit status.
 * The first Ctrl-C ends the run in order; the second at once.
 *
 * @param action returns the exit status, or nothing for success
 */
export async function runCommand(
  args: GlobalArguments,
  options: EnvOptions,
  action: (env: Env) => Promise<number | void>,
): Promise<void> {
  if (options.showsOnly === true) endWhenUnread();
  const controller = new AbortController();
  const release = onSignals(controller);
  let env: Env | undefined;
  try {
    env = createEnv(args, controller.signal, options);
    const status = (await action(env)) ?? EXIT.done;
    await env.close();
    process.exitCode = status;
  } catch (error) {
    const failure = controller.signal.aborted ? toOclError(controller.signal.reason) : toOclError(error);
    // What closing says after a failure would hide the failure.
    await env?.close().catch(() => {});
    if (env?.renderer.hasShown(failure) !== true) reportError(failure, args.json && options.contentOnStdout !== true);
    process.exitCode = EXIT_OF[failure.code];
  } finally {
    release();
  }
}

function onSignals(controller: AbortController): () => void {
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(EXIT.cancelled);
    process.stderr.write(`\n${signal}: stopping; once more stops at once\n`);
    controller.abort(
      new OclError('OCL_CANCELLED', `Stopped by ${signal}`, {
        hint: 'run the same command again: what has arrived in a layout or registry is not sent twice',
      }),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return () => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  };
}

/** `error: …`, its code, and the next command to type; with `--json` the same as an object on standard output. */
export function reportError(error: OclError, json: boolean): void {
  const { code, message, hint, side } = error;
  if (json) process.stdout.write(`${JSON.stringify({ type: 'error', error: { code, message, hint, side } })}\n`);
  process.stderr.write(`error: ${failureText(error)}\n`);
  if (hint !== undefined) process.stderr.write(`hint:  ${printable(hint)}\n`);
  if (code !== 'OCL_INTERNAL' || !(error.cause instanceof Error)) return;
  // The stack repeats the message, which may hold a stranger's text.
  for (const line of redact(error.cause.stack ?? '').split('\n')) process.stderr.write(`${printable(line)}\n`);
}
