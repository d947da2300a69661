import { randomBytes } from 'node:crypto';
import { type Stats } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, splitDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { isAbsent, toOclError, type ErrorCode } from '../../core/errors.ts';
import { TemporaryFile } from '../../io/atomicFile.ts';
import { factsOf } from '../../io/factsOf.ts';

const BLOB_MODE = 0o444;
/** Bytes: less than that is fetched again sooner than it is looked after. */
const WORTH_KEEPING = 1 << 20;

/**
 * Failures after which what came is still the beginning of the content: the source went away, refuses to go on, or nobody wants to.
 */
const BROKE_OFF: ReadonlySet<ErrorCode> = new Set([
  'OCL_UNREACHABLE',
  'OCL_CANCELLED',
  'OCL_RATE_LIMITED',
  'OCL_UNAUTHORIZED',
  'OCL_DENIED',
]);
/** Failures that say nothing about what came before them, but after which another way may work. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['OCL_REGISTRY', 'OCL_NOT_FOUND', 'OCL_UNSUPPORTED']);

/**
 * `sha256-….part` is free to be gone on with; `sha256-….<writer>.<random>.part` is being written, or was when its writer died.
 * The digest stands in the name, so that a part is found without being opened.
 */
const NAME = /^([a-z0-9]+)-([0-9a-f]+)(?:\.(\d{1,10}-[0-9a-f]{16})\.[0-9a-f]{8})?\.part$/;

/** What came of a content whose transfer broke off. */
export interface Part {
  readonly path: string;
  readonly digest: Digest;
  /** The marker of who writes, or wrote, to it. */
  readonly writer: string | undefined;
  readonly stats: Stats;
}

/** The unfinished contents of one writer. Those of others are theirs for as long as they live. */
export class Parts {
  readonly directory: string;
  readonly #writer: string;

  /** @param writer the name of the marker of who writes */
  constructor(directory: string, writer: string) {
    this.directory = directory;
    this.#writer = writer;
  }

  /** A file for a content, with what came of it before. Of several who ask at once one gets that; the others begin at zero. */
  async begin(descriptor: Descriptor): Promise<TemporaryFile> {
    return (await this.#takeUp(descriptor)) ?? (await this.beginAnew(descriptor));
  }

  /** An empty file for a content. */
  async beginAnew(descriptor: Descriptor): Promise<TemporaryFile> {
    const name = isResumable(descriptor) ? this.#nameFor(descriptor.digest) : undefined;
    return await TemporaryFile.create(this.directory, BLOB_MODE, name);
  }

  /** After a failure: leaves to the next one what may be right, removes what is wrong or too little. */
  async giveUp(file: TemporaryFile, descriptor: Descriptor, error: unknown): Promise<void> {
    const { code } = toOclError(error);
    const sound = BROKE_OFF.has(code) || REFUSED.has(code);
    if (sound && isResumable(descriptor) && file.size >= WORTH_KEEPING) {
      const free = freePath(this.directory, descriptor.digest);
      if (((await factsOf(free))?.size ?? 0) < file.size) return await leave(file, free);
    }
    await file.discard();
  }

  async #takeUp(descriptor: Descriptor): Promise<TemporaryFile | undefined> {
    if (!isResumable(descriptor)) return undefined;
    const path = join(this.directory, this.#nameFor(descriptor.digest));
    try {
      await rename(freePath(this.directory, descriptor.digest), path);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
    let file: TemporaryFile;
    try {
      file = await TemporaryFile.resume(path);
    } catch {
      // A link, or somebody else's file: nothing to go on with.
      await removePart(path);
      return undefined;
    }
    if (file.size > 0 && file.size <= descriptor.size) return file;
    await file.discard();
    return undefined;
  }

  #nameFor(digest: Digest): string {
    return `${stemOf(digest)}.${this.#writer}.${randomBytes(4).toString('hex')}.part`;
  }
}

/** The failure before tells more than one of leaving. */
async function leave(file: TemporaryFile, path: string): Promise<void> {
  try {
    await file.leaveAs(path);
  } catch {
    await file.discard();
  }
}

/** Whether a content that could not be gone on with is worth a try from its beginning before its source is blamed. */
export function mayBeWrongHere(error: unknown): boolean {
  const { code } = toOclError(error);
  return !BROKE_OFF.has(code) && code !== 'OCL_NO_SPACE';
}

/** Without a digest that can be computed nobody would notice that a beginning and a rest do not belong together. */
function isResumable({ digest, size }: Descriptor): boolean {
  return size >= WORTH_KEEPING && verifiableAlgorithm(digest) !== undefined;
}

/** The parts among some names of a directory. Those that vanish meanwhile are left out. */
export async function partsAmong(directory: string, names: readonly string[]): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for (const name of names) {
    const parsed = parseName(name);
    if (parsed === undefined) continue;
    const path = join(directory, name);
    const stats = await factsOf(path);
    if (stats !== undefined) parts.push({ path, stats, ...parsed });
  }
  return parts;
}

export function isPartName(name: string): boolean {
  return parseName(name) !== undefined;
}

function parseName(name: string): Pick<Part, 'digest' | 'writer'> | undefined {
  const [, algorithm = '', encoded = '', writer] = NAME.exec(name) ?? [];
  const digest = `${algorithm}:${encoded}`;
  return isDigest(digest) && verifiableAlgorithm(digest) !== undefined ? { digest, writer } : undefined;
}

/** Whether somebody could go on with it: a regular file of its own that holds enough. */
export function isUseful({ stats }: Part): boolean {
  return stats.isFile() && stats.nlink === 1 && stats.size >= WORTH_KEEPING;
}

/** Makes what a dead writer left free for the next one; of several of one content the largest stays. */
export async function release(part: Part): Promise<void> {
  const free = join(part.path, '..', `${stemOf(part.digest)}.part`);
  if (((await factsOf(free))?.size ?? 0) >= part.stats.size) await removePart(part.path);
  else await rename(part.path, free);
}

/** Whatever it is: a link itself, a directory with what is in it. */
export async function removePart(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true });
}

function freePath(directory: string, digest: Digest): string {
  return join(directory, `${stemOf(digest)}.part`);
}

function stemOf(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm}-${encoded}`;
}
