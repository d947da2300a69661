import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Readable } from 'node:stream';

const ROOT = resolve(import.meta.dirname, '../..');
export const PROGRAM = join(ROOT, 'bin', 'ocl.js');

export interface CliRun {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from standard input; nothing when it is not given. */
  readonly stdin?: string | Uint8Array | Readable;
}

export interface CliResult {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came. */
  readonly bytes: Buffer;
}

/** Starts the command as it is built (`npm run build`), with nothing of this machine's logins, proxies or colours. */
export function startOcl(args: readonly string[], options: CliRun = {}): ChildProcessWithoutNullStreams {
  const { PATH = '', SystemRoot = '' } = process.env;
  const env = { PATH, SystemRoot, HOME: join(tmpdir(), 'ocl-no-home'), TMPDIR: tmpdir(), ...options.env };
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: options.cwd, env });
}

/** Runs the command to its end. */
export async function ocl(args: readonly string[], options: CliRun = {}): Promise<CliResult> {
  const child = startOcl(args, options);
  const { stdin = '' } = options;
  // Who does not read its input to the end is not at fault.
  child.stdin.on('error', () => {});
  if (typeof stdin === 'string' || stdin instanceof Uint8Array) child.stdin.end(stdin);
  else stdin.pipe(child.stdin);
  return await resultOf(child);
}

/** What a command answers that is expected to do its work. @throws with what it said otherwise */
export async function oclDone(args: readonly string[], options: CliRun = {}): Promise<CliResult> {
  const result = await ocl(args, options);
  if (result.status !== 0)
    throw new Error(`ocl ${args.join(' ')} ends with ${result.status}: ${result.stderr}${result.stdout}`);
  return result;
}

/** Everything that a started command says until it ends. */
export async function resultOf(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const out: Buffer[] = [];
  const error: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => error.push(chunk));
  const status = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  const bytes = Buffer.concat(out);
  return { status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(error).toString() };
}

/** Every line as JSON. @throws when one is none */
export function jsonLines<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
