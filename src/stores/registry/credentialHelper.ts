import { spawn } from 'node:child_process';
import { OclError, type ErrorCode } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { printable } from '../../core/redact.ts';
import { type Credential } from './dockerConfig.ts';

/** Asks `docker-credential-<name>` for the login of a server; undefined: it has none. @throws OCL_UNAUTHORIZED; OCL_NOT_FOUND when the helper is not installed */
export type RunHelper = (name: string, server: string) => Promise<Credential | undefined>;

export interface HelperOptions {
  /** The environment of the helpers, `PATH` among it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  /** Bytes that a helper may write. */
  readonly maxOutput?: number | undefined;
}

const TIMEOUT = 30_000;
const MAX_OUTPUT = 64 << 10;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** The user name that says: the secret is an identity token. */
const TOKEN_USER = '<token>';

/** Helpers as programs on the PATH (docker-credential-helpers protocol: `get`, the server on standard input, JSON on standard output). */
export function createHelperRunner(options: HelperOptions): RunHelper {
  return async (name, server) => {
    const program = `docker-credential-${name.replace(/^docker-credential-/, '')}`;
    if (!NAME.test(program)) throw failed(server, program, 'that is no name of a program');
    const { status, output } = await run(program, server, options);
    if (status !== 0) {
      if (/credentials not found/i.test(output)) return undefined;
      throw failed(server, program, `it ended with status ${status}`);
    }
    return readAnswer(output, server, program);
  };
}

interface Ended {
  readonly status: number;
  readonly output: string;
}

function run(program: string, server: string, options: HelperOptions): Promise<Ended> {
  const timeout = options.timeout ?? TIMEOUT;
  const maxOutput = options.maxOutput ?? MAX_OUTPUT;
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], {
      env: { ...options.env },
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => stop(`it did not answer within ${timeout / 1000} s`), timeout);

    function stop(why: string, code?: ErrorCode): void {
      clearTimeout(timer);
      child.kill('SIGKILL');
      // A grandchild may hold the pipe open; without this it would keep this process alive.
      child.stdout.destroy();
      reject(failed(server, program, why, code));
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') stop('it is not installed', 'OCL_NOT_FOUND');
      else stop(error.message);
    });
    child.stdin.on('error', () => {
      // A helper may answer without having read what it was asked; its answer tells.
    });
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxOutput) stop(`it wrote more than ${maxOutput} bytes`);
      else chunks.push(chunk);
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? -1, output: Buffer.concat(chunks).toString('utf8') });
    });
    child.stdin.end(server);
  });
}

function readAnswer(output: string, server: string, program: string): Credential | undefined {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    throw failed(server, program, 'its answer is not JSON');
  }
  if (!isObject(value)) throw failed(server, program, 'its answer is not a JSON object');
  const { Username: username, Secret: secret } = value;
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(server, program, 'its answer has no Username and Secret');
  if (secret === '') return undefined;
  return username === TOKEN_USER
    ? { kind: 'identity', token: secret }
    : { kind: 'password', username, password: secret };
}

function failed(server: string, program: string, why: string, code: ErrorCode = 'OCL_UNAUTHORIZED'): OclError {
  return new OclError(code, `Cannot get the credentials of ${printable(server)}: ${printable(program)}: ${why}`, {
    hint: `try: echo ${printable(server)} | ${printable(program)} get`,
  });
}
