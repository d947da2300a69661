import { toOclError, type OclError } from '../../core/errors.ts';
import { type Clock } from '../../core/clock.ts';
import { type Emit } from '../../core/events.ts';
import { LineFile } from '../../io/lineFile.ts';
import { decode, encode, forgottenBy, slotsOf, type JournalRecord, type Slot, type Slots } from './records.ts';

export interface JournalOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** It is looked at only: nothing is made, locked, cut off or compacted. */
  readonly readOnly?: boolean | undefined;
  /** When a journal is written anew; lines. */
  readonly compaction?: Compaction | undefined;
}

interface Compaction {
  /** Fewer lines than that are left alone. */
  readonly from: number;
  /** The newest lines that stay in any case, for the history. */
  readonly history: number;
}

const COMPACTION: Compaction = { from: 50_000, history: 10_000 };

/** The failures of a place that cannot be written to, as opposed to a file that must not be. */
const UNWRITABLE: ReadonlySet<string> = new Set([
  'OCL_IO',
  'OCL_NOT_FOUND',
  'OCL_NO_SPACE',
  'OCL_LOCKED',
  'OCL_UNSAFE',
]);

/**
 * What was mirrored when, from which digest, with what outcome. In memory is the last that is known of each name; the rest is in the file.
 * Where it cannot be written a warning says so once, and the run goes on without: `failure` tells those who must not.
 */
export class Journal {
  readonly #file: LineFile;
  readonly #options: JournalOptions;
  #state = new Latest();
  /** In the file, as far as this process knows. */
  #lines = 0;
  /** What the last compaction left, which is no less the next time. */
  #kept = 0;
  #queue: string[] = [];
  #appending: readonly string[] = [];
  #writing: Promise<void> | undefined;
  #failure: OclError | undefined;
  /** What was told while the file was read, for each reading. */
  readonly #meanwhile = new Set<JournalRecord[]>();

  private constructor(path: string, options: JournalOptions) {
    this.#options = options;
    const { clock, emit } = options;
    this.#file = new LineFile(path, { clock, emit, kind: 'journal', option: '--state' });
  }

  /** @throws OCL_USAGE when the file is something else, OCL_UNSUPPORTED when it is of a newer version */
  static async open(path: string, options: JournalOptions): Promise<Journal> {
    const journal = new Journal(path, options);
    try {
      await journal.#load();
      if (options.readOnly === true) return journal;
      await journal.#file.append([]);
      await journal.#compactIfWorthIt();
    } catch (error) {
      journal.#doWithout(error);
    }
    return journal;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Why nothing is written any more. */
  get failure(): OclError | undefined {
    return this.#failure;
  }

  /** The last record of a name. */
  latest<S extends Slot>(slot: S, name: string): Slots[S] | undefined {
    return this.#state.get(slot, name);
  }

  /** All names of a slot with their last records. */
  all<S extends Slot>(slot: S): Iterable<readonly [string, Slots[S]]> {
    return this.#state.all(slot);
  }

  /** Remembers at once, and writes soon; what comes together is made durable together. */
  write(record: JournalRecord): void {
    this.#state.add(record);
    for (const told of this.#meanwhile) told.push(record);
    if (this.#failure !== undefined || this.#options.readOnly === true) return;
    this.#queue.push(encode(record));
    this.#writing ??= this.#drain();
  }

  /** Returns when all that was told to `write` is durable, or `failure` says why it is not. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Takes up what other processes have written since, and writes the file anew when much of it has been superseded. */
  async refresh(): Promise<void> {
    await this.flush();
    try {
      await this.#load();
      if (this.#failure === undefined && this.#options.readOnly !== true) await this.#compactIfWorthIt();
    } catch (error) {
      this.#doWithout(error);
    }
  }

  /** The records of the file, the oldest first. */
  async *records(): AsyncGenerator<JournalRecord> {
    for await (const line of this.#file.read()) {
      const record = decode(line);
      if (record !== undefined) yield record;
    }
  }

  async #load(): Promise<void> {
    const state = new Latest();
    // What waits to be written may not be in the file yet.
    const meanwhile = [...this.#appending, ...this.#queue].flatMap((line) => decode(line) ?? []);
    this.#meanwhile.add(meanwhile);
    try {
      let lines = 0;
      for await (const batch of this.#file.batches()) {
        lines += batch.length;
        for (const line of batch) {
          const record = decode(line);
          if (record !== undefined) state.add(record);
        }
      }
      for (const record of meanwhile) state.add(record);
      this.#state = state;
      this.#lines = lines;
    } finally {
      this.#meanwhile.delete(meanwhile);
    }
  }

  async #drain(): Promise<void> {
    // What is told in one go becomes one write.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      this.#appending = this.#queue;
      this.#queue = [];
      try {
        await this.#file.append(this.#appending);
        this.#lines += this.#appending.length;
        this.#appending = [];
        // A server writes for months without opening it again.
        await this.#compactIfWorthIt();
      } catch (error) {
        this.#appending = this.#queue = [];
        this.#giveUp(toOclError(error));
      }
    }
    this.#writing = undefined;
  }

  /** @throws what is no matter of a place that cannot be written to */
  #doWithout(error: unknown): void {
    const known = toOclError(error);
    if (this.#options.readOnly === true || !UNWRITABLE.has(known.code)) throw known;
    this.#giveUp(known);
  }

  #giveUp(error: OclError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.emit({
      type: 'notice',
      level: 'warning',
      message: `the journal ${this.path} is not kept, so nothing is pruned: ${error.message} (--state names another place)`,
    });
  }

  async #compactIfWorthIt(): Promise<void> {
    const { from, history } = this.#options.compaction ?? COMPACTION;
    if (this.#lines < from || this.#lines < 2 * Math.max(this.#kept, this.#state.size + history)) return;
    await this.#file.compact(async (all) => await choose(all, history));
    await this.#load();
    this.#kept = this.#lines;
  }
}

/** The last record of each name, what is not understood, and the newest lines stay. */
async function choose(
  lines: AsyncIterable<string>,
  history: number,
): Promise<(line: string, index: number) => boolean> {
  const last = new Map<string, number>();
  const unknown = new Set<number>();
  let count = 0;
  for await (const line of lines) {
    const record = decode(line);
    if (record === undefined) unknown.add(count);
    else {
      for (const [slot, name] of forgottenBy(record)) last.delete(`${slot} ${name}`);
      for (const [slot, name] of slotsOf(record)) last.set(`${slot} ${name}`, count);
    }
    count++;
  }
  const kept = new Set([...last.values(), ...unknown]);
  return (_, index) => index >= count - history || kept.has(index);
}

class Latest {
  readonly #slots = new Map<Slot, Map<string, JournalRecord>>();

  /** Names in all slots together. */
  get size(): number {
    return [...this.#slots.values()].reduce((sum, { size }) => sum + size, 0);
  }

  add(record: JournalRecord): void {
    for (const [slot, name] of forgottenBy(record)) this.#slots.get(slot)?.delete(name);
    for (const [slot, name] of slotsOf(record)) {
      let records = this.#slots.get(slot);
      if (records === undefined) this.#slots.set(slot, (records = new Map()));
      records.set(name, record);
    }
  }

  get<S extends Slot>(slot: S, name: string): Slots[S] | undefined {
    return this.#slots.get(slot)?.get(name) as Slots[S] | undefined;
  }

  all<S extends Slot>(slot: S): Iterable<readonly [string, Slots[S]]> {
    return (this.#slots.get(slot) ?? new Map<string, JournalRecord>()) as Map<string, Slots[S]>;
  }
}
