import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

export interface Program {
  /** Starts it; what it prints goes to `output` of the run. */
  start(args: readonly string[]): ChildProcess;
  /** Runs it to its end. */
  run(args: readonly string[]): Promise<{ readonly status: number | null; readonly output: string }>;
  close(): Promise<void>;
}

/** A program of the tests as one file of plain JavaScript, for Node 20 does not run TypeScript. */
export async function bundle(entry: string): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-program-'));
  const outfile = join(directory, 'program.mjs');
  await build({
    entryPoints: [resolve(import.meta.dirname, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const start = (args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [outfile, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    start,
    async run(args) {
      const child = start(args);
      let output = '';
      const take = (chunk: Buffer): void => {
        output += chunk.toString();
      };
      child.stdout?.on('data', take);
      child.stderr?.on('data', take);
      const status = await ended(child);
      return { status, output };
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The exit status of a process, or null when a signal ended it. */
export async function ended(child: ChildProcess): Promise<number | null> {
  return await new Promise((done) => child.once('close', done));
}

/** The first line that a process prints. @throws when it ends before */
export async function firstLine(child: ChildProcess): Promise<string> {
  return await new Promise((done, fail) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) done(text.slice(0, text.indexOf('\n')));
    });
    child.once('close', (status) => fail(new Error(`the process ended with ${status} before it said anything`)));
  });
}
