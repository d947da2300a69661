import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  symlink,
  utimes,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isAbsent, OclError, systemCode } from '../../core/errors.ts';
import { makeDirectory } from '../../io/atomicFile.ts';
import { shown } from '../../io/tarName.ts';
import { probeFolding, refuseCollisions, type NameFolding } from './collisions.ts';
import { type Attributes } from './nodes.ts';
import { plannedMode, type Keep, type Plan, type PlannedFile } from './plan.ts';
import { type Contents } from './toTar.ts';

export interface DirectoryOptions {
  readonly keep: ReadonlySet<Keep>;
  /** Give everything its owner; for root alone. */
  readonly owner: boolean;
  /** What the file system makes of names, where it is known; otherwise it is tried. */
  readonly folding?: NameFolding | undefined;
}

/** Contents up to this size are held, so that several files are written at once. */
const SMALL = 256 << 10;
const AT_ONCE = 16;

/** Before any work. @throws OCL_EXISTS unless the directory is missing or empty */
export async function refuseOccupied(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isDirectory() && (await readdir(path)).length === 0) return;
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  throw new OclError('OCL_EXISTS', `Cannot write ${path}: it is there already and not an empty directory`, {
    hint: 'name another directory, or remove this one first',
  });
}

/**
 * A plan as a directory, which appears when it is complete. Everything is made exclusively in directories that this call made itself,
 * and symbolic links are made last: whatever the layers say, nothing is written through one. Contents are not synced, since they can be made anew.
 * @param path is missing or an empty directory
 * @throws OCL_UNSAFE (names that the file system takes for one), OCL_NO_SPACE, OCL_IO, and what the contents throw
 */
export async function directoryOfPlan(
  plan: Plan,
  contents: Contents,
  path: string,
  options: DirectoryOptions,
): Promise<void> {
  const target = resolve(path);
  await makeDirectory(dirname(target));
  const work = join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  await mkdir(work, 0o700);
  try {
    refuseCollisions(plan.root, plan.directories, options.folding ?? (await probeFolding(work)));
    await new DirectoryWriter(work, options).write(plan, contents);
    await rename(work, target);
  } catch (error) {
    await removeTree(work, plan);
    throw systemCode(error) === 'EEXIST' ? collision(error as NodeJS.ErrnoException, work) : error;
  }
}

/** Directories may have lost the right to write already, without which nobody but root can empty them. */
async function removeTree(work: string, plan: Plan): Promise<void> {
  for (const { path } of [{ path: '' }, ...plan.directories]) await chmod(`${work}/${path}`, 0o700).catch(() => {});
  await rm(work, { recursive: true, force: true });
}

/** What is made exclusively was there: the file system has a way of its own to take two names for one. */
function collision(error: NodeJS.ErrnoException, work: string): OclError {
  const path = (error.path ?? '').slice(work.length + 1);
  return new OclError(
    'OCL_UNSAFE',
    `Cannot write ${shown(path)}: this file system takes another name of the image for the same`,
    {
      hint: 'write to a file system that tells such names apart, or a tar stream: -o -',
      cause: error,
    },
  );
}

class DirectoryWriter {
  readonly #work: string;
  readonly #options: DirectoryOptions;
  readonly #writing = new Set<Promise<void>>();

  constructor(work: string, options: DirectoryOptions) {
    this.#work = work;
    this.#options = options;
  }

  async write(plan: Plan, contents: Contents): Promise<void> {
    for (const { path } of plan.directories) await mkdir(this.#at(path), 0o700);
    try {
      for await (const { file, body } of contents) await this.#take(file, body());
    } finally {
      // Also after a failure: nothing may be written while the directory is removed.
      await Promise.allSettled(this.#writing);
    }
    await Promise.all(this.#writing);
    for (const members of plan.files.values())
      for (const { path, names } of members.values())
        for (const name of names) await link(this.#at(path), this.#at(name));
    for (const { path, node } of plan.symlinks) {
      await symlink(node.target, this.#at(path));
      if (this.#options.owner) await lchown(this.#at(path), node.uid, node.gid);
      await lutimes(this.#at(path), node.mtime, node.mtime);
    }
    // Children first: what is made in a directory changes its time, and needs the right to write there.
    for (const { path, node } of [...plan.directories.toReversed(), { path: '', node: plan.root }])
      await this.#finish(this.#at(path), node);
  }

  #at(path: string): string {
    return `${this.#work}/${path}`;
  }

  async #take(file: PlannedFile, body: AsyncIterable<Buffer>): Promise<void> {
    if (file.node.size > SMALL) {
      await this.#file(file, body);
      return;
    }
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    // Copied, for the pieces belong to a larger chunk that would live as long as they do.
    const held = Buffer.concat(pieces);
    while (this.#writing.size >= AT_ONCE) await Promise.race(this.#writing);
    // One that failed stays, so that whoever waits next learns of it.
    const writing = this.#file(file, [held]).then(() => void this.#writing.delete(writing));
    writing.catch(() => {});
    this.#writing.add(writing);
  }

  async #file({ path, node }: PlannedFile, body: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> {
    const handle = await open(this.#at(path), 'wx', 0o600);
    try {
      for await (const piece of body) await writeAll(handle, piece);
      if (this.#options.owner) await handle.chown(node.uid, node.gid);
      await handle.chmod(plannedMode(node.mode, this.#options.keep));
      await handle.utimes(node.mtime, node.mtime);
    } finally {
      await handle.close();
    }
  }

  async #finish(path: string, node: Attributes): Promise<void> {
    if (this.#options.owner) await chown(path, node.uid, node.gid);
    await chmod(path, plannedMode(node.mode, this.#options.keep));
    await utimes(path, node.mtime, node.mtime);
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
}
