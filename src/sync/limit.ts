/** Places for so many at a time. Who waits for something else may give its place to another meanwhile. */
export class Places {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }

  /** Waits without the place that the caller holds, and has it again when it returns. */
  async aside<T>(wait: () => Promise<T>): Promise<T> {
    this.leave();
    try {
      return await wait();
    } finally {
      await this.enter();
    }
  }
}

/**
 * Does something with every item, so many at a time, in their order. When the signal comes no more are started.
 * The action settles its own failures.
 */
export async function eachLimited<T>(
  items: Iterable<T>,
  limit: number | Places,
  signal: AbortSignal | undefined,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const places = typeof limit === 'number' ? new Places(limit) : limit;
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const run = async (item: T): Promise<void> => {
    try {
      await action(item);
    } catch (error) {
      failures.push(error);
    } finally {
      places.leave();
    }
  };
  for (const item of items) {
    await places.enter();
    if (signal?.aborted === true || failures.length > 0) {
      places.leave();
      break;
    }
    const one = run(item);
    running.add(one);
    void one.then(() => running.delete(one));
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

/** The results in the order of the items, worked on so many at a time. The action settles its own failures. */
export async function* mapInOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  action: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  for (const item of items) {
    running.push(action(item));
    const first = running.length < limit ? undefined : running.shift();
    if (first !== undefined) yield await first;
  }
  for (const result of running) yield await result;
}
