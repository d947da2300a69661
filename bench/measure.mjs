// One command as a whole process: seconds on the clock, seconds of processor, and the most memory it held.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const running = new Set();
process.on('exit', () => {
  for (const { pid } of running) endGroup(pid);
});

const TICKS = 100; // per second, in /proc/PID/stat: a constant of Linux on all that runs Node

export function which(name) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => existsSync(file));
}

const time = ['/usr/bin/time'].find((file) => existsSync(file));
const strace = which('strace');
/** What is said of the figures when their source is the poorer one. */
export const instrument =
  time === undefined ? 'polls of /proc every 10 ms (processor time is approximate)' : 'GNU time (wait4)';
export const countsSyncs = strace !== undefined;

/**
 * @param options.deadline seconds after which the command is ended
 * @param options.scratch a directory for notes
 * @param options.trace counts calls that wait for the disk, instead of measuring
 */
export async function measure(argv, { env, cwd, scratch, deadline = 900, trace = false }) {
  const notes = join(scratch, 'notes');
  rmSync(notes, { force: true });
  const prefix = trace
    ? [strace, '-f', '-qq', '--seccomp-bpf', '-e', 'trace=fsync,fdatasync,sync,syncfs,sync_file_range', '-o', notes]
    : time === undefined
      ? []
      : [time, '-q', '-f', '%U %S %M', '-o', notes];
  const [file, ...args] = [...prefix, ...argv];
  const started = performance.now();
  const child = spawn(file, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endGroup(child.pid);
  }, deadline * 1000);
  const watch = trace || time !== undefined ? undefined : new Watch(child.pid);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-4000)));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal));
  });
  clearTimeout(timer);
  running.delete(child);
  const wall = (performance.now() - started) / 1000;
  if (late) throw new Error(`not done after ${deadline} s`);
  if (status !== 0) throw new Error(`exit status ${status}: ${output.trim()}`);
  if (trace) return { syncs: countLines(notes) };
  if (watch !== undefined) return { wall, ...watch.stop() };
  const [user, system, kilobytes] = readFileSync(notes, 'utf8').trim().split(' ').map(Number);
  return { wall, cpu: user + system, memory: kilobytes * 1024 };
}

/** The instrument with the command that it watches. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Calls that were interrupted stand on two lines, of which the second says so. */
function countLines(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes('sync') && !line.includes('resumed>')).length;
}

/** A process and all below it, as /proc shows them. */
class Watch {
  #timer;
  #cpu = new Map();
  #memory = 0;

  constructor(pid) {
    this.#timer = setInterval(() => this.#look(pid), 10);
    this.#look(pid);
  }

  stop() {
    clearInterval(this.#timer);
    return { cpu: [...this.#cpu.values()].reduce((sum, ticks) => sum + ticks, 0) / TICKS, memory: this.#memory };
  }

  #look(pid) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      this.#cpu.set(pid, Number(fields[11]) + Number(fields[12]));
      const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      this.#memory = Math.max(this.#memory, Number(peak ?? 0) * 1024);
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      for (const child of children === '' ? [] : children.split(' ')) this.#look(Number(child));
    } catch {
      // It has ended.
    }
  }
}

const PIECE = Buffer.alloc(1 << 20, 7);

/**
 * Has the kernel hold as much memory as a run will fill: a virtual machine gives what lies idle back to its host, and the first to take it
 * again pays for each page. Whose turn comes after a pause would pay for those who follow.
 * @param bytes that a run writes
 */
export function warmMemory(directory, bytes) {
  const file = join(directory, 'warm');
  const handle = openSync(file, 'w');
  try {
    for (let at = 0; at < bytes; at += PIECE.length) writeSync(handle, PIECE, 0, PIECE.length, at);
  } finally {
    closeSync(handle);
    rmSync(file);
  }
}

/** Waits until what other runs wrote is on the disk, so that no run pays for the one before it. */
export function settle(directory) {
  spawnSync('sync', ['-f', directory], { stdio: 'ignore' });
}
