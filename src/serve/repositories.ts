import { setMaxListeners } from 'node:events';
import { isCode } from '../core/errors.ts';
import { type Clock } from '../core/clock.ts';
import { isRepository } from '../core/reference.ts';
import { type Editor, type Library, type LocalSource, type Sink } from '../core/store.ts';
import { Refusal } from './errors.ts';

/** Other processes may write to the same place: what was opened longer ago than this is opened anew. */
const FRESH_MS = 10_000;
/** A sink stays open between the blobs of one push: while it is, no garbage collector takes them for unused. */
const WRITER_IDLE_MS = 30_000;

interface Lease {
  readonly source: Promise<LocalSource | undefined>;
  readonly openedAt: number;
  users: number;
  dropped: boolean;
}

interface Queue {
  tail: Promise<void>;
  waiting: number;
  /** Counts turns, to tell whether there was one while something slept. */
  turns: number;
  /** Whether somebody waits to close the sink. */
  watched: boolean;
  sink: (Sink & Editor) | undefined;
}

/** The repositories of a library as many requests use them at once: readers share what is open, writers of one repository take turns. */
export class Repositories {
  readonly library: Library;
  readonly #clock: Clock;
  readonly #open: number;
  readonly #leases = new Map<string, Lease>();
  readonly #queues = new Map<string, Queue>();
  readonly #stop = new AbortController();

  constructor(library: Library, options: { readonly clock: Clock; readonly open: number }) {
    this.library = library;
    this.#clock = options.clock;
    this.#open = options.open;
    // One waits for each repository that is written.
    setMaxListeners(0, this.#stop.signal);
  }

  async exists(name: string): Promise<boolean> {
    return this.#withLease(name, (source) => Promise.resolve(source !== undefined));
  }

  /** @throws Refusal NAME_UNKNOWN */
  read<T>(name: string, use: (source: LocalSource) => Promise<T>): Promise<T> {
    return this.#withLease(name, (source) => {
      if (source === undefined) throw new Refusal('NAME_UNKNOWN', `there is no repository ${name}`);
      return use(source);
    });
  }

  /** Runs when all earlier writers of the repository are done. What it committed is visible to every later reader. */
  async write<T>(name: string, use: (sink: Sink & Editor) => Promise<T>): Promise<T> {
    const queue: Queue = this.#queues.get(name) ?? {
      tail: Promise.resolve(),
      waiting: 0,
      turns: 0,
      watched: false,
      sink: undefined,
    };
    this.#queues.set(name, queue);
    queue.waiting++;
    const turn = queue.tail.then(() => this.#takeTurn(name, queue, use));
    queue.tail = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  /** Returns when the writers under way are done. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const [name, queue] of this.#queues) {
      await queue.tail;
      await this.#closeSink(name, queue);
    }
    for (const name of this.#leases.keys()) this.#drop(name);
  }

  async #takeTurn<T>(name: string, queue: Queue, use: (sink: Sink & Editor) => Promise<T>): Promise<T> {
    let failed = true;
    try {
      queue.sink ??= await this.library.sink(name);
      const result = await use(queue.sink);
      failed = false;
      return result;
    } finally {
      queue.waiting--;
      queue.turns++;
      this.#drop(name);
      if (failed) await this.#closeSink(name, queue);
      else if (queue.waiting === 0) void this.#closeWhenIdle(name, queue);
    }
  }

  async #closeWhenIdle(name: string, queue: Queue): Promise<void> {
    if (queue.watched) return;
    queue.watched = true;
    let turns: number;
    do {
      turns = queue.turns;
      try {
        await this.#clock.sleep(WRITER_IDLE_MS, this.#stop.signal);
      } catch {
        return;
      }
    } while (queue.waiting === 0 && queue.turns !== turns);
    queue.watched = false;
    if (queue.waiting === 0) await this.#closeSink(name, queue);
  }

  async #closeSink(name: string, queue: Queue): Promise<void> {
    const { sink } = queue;
    queue.sink = undefined;
    if (queue.waiting === 0) this.#queues.delete(name);
    // What was to be kept is committed; a sink that cannot be closed has nothing to lose.
    await sink?.close().catch(() => {});
  }

  async #withLease<T>(name: string, use: (source: LocalSource | undefined) => Promise<T>): Promise<T> {
    const lease = this.#lease(name);
    lease.users++;
    try {
      return await use(await lease.source);
    } finally {
      lease.users--;
      await closeUnused(lease);
    }
  }

  #lease(name: string): Lease {
    const known = this.#leases.get(name);
    if (known !== undefined && this.#clock.now() - known.openedAt < FRESH_MS) {
      this.#leases.delete(name);
      this.#leases.set(name, known);
      return known;
    }
    this.#drop(name);
    const [oldest] = this.#leases.keys();
    if (this.#leases.size >= this.#open && oldest !== undefined) this.#drop(oldest);
    const lease: Lease = { source: this.#source(name), openedAt: this.#clock.now(), users: 0, dropped: false };
    this.#leases.set(name, lease);
    // Only what is there is worth keeping: the rest may come at any moment.
    lease.source.then(
      (source) => void (source === undefined && this.#drop(name)),
      () => this.#drop(name),
    );
    return lease;
  }

  async #source(name: string): Promise<LocalSource | undefined> {
    try {
      return await this.library.source(name);
    } catch (error) {
      if (isCode(error, 'OCL_NOT_FOUND') || isCode(error, 'OCL_UNSUPPORTED')) return undefined;
      throw error;
    }
  }

  #drop(name: string): void {
    const lease = this.#leases.get(name);
    if (lease === undefined) return;
    this.#leases.delete(name);
    lease.dropped = true;
    void closeUnused(lease);
  }
}

async function closeUnused(lease: Lease): Promise<void> {
  if (!lease.dropped || lease.users > 0) return;
  const source = await lease.source.catch(() => undefined);
  // Nothing that was read depends on how its source closes.
  await source?.close().catch(() => {});
}

/**
 * The repository that is meant by a name, and by the registry that it was first asked of (`?ns=`, which mirrors are sent).
 * Without one, a name that is not there is looked up as Docker Hub's, as Docker's mirrors are asked.
 */
export async function actualName(
  repositories: Repositories,
  name: string,
  namespace: string | undefined,
): Promise<{ readonly repository: string; readonly namespace: string | undefined }> {
  const hub = name.includes('/') ? [`docker.io/${name}`] : [`docker.io/library/${name}`, `docker.io/${name}`];
  const isHub =
    namespace === undefined ||
    namespace === 'docker.io' ||
    namespace === 'registry-1.docker.io' ||
    namespace === 'index.docker.io';
  const owned = isHub ? hub : [`${namespace}/${name}`];
  if (namespace !== undefined) {
    const found = await firstThere(repositories, owned);
    if (found !== undefined) return { repository: found, namespace };
  }
  if (await repositories.exists(name)) return { repository: name, namespace: undefined };
  const short = isHub
    ? await firstThere(repositories, [...owned, ...(name.includes('/') ? [] : [`library/${name}`])])
    : undefined;
  return { repository: short ?? name, namespace: undefined };
}

async function firstThere(repositories: Repositories, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if (isRepository(name) && (await repositories.exists(name))) return name;
  return undefined;
}
