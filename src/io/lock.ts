import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { type Clock } from '../core/clock.ts';
import { OclError, systemCode } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { makeDirectory } from './atomicFile.ts';

/** Who made a lock or a marker: enough to tell, on the same host, whether that process still lives. */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** The space in which the pid means something: two containers may share a host name. */
  readonly space: string;
  /** The process's start as the kernel counts it, so that a reused number is not mistaken for it. */
  readonly started: string;
  readonly nonce: string;
}

export interface LockOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Milliseconds to wait for another holder. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const POLL = 25;
const DEFAULT_TIMEOUT = 60_000;
/** A take-over lasts a few system calls; one that is older was left by a process that died in it. */
const TAKEOVER_AGE = 10_000;
/** Where links do not exist, a lock is empty for the moment between two system calls. */
const EMPTY_AGE = 10_000;

function startOf(pid: number): string {
  return fieldsOf(pid)[19] ?? '';
}

/** The fields of /proc/PID/stat from the third on, counted after the command's closing bracket: the command itself may hold anything. */
function fieldsOf(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function pidSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

export function thisOwner(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    space: pidSpace(),
    started: startOf(process.pid),
    nonce: randomBytes(8).toString('hex'),
  };
}

/** Whether a process of that number runs on this host. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Whether the process that made a mark still runs; undefined when that cannot be known from here. */
export function isAlive(owner: Owner): boolean | undefined {
  // Without a space it was written by something that knows none: the host name has to do.
  if (owner.host !== hostname() || (owner.space !== '' && owner.space !== pidSpace())) return undefined;
  if (!isRunning(owner.pid)) return false;
  // It was killed, and nobody has asked how it ended: containers often have a first process that never does.
  if (fieldsOf(owner.pid)[0] === 'Z') return false;
  const started = startOf(owner.pid);
  return owner.started === '' || started === '' || started === owner.started;
}

export async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<Owner>;
    if (typeof value.pid !== 'number' || typeof value.host !== 'string') return undefined;
    return {
      pid: value.pid,
      host: value.host,
      space: String(value.space ?? ''),
      started: String(value.started ?? ''),
      nonce: String(value.nonce ?? ''),
    };
  } catch (error) {
    if (systemCode(error) === undefined || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Runs an action while this process alone holds the lock file.
 * A lock whose process died on this host is taken over, and said.
 * @throws OCL_LOCKED when another holder does not let go in time
 */
export async function withLock<T>(path: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  const owner = thisOwner();
  await acquire(path, owner, options);
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, owner: Owner, options: LockOptions): Promise<void> {
  const deadline = options.clock.now() + (options.timeout ?? DEFAULT_TIMEOUT);
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      if (await tryCreate(path, owner)) return;
    } catch (error) {
      // Who left last removed the directory, or tidied up what was being made here.
      if (systemCode(error) !== 'ENOENT') throw error;
      await makeDirectory(dirname(path));
      continue;
    }
    const holder = await readOwner(path);
    const dead = holder === undefined ? await isAbandoned(path) : isAlive(holder) === false;
    if (dead && (await takeOver(path, holder))) {
      const whose = holder === undefined ? 'a process that' : `process ${holder.pid}, which`;
      options.emit({
        type: 'notice',
        level: 'warning',
        message: `took over the lock of ${whose} is no longer running (${path})`,
      });
      continue;
    }
    if (options.clock.now() >= deadline) throw locked(path, holder);
    await options.clock.sleep(POLL, options.signal);
  }
}

function locked(path: string, holder: Owner | undefined): OclError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
  // Containers have process numbers of their own, and may have one host name.
  const isElsewhere = holder !== undefined && isAlive(holder) === undefined;
  return new OclError('OCL_LOCKED', `Cannot lock ${path}: ${who} holds it`, {
    hint: isElsewhere
      ? `if that process is over, as when its container was killed, remove the file: rm ${path}`
      : 'wait until that process is done, then run the command again',
  });
}

/** The content appears together with the name: a reader never sees an empty lock. */
async function tryCreate(path: string, owner: Owner): Promise<boolean> {
  const temporary = `${path}.${owner.nonce}`;
  const handle = await open(temporary, 'wx', 0o644);
  try {
    await handle.writeFile(JSON.stringify(owner));
  } finally {
    await handle.close();
  }
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    return await createWithoutLinks(path, owner);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createWithoutLinks(path: string, owner: Owner): Promise<boolean> {
  try {
    const handle = await open(path, 'wx', 0o644);
    try {
      await handle.writeFile(JSON.stringify(owner));
    } finally {
      await handle.close();
    }
    // Who was held up for long between the two may have been taken for dead.
    return (await readOwner(path))?.nonce === owner.nonce;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Whether a lock is still empty so long after it was made that its maker cannot be about to write to it. */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    const { size, mtimeMs } = await stat(path);
    return size === 0 && Date.now() - mtimeMs > EMPTY_AGE;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Removes a dead holder's lock. Only one process at a time may, and only while the lock is still that holder's. */
async function takeOver(path: string, dead: Owner | undefined): Promise<boolean> {
  const guard = `${path}.takeover`;
  try {
    await (await open(guard, 'wx')).close();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    const age =
      Date.now() -
      (await stat(guard).then(
        (entry) => entry.mtimeMs,
        () => Date.now(),
      ));
    if (age > TAKEOVER_AGE) await rm(guard, { force: true });
    return false;
  }
  try {
    const now = await readOwner(path);
    const same = dead === undefined ? now === undefined && (await isAbandoned(path)) : isOf(now, dead);
    if (!same) return false;
    await rm(path, { force: true });
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

function isOf(owner: Owner | undefined, other: Owner): boolean {
  return owner?.nonce === other.nonce && owner.pid === other.pid;
}
