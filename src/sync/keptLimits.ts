import { type Clock } from '../core/clock.ts';
import { type Journal } from './journal/journal.ts';
import { type PullBudgetOptions } from './pulls/budget.ts';
import { type PullLimit } from './pulls/limit.ts';

/** Milliseconds between two records of one registry: each pull may tell another number. */
const EVERY = 30_000;

/** What registries told of their limits, read from the journal and written to it, so that a run goes on with what the last one knew. */
export function keptLimits(journal: Journal, clock: Clock): Pick<PullBudgetOptions, 'remembered' | 'learned'> {
  const remembered = new Map<string, PullLimit>();
  for (const [registry, { time, remaining, limit, window, resetAt }] of journal.all('limit'))
    remembered.set(registry, {
      limit,
      remaining,
      window,
      resetAt: resetAt === undefined ? undefined : Date.parse(resetAt),
      seenAt: Date.parse(time),
    });
  const written = new Map<string, { readonly at: number; readonly remaining: number }>();
  return {
    remembered,
    learned(registry, { limit, remaining, window, resetAt, seenAt }) {
      const last = written.get(registry);
      const now = clock.now();
      // A number that falls to a half says more than that time went by.
      if (last !== undefined && now - last.at < EVERY && remaining >= last.remaining / 2) return;
      written.set(registry, { at: now, remaining });
      const resets = resetAt === undefined ? undefined : new Date(resetAt).toISOString();
      journal.write({
        kind: 'limit',
        time: new Date(seenAt).toISOString(),
        registry,
        limit,
        remaining,
        window,
        resetAt: resets,
      });
    },
  };
}
