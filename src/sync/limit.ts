/**
 * Does something with every item, so many at a time, in their order. When the signal comes no more are started.
 * The action settles its own failures.
 */
export async function eachLimited<T>(
  items: Iterable<T>,
  limit: number,
  signal: AbortSignal | undefined,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      if (signal?.aborted === true) return;
      await action(next.value);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
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
