import { onlyRoot } from '../artifact/onlyRoot.ts';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { onSide, toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { wantedName, type Reference } from '../core/reference.ts';
import { type Sink, type Source, type Stores } from '../core/store.ts';
import { bareRepository, imageKey, repositoryKey } from './references.ts';
import { tagsIn } from './tagNames.ts';

/** Milliseconds after which what was copied becomes durable and visible at the latest, so that a kill loses little. */
const COMMIT_INTERVAL = 30_000;

interface OpenSink<T> {
  readonly sink: Promise<Sink>;
  /** What was copied and not committed. */
  waiting: T[];
  /** Commits of one sink follow one another. */
  last: Promise<void>;
  timer: Promise<void> | undefined;
}

export interface Uncommitted<T> {
  readonly item: T;
  readonly error: OclError;
}

/** What needs a repository open until it is done with it. */
export interface Ends {
  readonly from: Reference;
  readonly to: Reference;
}

/** What is open, for those who read and write and do not decide when it ends. */
export type OpenRepositories = Pick<OpenStores, 'source' | 'sink' | 'resolve' | 'tags'>;

export interface OpenOptions<T> {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Something that was copied is durable and visible now. */
  readonly committed?: ((item: T) => void) | undefined;
}

/**
 * The sources and sinks of a run: each repository is opened once, sources are asked once for a tag, and sinks committed as they finish.
 * T is what stands for something that was copied.
 */
export class OpenStores<T = never> {
  readonly #stores: Stores;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #sources = new Map<string, Promise<Source>>();
  readonly #resolved = new Map<string, Promise<Descriptor>>();
  readonly #tags = new Map<string, Promise<readonly string[]>>();
  readonly #sinks = new Map<string, OpenSink<T>>();
  readonly #committed: ((item: T) => void) | undefined;
  readonly #users = new Map<string, number>();
  readonly #stop = new AbortController();

  constructor(stores: Stores, options: OpenOptions<T>) {
    this.#committed = options.committed;
    this.#stores = stores;
    this.#clock = options.clock;
    this.#emit = options.emit;
  }

  async source(reference: Reference): Promise<Source> {
    return await once(this.#sources, repositoryKey(reference), () => this.#stores.source(bareRepository(reference)));
  }

  async sink(reference: Reference): Promise<Sink> {
    return await this.#openSink(reference).sink;
  }

  /** What a reference points at in its source. Asked once: several steps copy the same image to several places. */
  async resolve(reference: Reference): Promise<Descriptor> {
    return await once(this.#resolved, imageKey(reference), async () => {
      try {
        return await onlyRoot(await this.source(reference), wantedName(reference));
      } catch (error) {
        throw onSide(error, 'source');
      }
    });
  }

  /** All tags of a repository, in the order in which it lists them. */
  async tags(reference: Reference): Promise<readonly string[]> {
    return await once(this.#tags, repositoryKey(reference), async () => {
      try {
        const tags: string[] = [];
        for await (const tag of tagsIn(await this.source(reference))) tags.push(tag);
        return tags;
      } catch (error) {
        throw onSide(error, 'source');
      }
    });
  }

  /** Says who will need what, so that each repository can be closed when the last is done with it. */
  expect(all: readonly Ends[]): void {
    for (const ends of all) for (const key of keysOf(ends)) this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
  }

  /** To be called once for each that was expected. Answers what could not be committed. */
  async release(ends: Ends): Promise<readonly Uncommitted<T>[]> {
    const failed: Uncommitted<T>[] = [];
    for (const key of keysOf(ends)) {
      const left = (this.#users.get(key) ?? 1) - 1;
      this.#users.set(key, left);
      if (left === 0) failed.push(...(await this.#finish(key)));
    }
    return failed;
  }

  /** An image has arrived: it becomes visible with the next commit of its sink. */
  copied(reference: Reference, item: T): void {
    const open = this.#openSink(reference);
    open.waiting.push(item);
    open.timer ??= this.#commitLater(open);
  }

  /** Commits and closes whatever is still open. Answers what could not be committed. */
  async close(): Promise<readonly Uncommitted<T>[]> {
    this.#stop.abort();
    const failed: Uncommitted<T>[] = [];
    for (const key of [...this.#sinks.keys(), ...this.#sources.keys()]) failed.push(...(await this.#finish(key)));
    return failed;
  }

  #openSink(reference: Reference): OpenSink<T> {
    const key = `to ${repositoryKey(reference)}`;
    let open = this.#sinks.get(key);
    if (open === undefined) {
      const sink = this.#stores.sink(bareRepository(reference));
      sink.catch(() => undefined);
      open = { sink, waiting: [], last: Promise.resolve(), timer: undefined };
      this.#sinks.set(key, open);
    }
    return open;
  }

  async #commitLater(open: OpenSink<T>): Promise<void> {
    try {
      await this.#clock.sleep(COMMIT_INTERVAL, this.#stop.signal);
      await this.#commit(open);
    } catch (error) {
      // The last commit tries again and reports each image.
      if (!this.#stop.signal.aborted)
        this.#emit({ type: 'notice', level: 'warning', message: toOclError(error).message });
    } finally {
      open.timer = undefined;
    }
  }

  async #commit(open: OpenSink<T>): Promise<void> {
    const previous = open.last;
    const commit = (async () => {
      await previous.catch(() => undefined);
      const { waiting } = open;
      const sink = await open.sink;
      // Where no image arrived, a store on disk may still have learned a name.
      if (waiting.length === 0 && sink.presence === 'graph') return;
      open.waiting = [];
      try {
        await sink.commit();
      } catch (error) {
        open.waiting = [...waiting, ...open.waiting];
        throw onSide(error, 'target');
      }
      for (const item of waiting) this.#committed?.(item);
    })();
    open.last = commit;
    await commit;
  }

  async #finish(key: string): Promise<readonly Uncommitted<T>[]> {
    const source = this.#sources.get(key);
    this.#sources.delete(key);
    if (source !== undefined) await closeQuietly(source);
    const open = this.#sinks.get(key);
    this.#sinks.delete(key);
    if (open === undefined) return [];
    try {
      await this.#commit(open);
      return [];
    } catch (error) {
      return open.waiting.map((item) => ({ item, error: toOclError(error) }));
    } finally {
      await closeQuietly(open.sink);
    }
  }
}

function keysOf({ from, to }: Ends): readonly string[] {
  return [repositoryKey(from), `to ${repositoryKey(to)}`];
}

async function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return await value;
}

/** A store that could not be opened has told so to whoever needed it, and closing loses nothing that was committed. */
async function closeQuietly(store: Promise<Source | Sink>): Promise<void> {
  await store.then((opened) => opened.close()).catch(() => undefined);
}
