import { isDeepStrictEqual } from 'node:util';
import { type Clock } from '../../../core/clock.ts';
import { type Credential } from './dockerConfig.ts';

/**
 * Asks a helper for the login of a server.
 * @param keep milliseconds that its answer is used; an hour when it is not given
 * @throws OCL_UNAUTHORIZED, OCL_NOT_FOUND
 */
export type AskHelper = (name: string, server: string, keep?: number) => Promise<Credential | undefined>;

/** Helpers whose answers are kept for a while. */
export interface HelperAnswers {
  readonly ask: AskHelper;
  /** An answer proved wrong: its helper is asked again, once for each new answer that it gives. */
  readonly forget: (answer: Credential) => void;
}

interface Kept {
  readonly answer: Promise<Credential | undefined>;
  until: number;
  /** What the helper answered, when it has. */
  found?: Credential | undefined;
  /** It was refused before, and the helper gave it again. */
  stands: boolean;
}

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
): HelperAnswers {
  const known = new Map<string, Kept>();
  const refused = new Map<string, Credential>();
  return {
    ask(name, server, keep = ANSWER) {
      const key = `${name}\n${server}`;
      const last = known.get(key);
      if (last !== undefined && clock.now() < last.until) return last.answer;
      const entry: Kept = { answer: get(name, server), until: Number.POSITIVE_INFINITY, stands: false };
      known.set(key, entry);
      entry.answer.then(
        (found) => {
          entry.found = found;
          entry.stands = found !== undefined && isDeepStrictEqual(found, refused.get(key));
          entry.until = clock.now() + (found === undefined ? Math.min(NOTHING, keep) : keep);
        },
        () => {
          entry.until = clock.now() + FAILURE;
        },
      );
      return entry.answer;
    },
    forget(answer) {
      for (const [key, entry] of known) {
        if (entry.found !== answer || entry.stands) continue;
        refused.set(key, answer);
        known.delete(key);
      }
    },
  };
}
