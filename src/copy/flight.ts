/**
 * One flight a key: whoever asks for what is under way, or done, shares its outcome.
 * A failure is forgotten, so that another may try again.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Promise<T>>();

  run(key: string, start: () => Promise<T>): Promise<T> {
    const under = this.#flights.get(key);
    if (under !== undefined) return under;
    const flight = start();
    this.#flights.set(key, flight);
    flight.catch(() => this.#flights.delete(key));
    return flight;
  }
}

/** Waits for all, whatever happens, then throws the first failure: nothing goes on behind the caller's back. */
export async function allSettled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
