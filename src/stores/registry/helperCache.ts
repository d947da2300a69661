import { type Clock } from '../../core/clock.ts';
import { type Credential } from './dockerConfig.ts';

/**
 * Asks a helper for the login of a server.
 * @param keep milliseconds that its answer is used; an hour when it is not given
 * @throws OCL_UNAUTHORIZED, OCL_NOT_FOUND
 */
export type AskHelper = (name: string, server: string, keep?: number) => Promise<Credential | undefined>;

/** Milliseconds that an answer is used, as regsync's `credExpire` has it (spec regsync.md 2). */
const ANSWER = 3_600_000;
/** Milliseconds until a helper that failed is asked again. */
const FAILURE = 5_000;
/** Milliseconds that a helper is believed to know nothing, so that a login during a run counts. */
const NOTHING = 60_000;

/** Runs a helper once for all who ask for the same server while it runs and while its answer lasts. */
export function rememberHelper(
  get: (name: string, server: string) => Promise<Credential | undefined>,
  clock: Clock,
): AskHelper {
  const known = new Map<string, { readonly answer: Promise<Credential | undefined>; until: number }>();
  return (name, server, keep = ANSWER) => {
    const key = `${name}\n${server}`;
    const last = known.get(key);
    if (last !== undefined && clock.now() < last.until) return last.answer;
    const entry = { answer: get(name, server), until: Number.POSITIVE_INFINITY };
    known.set(key, entry);
    entry.answer.then(
      (found) => {
        entry.until = clock.now() + (found === undefined ? Math.min(NOTHING, keep) : keep);
      },
      () => {
        entry.until = clock.now() + FAILURE;
      },
    );
    return entry.answer;
  };
}
