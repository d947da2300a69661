import { type Journal } from '../../sync/journal/journal.ts';
import { keptLimits } from '../../sync/keptLimits.ts';
import { createPullBudget, type MayPull } from '../../sync/pulls/budget.ts';
import { type Env } from '../env.ts';

/** The budget of a run: on the accounts that its registry clients keep, and on what the journal knows from before. */
export function pullBudget({ clock, emit, registries }: Env, journal?: Journal): MayPull {
  const kept = journal === undefined ? {} : keptLimits(journal, clock);
  return createPullBudget({ ...kept, clock, emit, told: (registry) => registries.rateLimit(registry) });
}
