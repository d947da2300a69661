import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** As the shell finds it. */
const GO = 'go';
const INTEROP = resolve(import.meta.dirname, '../interop');

/** A program of the tests' own that stands on modules of somebody else. */
export interface GoProgram {
  /** Why it is not there: no Go, a module that cannot be had, too slow a machine. */
  readonly missing: string | undefined;
  /** What it printed. @throws with what it said when it fails */
  run(...args: readonly string[]): string;
  /** Its words when it refuses; undefined when it does not. */
  refuses(...args: readonly string[]): string | undefined;
  remove(): Promise<void>;
}

export interface GoProgramOptions {
  /** The environment variable that names the program where it was built before. */
  readonly prebuilt: string;
  /** Milliseconds for building; what was compiled until then is kept by Go for the next time. */
  readonly timeout: number;
}

/** Builds the Go program in a directory of test/interop. One that cannot be built is missing, never an error: its peers are welcome, not required. */
export async function buildGoProgram(directory: string, options: GoProgramOptions): Promise<GoProgram> {
  const work = await mkdtemp(join(tmpdir(), 'ocl-go-'));
  const remove = async (): Promise<void> => await rm(work, { recursive: true, force: true });
  const prebuilt = process.env[options.prebuilt];
  const path = prebuilt ?? join(work, 'program');
  const missing = prebuilt === undefined ? await build(join(INTEROP, directory), path, options.timeout) : undefined;
  return { missing, remove, ...callsOf(path, work) };
}

async function build(source: string, path: string, timeout: number): Promise<string | undefined> {
  if (spawnSync(GO, ['version']).status !== 0) return 'Go is not installed';
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' };
  const child = spawn(GO, ['build', '-o', path, '.'], { cwd: source, env, timeout });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const status = await new Promise<number | null>((done) => {
    child.once('error', () => done(-1));
    child.once('close', done);
  });
  if (status === 0) return undefined;
  if (status === null) return `it was not built within ${timeout / 1000} s`;
  return `it cannot be built here: ${said.trim().split('\n').at(-1)?.trim() ?? `go ends with ${status}`}`;
}

/** @param home Meshery's own code keeps files below it */
function callsOf(path: string, home: string): Pick<GoProgram, 'run' | 'refuses'> {
  const run = (args: readonly string[]) =>
    spawnSync(path, args, { encoding: 'utf8', env: { ...process.env, HOME: home }, maxBuffer: 64 << 20 });
  return {
    run(...args) {
      const { status, stdout, stderr } = run(args);
      if (status !== 0) throw new Error(`${args.join(' ')} ends with ${status}: ${stderr}`);
      return stdout;
    },
    refuses(...args) {
      const { status, stderr } = run(args);
      return status === 0 ? undefined : stderr.trim();
    },
  };
}
