import { type Stats } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock } from '../../core/clock.ts';
import { ANNOTATION, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, splitDigest, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Emit } from '../../core/events.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { thisOwner } from '../../io/lock.ts';
import { readBounded } from '../../io/verify.ts';
import { forgetImports, readHolds } from './holds.ts';
import { encodeIndexFile, type Entry } from './indexFile.ts';
import { type LayoutStore } from './layout.ts';
import { removePart, type Part } from './parts.ts';
import { brokenOff, liveWriters, removeWorkDirectory, tidyUp, unfinishedFiles, withLayoutLock } from './session.ts';

export interface GcOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for which a blob that nothing names is left alone: another tool may be about to name it. */
  readonly grace: number;
  readonly dryRun: boolean;
  /** What imports of volumes have brought goes as well, although their last volumes have not come. */
  readonly forgetImports?: boolean | undefined;
}

export interface GcReport {
  readonly kept: number;
  readonly removed: readonly StoredBlob[];
  /** Entries of referrers whose subject is gone. */
  readonly dropped: number;
  /** Unfinished files of processes that are gone, `parts` included. */
  readonly leftovers: number;
  /** Transfers that broke off before the grace period, and the bytes that came of each. */
  readonly parts: readonly StoredBlob[];
  /** Transfers that broke off lately: the next copy goes on with them. */
  readonly resumable: number;
  /** Imports whose last volumes have not come; what they brought is kept. */
  readonly imports: number;
  /** Nothing names them, and they are younger than the grace period. */
  readonly young: number;
  /** Bytes freed, or that would be. */
  readonly bytes: number;
  readonly dryRun: boolean;
}

/** The encoded part of a digest, where it stands alone or after a colon. */
const ENCODED_IN_TEXT = /[a-zA-Z0-9=_-]+/g;
/** The first bytes of JSON documents: an object or array, blank space before it. */
const JSON_STARTS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x20, 0x0a, 0x0d, 0x09]);

/**
 * Removes the blobs of one layout that nothing reaches: marks from `index.json`, then sweeps, all under the lock.
 * Marking is generous: whatever digest stands in a reachable JSON document is kept, known media type or not,
 * and so is every manifest whose subject is kept.
 * @throws OCL_LOCKED while another process writes into the layout
 */
export async function collectGarbage(layout: LayoutStore, options: GcOptions): Promise<GcReport> {
  try {
    return await withLayoutLock(layout.root, options, async () => await collect(layout, options));
  } finally {
    // What a dry run does not report must not go either.
    if (options.dryRun) await removeWorkDirectory(layout.root);
    else await tidyUp(layout.root, options);
  }
}

async function collect(layout: LayoutStore, options: GcOptions): Promise<GcReport> {
  // Containers on several hosts often have the same process number.
  const self = thisOwner();
  const writers = (await liveWriters(layout.root, options.clock.now())).filter(
    (owner) => owner.pid !== self.pid || owner.host !== self.host || owner.started !== self.started,
  );
  const writer = writers[0];
  if (writer !== undefined) {
    throw new OclError(
      'OCL_LOCKED',
      `Cannot collect garbage in ${layout.root}: process ${writer.pid} on ${writer.host} is writing there`,
      { hint: 'wait until it is done, then run the command again' },
    );
  }
  const report = await markAndSweep(layout, options);
  if (options.forgetImports === true && !options.dryRun) await forgetImports(layout.root);
  const leftovers = await unfinishedFiles(layout.root);
  if (!options.dryRun) for (const path of leftovers) await rm(path, { force: true });
  const broken = await brokenOff(layout.root, options.clock.now());
  const old = broken.filter(({ stats }) => !isYoung(stats, options));
  if (!options.dryRun) for (const { path } of old) await removePart(path);
  return {
    ...report,
    leftovers: leftovers.length + old.length,
    parts: old.map(({ digest, stats }) => ({ digest, size: stats.size })),
    resumable: broken.length - old.length,
    bytes: report.bytes + bytesOf(old),
  };
}

function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { stats }) => sum + stats.size, 0);
}

type Swept = Omit<GcReport, 'leftovers' | 'parts' | 'resumable'>;

async function markAndSweep(layout: LayoutStore, options: GcOptions): Promise<Swept> {
  const sizes = new Map<Digest, number>();
  for await (const { digest, size } of layout.blobs()) sizes.set(digest, size);
  const marked = new Set<Digest>();
  const mark = new Marker(layout, sizes, marked);
  const file = await layout.readIndex();
  const stale = await markRoots(file.entries, layout, mark, options);
  const holds = options.forgetImports === true ? [] : await readHolds(layout.root);
  for (const { digests } of holds) for (const digest of digests) await mark.reach(`"${digest}"`);
  const doomed = [...sizes].filter(([digest]) => !marked.has(digest));
  const dropped = new Set(stale.filter(({ descriptor }) => !marked.has(descriptor.digest)));
  if (dropped.size > 0 && !options.dryRun) {
    const entries = file.entries.filter((entry) => !dropped.has(entry));
    await writeFileAtomic(join(layout.root, 'index.json'), encodeIndexFile({ ...file, entries }));
  }
  const removed: StoredBlob[] = [];
  let young = 0;
  let bytes = 0;
  for (const [digest, size] of doomed) {
    options.signal?.throwIfAborted();
    const stats = await lstat(layout.blobFile(digest));
    if (isYoung(stats, options)) {
      young++;
      continue;
    }
    if (!options.dryRun) await rm(layout.blobFile(digest), { force: true });
    removed.push({ digest, size });
    bytes += stats.nlink > 1 ? 0 : size;
  }
  return {
    kept: marked.size,
    removed,
    dropped: dropped.size,
    imports: holds.length,
    young,
    bytes,
    dryRun: options.dryRun,
  };
}

/**
 * Marks from every entry but those that are there for another's sake: a nameless referrer does not keep its subject alive, for then
 * nothing that was ever signed could go. Answers the entries whose subject nothing else reaches.
 */
async function markRoots(
  entries: readonly Entry[],
  layout: LayoutStore,
  mark: Marker,
  options: GcOptions,
): Promise<readonly Entry[]> {
  const weak: Entry[] = [];
  for (const entry of entries) {
    if (await isWeak(entry, layout, mark, options)) weak.push(entry);
    else await mark.reach(JSON.stringify(entry.raw));
  }
  await mark.reachReferrers();
  return weak;
}

async function isWeak({ descriptor }: Entry, layout: LayoutStore, mark: Marker, options: GcOptions): Promise<boolean> {
  const { refName, imageName } = ANNOTATION;
  if (descriptor.annotations?.[refName] !== undefined || descriptor.annotations?.[imageName] !== undefined)
    return false;
  if (!(await mark.refersToStored(descriptor.digest))) return false;
  return !isYoung(await lstat(layout.blobFile(descriptor.digest)), options);
}

/** By the clock of the file's change, not of its content: a blob that was linked in lately is young. */
function isYoung(stats: Stats, { clock, grace }: GcOptions): boolean {
  return clock.now() - Math.max(stats.mtimeMs, stats.ctimeMs) < grace;
}

class Marker {
  readonly #layout: LayoutStore;
  readonly #sizes: ReadonlyMap<Digest, number>;
  readonly #marked: Set<Digest>;
  readonly #byEncoded = new Map<string, Digest[]>();

  constructor(layout: LayoutStore, sizes: ReadonlyMap<Digest, number>, marked: Set<Digest>) {
    this.#layout = layout;
    this.#sizes = sizes;
    this.#marked = marked;
    for (const digest of sizes.keys()) {
      const { encoded } = splitDigest(digest);
      this.#byEncoded.set(encoded, [...(this.#byEncoded.get(encoded) ?? []), digest]);
    }
  }

  /** Marks every stored digest in a text, and all that those documents name in turn. */
  async reach(text: string): Promise<void> {
    const waiting = [...this.#digestsIn(text)];
    for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
      if (this.#marked.has(digest)) continue;
      this.#marked.add(digest);
      const below = await this.#readJson(digest);
      // One by one: a document may repeat a digest more often than a call takes arguments.
      if (below !== undefined) for (const named of this.#digestsIn(below)) waiting.push(named);
    }
  }

  /** Whether a stored document has a subject that is stored here too. */
  async refersToStored(digest: Digest): Promise<boolean> {
    if (!this.#sizes.has(digest)) return false;
    const subject = subjectOf(await this.#readJson(digest));
    return subject !== undefined && this.#sizes.has(subject);
  }

  /** Manifests that nothing names but whose subject is kept: cosign saves them so. Repeated, for referrers have referrers. */
  async reachReferrers(): Promise<void> {
    const subjects = new Map<Digest, Digest>();
    for (const digest of this.#sizes.keys()) {
      if (this.#marked.has(digest)) continue;
      const subject = subjectOf(await this.#readJson(digest));
      if (subject !== undefined) subjects.set(digest, subject);
    }
    for (let grew = true; grew;) {
      grew = false;
      for (const [digest, subject] of subjects) {
        if (!this.#marked.has(subject) || this.#marked.has(digest)) continue;
        await this.reach(`"${digest}"`);
        grew = true;
      }
    }
  }

  *#digestsIn(text: string): Generator<Digest> {
    for (const [match] of withoutEscapes(text).matchAll(ENCODED_IN_TEXT)) yield* this.#byEncoded.get(match) ?? [];
  }

  async #readJson(digest: Digest): Promise<string | undefined> {
    const size = this.#sizes.get(digest) ?? 0;
    if (size === 0 || size > LIMITS.indexBytes) return undefined;
    const descriptor = { mediaType: '', digest, size };
    const head = await readBounded(await this.#layout.open(descriptor, { start: 0, end: 0 }), 1, digest);
    if (!JSON_STARTS.has(head[0] ?? 0)) return undefined;
    return new TextDecoder().decode(await readBounded(await this.#layout.open(descriptor), LIMITS.indexBytes, digest));
  }
}

/** JSON may write any letter as an escape; a digest written so is still named. */
function withoutEscapes(text: string): string {
  if (!text.includes('\\u')) return text;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

function subjectOf(text: string | undefined): Digest | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const subject = isObject(value) ? value['subject'] : undefined;
    const digest = isObject(subject) ? subject['digest'] : undefined;
    return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
  } catch {
    return undefined;
  }
}
