import { toOclError } from '../core/errors.ts';
import { silent } from '../core/events.ts';
import { type Stores } from '../core/store.ts';
import { type Journal } from './journal/journal.ts';
import { JournaledRun } from './journaling.ts';
import { type Listed } from './list.ts';
import { observers } from './outcome.ts';
import { planPrune, prunes } from './prune.ts';
import { runPrune } from './pruneRun.ts';
import { Tally } from './report.ts';
import { runSync, type FailedImage, type SyncOptions, type SyncReport } from './run.ts';
import { type SyncConfig } from './settings.ts';

export interface JournaledOptions extends SyncOptions {
  /** Without one nothing is written down, and nothing is pruned. */
  readonly journal?: Journal | undefined;
  /** The whole file, where only some of its steps are run: what the others want is not pruned. */
  readonly file?: SyncConfig | undefined;
  /** Writes down that these steps ran, for who asks later when they did. */
  readonly rememberSteps?: boolean | undefined;
  /** A repository may lose all that was mirrored to it. */
  readonly allowEmpty?: boolean | undefined;
  /** Keeps count, also of a run that ends with an error. */
  readonly tally?: Tally | undefined;
}

export interface JournaledReport extends SyncReport {
  /** Tags that were taken away. */
  readonly pruned: number;
}

/**
 * `runSync` with its journal: what becomes of each image is written down, and when all is done the tags that are no longer asked for are taken
 * away from the targets of steps with `prune`. A run that looks only for the missing, or at some images, or that stopped, prunes nothing.
 *
 * @throws as `runSync`; the journal has then been written
 */
export async function runJournaled(
  config: SyncConfig,
  stores: Stores,
  options: JournaledOptions,
): Promise<JournaledReport> {
  const { journal, clock, emit = silent, signal, tally = new Tally(config.steps) } = options;
  const started = clock.now();
  const run =
    journal === undefined ? undefined : new JournaledRun(journal, config, clock, options.rememberSteps === true);
  const listed: Listed[] = [];
  const failed: FailedImage[] = [];
  const observer = observers(tally, run, options.observer, {
    listed: (one) => void listed.push(one),
    pruned: (tag, error) => {
      if (error !== undefined) failed.push({ image: tag.target, error });
    },
  });
  const end = async (outcome: 'done' | 'failed' | 'cancelled'): Promise<void> =>
    await run?.end(outcome, tally, clock.now() - started);
  try {
    const report = await runSync(config, stores, { ...options, observer });
    if (journal !== undefined && run !== undefined && mayPrune(config, report, options)) {
      await journal.refresh();
      if (journal.failure === undefined) {
        const plan = await planPrune(options.file ?? config, stores, {
          ...options,
          emit,
          journal,
          listed,
          listedAt: started,
        });
        await runPrune(plan, stores, {
          clock,
          emit,
          signal,
          journal,
          run: run.id,
          settled: (...ended) => observer.pruned(...ended),
        });
        if (signal?.aborted === true) throw toOclError(signal.reason);
      }
    }
    const all = [...report.failed, ...failed];
    await end(all.length + report.untried === 0 ? 'done' : 'failed');
    return { ...report, failed: all, pruned: tally.total.pruned, ms: clock.now() - started };
  } catch (error) {
    await end(toOclError(error).code === 'OCL_CANCELLED' ? 'cancelled' : 'failed');
    throw error;
  }
}

function mayPrune(config: SyncConfig, { untried }: SyncReport, { missing, only }: JournaledOptions): boolean {
  return prunes(config.steps) && untried === 0 && missing !== true && only === undefined;
}
