import { spawn } from 'node:child_process';
import { OclError, type ErrorCode } from '../../../core/errors.ts';
import { isObject, type JsonObject } from '../../../core/json.ts';
import { printable } from '../../../core/redact.ts';
import { type Credential } from './dockerConfig.ts';

/** Programs that keep logins: `docker-credential-<name>` on the PATH. All throw OCL_UNAUTHORIZED when one fails, and OCL_NOT_FOUND when it is not installed. */
export interface Helpers {
  /** The login of a server; undefined: it has none. */
  readonly get: (name: string, server: string) => Promise<Credential | undefined>;
  readonly store: (name: string, server: string, credential: StorableCredential) => Promise<void>;
  /** Forgets the login of a server; one that is not there is none. */
  readonly erase: (name: string, server: string) => Promise<void>;
  /** The account names by server. */
  readonly list: (name: string) => Promise<ReadonlyMap<string, string>>;
}

/** What helpers and files can keep. */
export type StorableCredential = Exclude<Credential, { readonly kind: 'bearer' }>;

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

/** The protocol of docker-credential-helpers: an action as argument, the question on standard input, JSON on standard output. */
export function createHelpers(options: HelperOptions): Helpers {
  return {
    async get(name, server) {
      const call = callOf(name, 'get', server);
      const output = await ask(call, server, options);
      return output === undefined ? undefined : readAnswer(output, call);
    },
    async store(name, server, credential) {
      const [user, secret] =
        credential.kind === 'password' ? [credential.username, credential.password] : [TOKEN_USER, credential.token];
      const login = JSON.stringify({ ServerURL: server, Username: user, Secret: secret });
      await ask(callOf(name, 'store', server), login, options);
    },
    async erase(name, server) {
      await ask(callOf(name, 'erase', server), server, options);
    },
    async list(name) {
      const call = callOf(name, 'list', '');
      const entries = Object.entries(readObject((await ask(call, '', options)) ?? '{}', call));
      return new Map(entries.map(([server, user]) => [server, typeof user === 'string' ? user : '']));
    },
  };
}

/** What the helper wrote; undefined: it knows of no such login. */
async function ask(call: Call, input: string, options: HelperOptions): Promise<string | undefined> {
  if (!NAME.test(call.program)) throw failed(call, 'that is no name of a program');
  const { status, output } = await run(call, input, options);
  if (status === 0) return output;
  if (/credentials not found/i.test(output)) return undefined;
  throw failed(call, `it ended with status ${status}`);
}

function callOf(name: string, action: Action, server: string): Call {
  return { action, server, program: `docker-credential-${name.replace(/^docker-credential-/, '')}` };
}

type Action = 'get' | 'store' | 'erase' | 'list';

/** Completes "Cannot …". */
const PURPOSE: Readonly<Record<Action, string>> = {
  get: 'get the credentials of',
  store: 'store the login of',
  erase: 'take away the login of',
  list: 'list the logins that are kept',
};

interface Call {
  readonly action: Action;
  readonly server: string;
  readonly program: string;
}

interface Ended {
  readonly status: number;
  readonly output: string;
}

function run(call: Call, input: string, options: HelperOptions): Promise<Ended> {
  const timeout = options.timeout ?? TIMEOUT;
  const maxOutput = options.maxOutput ?? MAX_OUTPUT;
  return new Promise((resolve, reject) => {
    const child = spawn(call.program, [call.action], {
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
      reject(failed(call, why, code));
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
    child.stdin.end(input);
  });
}

function readAnswer(output: string, call: Call): Credential | undefined {
  const { Username: username, Secret: secret } = readObject(output, call);
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(call, 'its answer has no Username and Secret');
  if (secret === '') return undefined;
  return username === TOKEN_USER
    ? { kind: 'identity', token: secret }
    : { kind: 'password', username, password: secret };
}

function readObject(output: string, call: Call): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    throw failed(call, 'its answer is not JSON');
  }
  if (!isObject(value)) throw failed(call, 'its answer is not a JSON object');
  return value;
}

/** What a helper says may hold a secret, so it is not repeated. */
function failed({ action, server, program }: Call, why: string, code: ErrorCode = 'OCL_UNAUTHORIZED'): OclError {
  const name = printable(program);
  const thing = server === '' ? PURPOSE[action] : `${PURPOSE[action]} ${printable(server)}`;
  const hint =
    code === 'OCL_NOT_FOUND'
      ? `put ${name} on the PATH, or take it out of the configuration that names it`
      : action === 'list'
        ? `try: ${name} list`
        : `try: echo ${printable(server)} | ${name} get`;
  return new OclError(code, `Cannot ${thing}: ${name}: ${why}`, { hint });
}
