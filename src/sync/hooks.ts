import { spawn } from 'node:child_process';
import { type Clock } from '../core/clock.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { redact, printable } from '../core/redact.ts';
import { discard, type Http } from '../io/httpMessages.ts';
import { retrying } from '../io/retry.ts';
import { type Hook, type HookName } from './settings.ts';

/** What a hook is told: JSON on the standard input of a program, or the body of a POST. */
export interface HookMessage {
  readonly hook: HookName;
  readonly image: string;
  readonly target: string;
  /** What belongs at the target. */
  readonly digest?: string | undefined;
  /** What was there before. */
  readonly before?: string | undefined;
  readonly reason?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** ISO 8601. */
  readonly time: string;
}

/** Runs one hook. @throws OCL_CONFIG_INVALID, OCL_INCOMPLETE when it fails or takes too long */
export type RunHook = (hook: Hook, message: HookMessage) => Promise<void>;

export interface HookOptions {
  readonly clock: Clock;
  readonly http: Http;
  /** The environment of programs; theirs are added. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of what a program says that errors repeat. */
const TOLD = 500;

export function createHookRunner(options: HookOptions): RunHook {
  return async (hook, message) => {
    options.signal?.throwIfAborted();
    if (hook.type === 'exec') return await exec(hook, message, options);
    if (hook.type === 'webhook') return await post(hook, message, options);
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot run the ${message.hook} hook: its type is ${JSON.stringify(hook.type)}`,
      {
        hint: 'the types are exec (params: program and arguments) and webhook (params: URL)',
      },
    );
  };
}

/** Runs a program, without a shell. Its standard output is not looked at; the end of what it complains of is repeated. */
async function exec(hook: Hook, message: HookMessage, { env, signal }: HookOptions): Promise<void> {
  const [program, ...args] = hook.params;
  if (program === undefined || program === '')
    throw new OclError('OCL_CONFIG_INVALID', `Cannot run the ${message.hook} hook: params names no program`);
  const failed = (why: string): OclError =>
    new OclError('OCL_INCOMPLETE', `Cannot finish the ${message.hook} hook of ${message.image}: ${program} ${why}`);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...env, ...variables(message), ...hook.env },
      stdio: ['pipe', 'ignore', 'pipe'],
      windowsHide: true,
    });
    let said = '';
    const stop = (why: string): void => {
      child.kill('SIGKILL');
      // A grandchild may hold the pipe open.
      child.stderr.destroy();
      reject(failed(why));
    };
    const timer = setTimeout(() => stop(`did not end within ${hook.timeout / 1000} s`), hook.timeout);
    const abort = (): void => stop('was stopped');
    signal?.addEventListener('abort', abort, { once: true });
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-TOLD)));
    child.stdin.on('error', () => {
      // A program that does not read what it is told need not.
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(failed(`cannot be started: ${error.message}`));
    });
    child.on('close', (status, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (status === 0) return resolve();
      const words = printable(redact(said.trim().replaceAll(/\s+/g, ' ')));
      reject(failed(`ended with ${killedBy ?? `status ${status}`}${words === '' ? '' : `: ${words}`}`));
    });
    child.stdin.end(`${JSON.stringify(message)}\n`);
  });
}

/** The same as the message, for programs that read no JSON. */
function variables({ hook, image, target, digest, before, error }: HookMessage): Record<string, string> {
  return {
    OCL_HOOK: hook,
    OCL_IMAGE: image,
    OCL_TARGET: target,
    OCL_DIGEST: digest ?? '',
    OCL_BEFORE: before ?? '',
    OCL_ERROR: error?.code ?? '',
  };
}

/** Posts the message; a failure of the network or of the server is tried again. No redirects: what is told stays with whom it is told. */
async function post(hook: Hook, message: HookMessage, { clock, http, signal }: HookOptions): Promise<void> {
  const [address = ''] = hook.params;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new OclError('OCL_CONFIG_INVALID', `Cannot run the ${message.hook} hook: params names no http or https URL`);
  const timeout = AbortSignal.timeout(hook.timeout);
  const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  let status: number;
  try {
    // Once: it takes the login out of the URL.
    const headers = { 'content-type': 'application/json', ...basic(url) };
    const answer = await retrying(
      async () =>
        await http.request({
          method: 'POST',
          url,
          headers,
          body,
          signal: both,
          repeatable: true,
        }),
      { clock, signal: both },
    );
    status = answer.status;
    await discard(answer);
  } catch (error) {
    const why = timeout.aborted ? `it did not answer within ${hook.timeout / 1000} s` : toOclError(error).message;
    throw new OclError('OCL_INCOMPLETE', `Cannot tell ${url.host} of ${message.image}: ${why}`, { cause: error });
  }
  if (status >= 300)
    throw new OclError('OCL_INCOMPLETE', `Cannot tell ${url.host} of ${message.image}: it answered ${status}`);
}

/** A login in the URL is sent as one. */
function basic(url: URL): Record<string, string> {
  if (url.username === '') return {};
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = url.password = '';
  return { authorization: `Basic ${Buffer.from(login, 'utf8').toString('base64')}` };
}
