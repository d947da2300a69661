import { type Clock } from '../../../core/clock.ts';
import { OclError } from '../../../core/errors.ts';
import { remember } from '../bounded.ts';

/** Milliseconds that a refusal is believed without asking again, so that a wrong password does not lock an account. */
const BELIEVED = 5 * 60_000;
const MAX_KEPT = 10_000;

/** What a registry said no to a short while ago: rights (a login and a scope) and whole logins. */
export class Refusals {
  readonly #registry: string;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly error: OclError; readonly until: number }>();
  readonly #accepted = new Map<string, true>();

  constructor(registry: string, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  /** @throws OclError with the first refusal as its cause, when this was refused a short while ago */
  check(key: string, action: string): void {
    const known = this.#known.get(key);
    if (known === undefined || this.#clock.now() >= known.until) return;
    const { error } = known;
    throw new OclError(error.code, `Cannot ${action}: ${this.#registry} refused the same login a short while ago`, {
      hint: error.hint,
      cause: error,
    });
  }

  /** This was let in: when it is not the next time, that is for the sake of that request. */
  accept(key: string): void {
    remember(this.#accepted, key, true, MAX_KEPT);
  }

  /** Keeps a refusal in mind. The first one after requests that were let in is forgiven. */
  add(key: string, error: OclError): void {
    if (this.#accepted.delete(key)) return;
    remember(this.#known, key, { error, until: this.#clock.now() + BELIEVED }, MAX_KEPT);
  }
}
