import { type Source } from '../core/store.ts';

interface Flight<T> {
  readonly from: Source;
  readonly outcome: Promise<T>;
}

/**
 * One flight a key: whoever asks for what is under way, or done, shares its outcome.
 * A failure is forgotten, so that another may try again; who has another source does so at once.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  async run(key: string, from: Source, start: () => Promise<T>): Promise<T> {
    for (let under = this.#flights.get(key); under !== undefined; under = this.#flights.get(key)) {
      if (under.from === from) return await under.outcome;
      try {
        return await under.outcome;
      } catch {
        // What one source could not give, another may have.
        if (this.#flights.get(key) === under) this.#flights.delete(key);
      }
    }
    const flight = { from, outcome: start() };
    this.#flights.set(key, flight);
    try {
      return await flight.outcome;
    } catch (error) {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      throw error;
    }
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
